// SPDX-License-Identifier: Apache-2.0
//! Keys over https: only from a server that proves its name.

use std::sync::Arc;

use cress_testkit::TestIssuer;
use cress_verify::{Clock, FetchError, RemoteKeys, RemoteKeysError};
use rcgen::{CertificateParams, KeyPair};
use rustls_pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use crate::support::{refresh, remote, start, verify};

/// Serves the body over TLS to everyone; its port and its own certificate in PEM.
async fn serve(body: String, name: &str) -> (u16, String) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (connection, _) = listener.accept().await.unwrap();
            let Ok(mut connection) = acceptor.accept(connection).await else { continue };
            let _ = connection.read(&mut [0; 4_096]).await;
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            let _ = connection.write_all(format!("{head}{body}").as_bytes()).await;
            let _ = connection.shutdown().await;
        }
    });
    (port, certificate.pem())
}

#[tokio::test]
async fn only_the_named_authorities_are_trusted() {
    let issuer = TestIssuer::new();
    let (port, pem) = serve(issuer.jwks_json(), "localhost").await;
    let (_, other_pem) = serve(issuer.jwks_json(), "localhost").await;
    let url = |host: &str| format!("https://{host}:{port}/jwks");
    let pinned = |host: &str, pem: &str| RemoteKeys::new(&url(host)).unwrap().with_only_roots(pem.as_bytes()).unwrap();

    let (verifier, clock) = start(&issuer, pinned("localhost", &pem));
    assert_eq!(verify(&verifier, &issuer.token(clock.now())).await, "accepted");

    for (name, keys) in [
        ("the system's authorities", remote(&url("localhost"))),
        ("another authority", pinned("localhost", &other_pem)),
        ("another name", pinned("127.0.0.1", &pem)),
    ] {
        let (verifier, _) = start(&issuer, keys);
        let error = verifier.ready().await.expect_err(name);
        assert!(error.to_string().contains("certificate"), "{name}: {error}");
    }
}

#[tokio::test]
async fn a_file_of_authorities_counts_as_it_is_at_each_look() {
    let issuer = TestIssuer::new();
    let (port, pem) = serve(issuer.jwks_json(), "localhost").await;
    let (_, other_pem) = serve(issuer.jwks_json(), "localhost").await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ca.pem");
    std::fs::write(&file, &other_pem).unwrap();
    let keys = remote(&format!("https://localhost:{port}/jwks")).with_only_roots_of(&file).unwrap();
    let (verifier, clock) = start(&issuer, keys);
    let error = verifier.ready().await.unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");

    std::fs::write(&file, &pem).unwrap();
    refresh(&verifier, &clock).await;
    let token = issuer.token(clock.now());
    assert_eq!(verify(&verifier, &token).await, "accepted");

    // Without authorities nothing is fetched, and what was fetched is as good as it was.
    let missing = RemoteKeysError::RootsFile(std::io::ErrorKind::NotFound);
    for (broken, expected) in [(Some(""), RemoteKeysError::Roots), (None, missing)] {
        match broken {
            Some(text) => std::fs::write(&file, text).unwrap(),
            None => std::fs::remove_file(&file).unwrap(),
        }
        refresh(&verifier, &clock).await;
        assert_eq!(verifier.status()[0].last_error, Some(FetchError::Source(expected)));
        assert_eq!(verify(&verifier, &token).await, "accepted");
    }
    std::fs::write(&file, [other_pem, pem].concat()).unwrap();
    refresh(&verifier, &clock).await;
    assert_eq!(verifier.status()[0].last_error, None);
}

#[tokio::test]
async fn https_does_not_fall_back_to_plain_http() {
    let issuer = TestIssuer::new();
    let server = crate::jwks_server::JwksServer::start(crate::jwks_server::Answer::keys(&issuer)).await;
    let (verifier, _) = start(&issuer, remote(&server.url().replace("http://", "https://")));
    assert_eq!(verifier.ready().await.unwrap_err().code(), "keys-unavailable");
    assert_eq!(server.hits(), 0);
}
