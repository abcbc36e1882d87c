// SPDX-License-Identifier: Apache-2.0
//! Whom the provider talks to: the server of the certificate that it was told to trust, and nobody else.

use cress_provider::ProviderErrorKind;
use cress_testkit::postgres::{Postgres, Version};
use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};

use crate::site::{Site, ask_for_passwords};

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A certificate and its key.
    fn certify(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}

#[tokio::test]
async fn a_server_is_believed_by_its_certificate_alone() {
    let (authority, other) = (Authority::new(), Authority::new());
    let folder = tempfile::tempdir().unwrap();
    let root = |name: &str, authority: &Authority| {
        let path = folder.path().join(name);
        std::fs::write(&path, authority.0.pem()).unwrap();
        path.display().to_string()
    };
    let (good, bad) = (root("good.pem", &authority), root("bad.pem", &other));
    let (here, elsewhere) = (server(&authority.certify("127.0.0.1")), server(&authority.certify("db.example")));
    for (server, roots, tls, believed) in [
        (here, &good, "verify-full", true),
        (here, &bad, "verify-full", false),
        (elsewhere, &good, "verify-full", false),
        (elsewhere, &good, "verify-ca", true),
        (elsewhere, &bad, "verify-ca", false),
    ] {
        let site = Site::at(server, &format!("tls = \"{tls}\"\nroot_certificates = \"{roots}\""));
        let checked = site.provider.check().await;
        assert_eq!(checked.is_ok(), believed, "{tls}: {checked:?}");
        if let Err(error) = checked {
            assert_eq!(error.kind(), ProviderErrorKind::Unavailable);
            assert!(error.to_string().contains("certificate") || error.to_string().contains("TLS"), "{error}");
        }
    }
}

#[tokio::test]
async fn a_server_without_tls_is_not_spoken_to_where_certificates_are_asked_for() {
    let server = Box::leak(Box::new(Postgres::start(Version::V15)));
    ask_for_passwords(server);
    let site = Site::at(server, "tls = \"verify-full\"");
    assert_eq!(site.provider.check().await.unwrap_err().kind(), ProviderErrorKind::Unavailable);
}

fn server((certificate, key): &(String, String)) -> &'static Postgres {
    let server = Box::leak(Box::new(Postgres::start(Version::V15)));
    server.put("server.crt", certificate.as_bytes());
    server.put("server.key", key.as_bytes());
    server.sql("postgres", "ALTER SYSTEM SET ssl = on");
    ask_for_passwords(server);
    server
}
