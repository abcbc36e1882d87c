// SPDX-License-Identifier: Apache-2.0
//! The public API with a certificate of the operator's, which may change while control runs.

use std::path::Path;

use cress_service::tls::{CertificateFiles, ClientTls, Identity, Protocol, Roots, ServerTrust};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::support::{Control, config, directory, eventually, header};

/// Writes a new certificate for localhost, and returns it in PEM.
fn write_certificate(files: &CertificateFiles) -> String {
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2025, 1, 1);
    params.not_after = rcgen::date_time_ymd(2026, 1, 1);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap().pem();
    std::fs::write(&files.key_file, key.serialize_pem()).unwrap();
    std::fs::write(&files.certificate_file, &certificate).unwrap();
    certificate
}

async fn get(control: &Control, trusted: &str) -> Result<String, String> {
    let clock = control.clock.clone();
    let servers = ServerTrust::Roots(Roots::from_pem(trusted.as_bytes()).unwrap());
    let tls = ClientTls { identity: Identity::none(), servers, protocol: Protocol::Http1, clock };
    let stream = TcpStream::connect(control.started.public).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let connected = TlsConnector::from(tls.config().unwrap()).connect(name, stream).await;
    let mut stream = connected.map_err(|error| error.to_string())?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    Ok(answer)
}

fn files(directory: &Path) -> CertificateFiles {
    CertificateFiles { certificate_file: directory.join("c.pem"), key_file: directory.join("k.pem") }
}

#[tokio::test]
async fn the_public_api_speaks_tls_and_follows_its_files() {
    let directory = directory();
    let files = files(directory.path());
    let first = write_certificate(&files);
    let mut config = config(&directory);
    config.tls = Some(files.clone());
    let control = Control::start_with(config).await;
    assert!(control.started.public_url.starts_with("https://127.0.0.1:"), "{}", control.started.public_url);
    assert!(control.started.jwks_url.starts_with(&control.started.public_url));
    assert!(get(&control, &first).await.unwrap().starts_with("HTTP/1.1 200"));

    let second = write_certificate(&files);
    eventually(|| get(&control, &second)).await;
    assert!(get(&control, &first).await.is_err());
    control.stop().await;
}

#[tokio::test]
async fn behind_a_proxy_plain_http_may_be_spoken() {
    let directory = directory();
    let mut config = config(&directory);
    config.listen = "0.0.0.0:0".parse().unwrap();
    config.behind_proxy = true;
    config.public_url = Some("https://control.example".parse().unwrap());
    config.issuer = None;
    let mut control = Control::start_with(config).await;
    assert_eq!(control.started.issuer.as_str(), "https://control.example");
    control.started.public.set_ip("127.0.0.1".parse().unwrap());
    let answer = control.public("GET", "/readyz", "").await;
    assert_eq!((answer.status, header(&answer, "x-content-type-options")), (200, Some("nosniff")));
    control.stop().await;
}
