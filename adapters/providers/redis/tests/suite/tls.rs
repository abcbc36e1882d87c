// SPDX-License-Identifier: Apache-2.0
//! TLS in both directions.

use cress_testkit::redis::{Accounts, Flavour, RedisServer};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use super::site::{Site, field};

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap())
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for a name, and its key.
    fn certify(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::new(vec![name.to_owned()]).unwrap();
        // OpenSSL takes a certificate with its authority's name for one that is signed by itself.
        parameters.distinguished_name.push(DnType::CommonName, name);
        let certificate = parameters.signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}

const LINES: [&str; 5] = [
    "port 0",
    "tls-port {port}",
    "tls-ca-cert-file {directory}/ca.pem",
    "tls-cert-file {directory}/server.pem\ntls-key-file {directory}/server-key.pem",
    "tls-auth-clients yes",
];

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_prove_who_they_are() {
    let authority = Authority::new();
    let (certificate, key) = authority.certify("127.0.0.1");
    let files = [("ca.pem", authority.pem()), ("server.pem", certificate), ("server-key.pem", key)];
    let files: Vec<_> = files.iter().map(|(name, content)| (*name, content.as_str())).collect();
    let server = RedisServer::start_with(Flavour::Redis, Accounts::ConfigFile, &LINES, &files);
    let settings = format!(
        "nodes = ['{}']\ntimeout_seconds = 2\n[tls]\nca = 'file:/ca'\ncertificate = 'file:/certificate'\nkey = 'file:/key'",
        server.address()
    );
    let site = Site::new(&settings);

    let (own_certificate, own_key) = authority.certify("broker.example");
    let stranger = Authority::new();
    let (strange_certificate, strange_key) = stranger.certify("broker.example");
    for (ca, certificate, key, expected) in [
        (stranger.pem(), own_certificate.clone(), own_key.clone(), Err("certificate")),
        (authority.pem(), strange_certificate, strange_key, Err("is away")),
        ("no certificate".to_owned(), own_certificate.clone(), own_key.clone(), Err("tls.ca")),
        (authority.pem(), own_certificate, own_key, Ok(())),
    ] {
        site.secrets.set("file:/ca", Some(&ca));
        site.secrets.set("file:/certificate", Some(&certificate));
        site.secrets.set("file:/key", Some(&key));
        // A node is not tried again within a second after it was away.
        tokio::time::sleep(std::time::Duration::from_millis(1_050)).await;
        match (site.credential.issue(&site.grant()).await, expected) {
            (Ok(issued), Ok(())) => {
                assert_eq!(field(&issued, "tls"), "true");
                assert!(field(&issued, "url").starts_with("rediss://"));
            }
            (Err(error), Err(expected)) => {
                assert!(error.to_string().contains(expected), "expected {expected:?}: {error}");
                assert!(!error.to_string().contains("PRIVATE KEY"), "{error}");
            }
            (got, _) => panic!("{expected:?}: {got:?}"),
        }
    }
}
