// SPDX-License-Identifier: Apache-2.0
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cress_domain::{Clock, Secret, Timestamp};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::{ClientConfig, ServerConfig};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_stream::StreamExt;

use super::*;
use crate::Shutdown;
use crate::listen::{Address, Limits, Listener, Server};

/// The year in which the tests run, and in which good certificates are valid.
const YEAR: i32 = 2030;
const LONG: Duration = Duration::from_secs(20);

#[derive(Debug)]
struct FixedClock(Mutex<Timestamp>);

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

fn clock() -> Arc<FixedClock> {
    let now = Timestamp::parse_rfc3339(&format!("{YEAR}-06-01T00:00:00Z")).unwrap();
    Arc::new(FixedClock(Mutex::new(now)))
}

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: Vec<u8>,
}

#[derive(Clone)]
struct Leaf {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

fn authority(name: &str) -> Authority {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    let certificate = params.self_signed(&key).unwrap().der().to_vec();
    Authority { issuer: Issuer::new(params, key), certificate }
}

impl Authority {
    fn leaf(&self, name: &str, years: (i32, i32)) -> Leaf {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.not_before, params.not_after) = (date_time_ymd(years.0, 1, 1), date_time_ymd(years.1, 1, 1));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &self.issuer).unwrap().der().to_vec();
        Leaf { certificate, key: key.serialize_der() }
    }

    fn good(&self) -> Leaf {
        self.leaf("localhost", (YEAR, YEAR + 1))
    }

    fn roots(&self) -> Roots {
        Roots::from_der(std::slice::from_ref(&self.certificate)).unwrap()
    }
}

impl Leaf {
    fn identity(&self, above: &[&Authority]) -> Identity {
        let mut chain = vec![self.certificate.clone()];
        chain.extend(above.iter().map(|authority| authority.certificate.clone()));
        Identity::from_der(&chain, &Secret::new(self.key.clone()), clock().as_ref()).unwrap()
    }

    fn pem(&self) -> (String, String) {
        let encode = |label: &str, der: &[u8]| {
            use std::fmt::Write;
            let mut text = String::new();
            for line in base64(der).as_bytes().chunks(64) {
                writeln!(text, "{}", std::str::from_utf8(line).unwrap()).unwrap();
            }
            format!("-----BEGIN {label}-----\n{text}-----END {label}-----\n")
        };
        (encode("CERTIFICATE", &self.certificate), encode("PRIVATE KEY", &self.key))
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let mut group = [0; 3];
        group[..chunk.len()].copy_from_slice(chunk);
        let number = u32::from_be_bytes([0, group[0], group[1], group[2]]);
        for index in 0..4 {
            let digit = DIGITS[(number >> (18 - 6 * index)) as usize & 63] as char;
            text.push(if index > chunk.len() { '=' } else { digit });
        }
    }
    text
}

fn server_config(identity: Identity, clients: ClientCertificates) -> Arc<ServerConfig> {
    ServerTls { identity, clients, protocol: Protocol::Http2, clock: clock() }.config().unwrap()
}

fn client_config(servers: ServerTrust, identity: Identity) -> Arc<ClientConfig> {
    ClientTls { servers, identity, protocol: Protocol::Http2, clock: clock() }.config().unwrap()
}

/// Answers each connection with the number of certificates that its client showed.
async fn run(config: Arc<ServerConfig>) -> (SocketAddr, Shutdown) {
    run_within(config, Limits { handshake_timeout_seconds: 1, ..Limits::default() }).await
}

async fn run_within(config: Arc<ServerConfig>, limits: Limits) -> (SocketAddr, Shutdown) {
    let listener = Listener::tcp("127.0.0.1:0".parse().unwrap(), "--listen").await.unwrap();
    let Address::Tcp(address) = *listener.address() else { unreachable!() };
    let shutdown = Shutdown::default();
    let mut incoming = Server::new(listener).tls(Some(config)).limits(limits).incoming(&shutdown);
    tokio::spawn(async move {
        while let Some(Ok(mut connection)) = incoming.next().await {
            let shown = connection.peer().certificates.as_ref().map_or(0, |chain| chain.len());
            connection.write_all(shown.to_string().as_bytes()).await.ok();
            connection.shutdown().await.ok();
        }
    });
    (address, shutdown)
}

async fn call(address: SocketAddr, config: &Arc<ClientConfig>, name: &str) -> std::io::Result<String> {
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut stream = TlsConnector::from(Arc::clone(config)).connect(name, stream).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    Ok(answer)
}

#[tokio::test]
async fn clients_prove_themselves_as_the_server_demands() {
    let (ours, foreign) = (authority("ours"), authority("foreign"));
    let none = Identity::none;
    let good = || ours.good().identity(&[]);
    let from_abroad = || foreign.good().identity(&[]);
    let ended = || {
        let leaf = ours.leaf("localhost", (YEAR - 2, YEAR - 1));
        let chain = vec![leaf.certificate];
        let at_its_time =
            FixedClock(Mutex::new(Timestamp::parse_rfc3339(&format!("{}-06-01T00:00:00Z", YEAR - 2)).unwrap()));
        Identity::from_der(&chain, &Secret::new(leaf.key), &at_its_time).unwrap()
    };
    let cases: [(ClientCertificates, Identity, Option<&str>); 9] = [
        (ClientCertificates::Ignored, none(), Some("0")),
        (ClientCertificates::Ignored, good(), Some("0")),
        (ClientCertificates::Optional(ours.roots()), none(), Some("0")),
        (ClientCertificates::Optional(ours.roots()), good(), Some("1")),
        (ClientCertificates::Optional(ours.roots()), from_abroad(), None),
        (ClientCertificates::Required(ours.roots()), none(), None),
        (ClientCertificates::Required(ours.roots()), good(), Some("1")),
        (ClientCertificates::Required(ours.roots()), from_abroad(), None),
        (ClientCertificates::Required(ours.roots()), ended(), None),
    ];
    for (clients, identity, expected) in cases {
        let what = format!("{clients:?} {identity:?}");
        let (address, shutdown) = run(server_config(good(), clients)).await;
        let config = client_config(ServerTrust::Roots(ours.roots()), identity);
        assert_eq!(call(address, &config, "localhost").await.ok().as_deref(), expected, "{what}");
        shutdown.request();
    }
}

#[tokio::test]
async fn a_server_is_known_by_its_authority_and_name() {
    let (ours, foreign) = (authority("ours"), authority("foreign"));
    let pin = |authority: &Authority| ServerTrust::PinnedAuthority(fingerprint(&authority.certificate));
    let roots = |authority: &Authority| ServerTrust::Roots(authority.roots());
    let leaf = ours.good();
    let cases = [
        (leaf.identity(&[]), roots(&ours), "localhost", true),
        (leaf.identity(&[]), roots(&foreign), "localhost", false),
        (leaf.identity(&[]), roots(&ours), "elsewhere", false),
        (leaf.identity(&[&ours]), pin(&ours), "localhost", true),
        (leaf.identity(&[&foreign, &ours]), pin(&ours), "localhost", true),
        (leaf.identity(&[&ours]), pin(&foreign), "localhost", false),
        (leaf.identity(&[&ours]), pin(&ours), "elsewhere", false),
        // Without the authority in the chain there is nothing to compare.
        (leaf.identity(&[]), pin(&ours), "localhost", false),
        // An impostor may show the right authority, but has no certificate of it.
        (foreign.good().identity(&[&ours]), pin(&ours), "localhost", false),
        (foreign.good().identity(&[&foreign, &ours]), pin(&ours), "localhost", false),
        // A pin of the server's own certificate is no pin of an authority.
        (leaf.identity(&[&ours]), ServerTrust::PinnedAuthority(fingerprint(&leaf.certificate)), "localhost", false),
    ];
    for (index, (identity, trust, name, expected)) in cases.into_iter().enumerate() {
        let (address, shutdown) = run(server_config(identity, ClientCertificates::Ignored)).await;
        let answer = call(address, &client_config(trust, Identity::none()), name).await;
        assert_eq!(answer.is_ok(), expected, "case {index}: {answer:?}");
        shutdown.request();
    }
}

#[tokio::test]
async fn identities_and_roots_change_while_the_server_runs() {
    let (old, new) = (authority("old"), authority("new"));
    let (identity, roots) = (old.good().identity(&[]), old.roots());
    let (address, _shutdown) = run(server_config(identity.clone(), ClientCertificates::Required(roots.clone()))).await;
    let trusting = |server: &Authority, client: &Authority| {
        client_config(ServerTrust::Roots(server.roots()), client.good().identity(&[]))
    };
    assert!(call(address, &trusting(&old, &old), "localhost").await.is_ok());

    roots.replace(std::slice::from_ref(&new.certificate)).unwrap();
    assert!(call(address, &trusting(&old, &old), "localhost").await.is_err());
    assert!(call(address, &trusting(&old, &new), "localhost").await.is_ok());

    let leaf = new.good();
    identity.replace(&[leaf.certificate], &Secret::new(leaf.key), clock().as_ref()).unwrap();
    assert!(call(address, &trusting(&old, &new), "localhost").await.is_err());
    assert!(call(address, &trusting(&new, &new), "localhost").await.is_ok());
    assert!(roots.replace(&[]).is_err());
}

#[tokio::test]
async fn a_silent_client_is_dropped_and_delays_nobody() {
    let ours = authority("ours");
    let (address, _shutdown) = run(server_config(ours.good().identity(&[]), ClientCertificates::Ignored)).await;
    let mut silent = TcpStream::connect(address).await.unwrap();
    let config = client_config(ServerTrust::Roots(ours.roots()), Identity::none());
    assert_eq!(call(address, &config, "localhost").await.unwrap(), "0");
    assert_eq!(silent.read(&mut [0]).await.unwrap_or(0), 0);
}

#[test]
fn bad_pairs_have_a_sentence() {
    let ours = authority("ours");
    let good = ours.good();
    let load = |leaf: &Leaf| {
        Identity::from_der(std::slice::from_ref(&leaf.certificate), &Secret::new(leaf.key.clone()), clock().as_ref())
            .map(|_| ())
            .unwrap_err()
            .to_string()
    };
    let mixed = Leaf { key: ours.good().key, ..good.clone() };
    let cases = [
        (
            load(&ours.leaf("localhost", (YEAR - 2, YEAR - 1))),
            "the certificate expired at 2029-01-01T00:00:00Z; renew it",
        ),
        (
            load(&ours.leaf("localhost", (YEAR + 1, YEAR + 2))),
            "the certificate is not valid before 2031-01-01T00:00:00Z;",
        ),
        (load(&mixed), "the private key does not belong to the certificate;"),
        (
            load(&Leaf { certificate: vec![1, 2, 3], ..good.clone() }),
            "expected an X.509 certificate, got something else:",
        ),
        (load(&Leaf { key: vec![1, 2, 3], ..good }), "expected an ECDSA P-256,"),
    ];
    for (message, expected) in cases {
        assert!(message.starts_with(expected), "{message}");
    }
}

#[test]
fn files_are_followed_and_bad_ones_ignored() {
    let ours = authority("ours");
    let directory = tempfile::tempdir().unwrap();
    let files = CertificateFiles {
        certificate_file: directory.path().join("server.pem"),
        key_file: directory.path().join("server.key"),
    };
    let write = |certificate: &str, key: &str| {
        std::fs::write(&files.certificate_file, certificate).unwrap();
        std::fs::write(&files.key_file, key).unwrap();
    };
    let load = || FileIdentity::load(files.clone(), clock());
    assert!(load().unwrap_err().to_string().ends_with("server.pem: it does not exist"));
    write("", "");
    assert!(load().unwrap_err().to_string().contains("server.key: expected at least one certificate in PEM"));

    let (first, second) = (ours.good(), ours.good());
    write(&first.pem().0, "");
    assert!(load().unwrap_err().to_string().contains("expected one private key in PEM"));
    write(&first.pem().0, &second.pem().1);
    assert!(load().unwrap_err().to_string().contains("does not belong"));

    write(&first.pem().0, &first.pem().1);
    let mut loaded = load().unwrap();
    let chain = |loaded: &FileIdentity| loaded.identity().chain()[0].to_vec();
    assert!(!loaded.reload().unwrap());
    write(&second.pem().0, &second.pem().1);
    assert!(loaded.reload().unwrap());
    assert_eq!(chain(&loaded), second.certificate);
    assert_eq!(loaded.identity().not_after().unwrap().to_string(), "2031-01-01T00:00:00Z");

    write(&first.pem().0, &second.pem().1);
    assert!(loaded.reload().is_err());
    assert!(!loaded.reload().unwrap(), "one report is enough");
    std::fs::remove_file(&files.key_file).unwrap();
    assert!(loaded.reload().is_err());
    assert_eq!(chain(&loaded), second.certificate);
    write(&first.pem().0, &first.pem().1);
    assert!(loaded.reload().unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_watched_identity_changes_by_itself() {
    let ours = authority("ours");
    let directory = tempfile::tempdir().unwrap();
    let files = CertificateFiles {
        certificate_file: directory.path().join("server.pem"),
        key_file: directory.path().join("server.key"),
    };
    let write = |leaf: &Leaf| {
        std::fs::write(&files.certificate_file, leaf.pem().0).unwrap();
        std::fs::write(&files.key_file, leaf.pem().1).unwrap();
    };
    write(&ours.good());
    let loaded = FileIdentity::load(files.clone(), clock()).unwrap();
    let identity = loaded.identity().clone();
    let shutdown = Shutdown::default();
    loaded.watch(&shutdown);
    let renewed = ours.good();
    write(&renewed);
    let deadline = tokio::time::Instant::now() + Duration::from_mins(1);
    while identity.chain()[0].to_vec() != renewed.certificate {
        assert!(tokio::time::Instant::now() < deadline);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    shutdown.request();
    assert_eq!(shutdown.drain().await, crate::shutdown::Drained::Complete);
}

#[tokio::test]
async fn silent_clients_of_one_address_take_few_places() {
    let ours = authority("ours");
    // A quarter of these may be unfinished, and a quarter of that of one address.
    let limits = Limits { connections_max: 96, handshake_timeout_seconds: 60, ..Limits::default() };
    let (address, shutdown) =
        run_within(server_config(ours.good().identity(&[]), ClientCertificates::Ignored), limits).await;
    let mut silent = Vec::new();
    for _ in 0..6 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    let mut one_more = TcpStream::connect(address).await.unwrap();
    let read = tokio::time::timeout(LONG, one_more.read(&mut [0])).await.expect("closed at once");
    assert_eq!(read.unwrap_or(0), 0);

    let elsewhere = tokio::net::TcpSocket::new_v4().unwrap();
    elsewhere.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let stream = elsewhere.connect(address).await.unwrap();
    let client = client_config(ServerTrust::Roots(ours.roots()), Identity::none());
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(client).connect(name, stream).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, "0");

    drop(silent);
    let deadline = tokio::time::timeout(LONG, async {
        let client = client_config(ServerTrust::Roots(ours.roots()), Identity::none());
        while call(address, &client, "localhost").await.is_err() {}
    });
    deadline.await.expect("the places are free again");
    shutdown.request();
}
