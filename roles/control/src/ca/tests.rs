// SPDX-License-Identifier: Apache-2.0
mod forgeries;
mod rotation;

use std::sync::Arc;
use std::time::Duration;

use cress_domain::{Clock, MachineId, Secret};
use cress_keyring::{KeyEncryptionKey, KeyEncryptionKeys};
use cress_service::SystemRandom;
use cress_service::tls::fingerprint;
use cress_store::control::ControlStore;
use cress_store::{Database, DatabaseUrl};
use cress_testkit::MockClock;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::*;

const DAY: Duration = Duration::from_secs(24 * 3_600);

struct Fixture {
    store: ControlStore,
    clock: Arc<MockClock>,
    _directory: tempfile::TempDir,
}

fn key(id: &str, byte: u8) -> KeyEncryptionKey {
    KeyEncryptionKey::new(Some(id.parse().unwrap()), &Secret::new([byte; 32])).unwrap()
}

fn keys(active: KeyEncryptionKey, others: Vec<KeyEncryptionKey>) -> Arc<KeyEncryptionKeys> {
    Arc::new(KeyEncryptionKeys::new(active, others).unwrap())
}

impl Fixture {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::open(&DatabaseUrl::sqlite(directory.path().join("control.db"))).await.unwrap();
        let store = ControlStore::open(&database).await.unwrap();
        Self { store, clock: Arc::new(MockClock::default()), _directory: directory }
    }

    async fn open(&self, keys: &Arc<KeyEncryptionKeys>) -> Result<CertificateAuthority, CaError> {
        let (clock, settings) = (Arc::clone(&self.clock), RotationSettings::default());
        CertificateAuthority::open(&self.store, keys, settings, clock, Arc::new(SystemRandom)).await
    }
}

fn parts(pem: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).map(Result::unwrap).collect()
}

#[tokio::test]
async fn an_authority_is_made_once_and_kept() {
    let fixture = Fixture::new().await;
    let keys = keys(key("one", 1), Vec::new());
    let first = fixture.open(&keys).await.unwrap();
    fixture.clock.advance(DAY);
    let again = fixture.open(&keys).await.unwrap();
    assert_eq!(first.authorities_pem(), again.authorities_pem());
    assert_eq!(fixture.store.certificate_authorities().await.unwrap().len(), 1);

    let [authority] = parts(&first.authorities_pem()).try_into().unwrap();
    assert_eq!(fingerprint(&authority), first.fingerprint().unwrap());
    let (_, parsed) = X509Certificate::from_der(&authority).unwrap();
    let constraints = parsed.basic_constraints().unwrap().unwrap();
    assert!(constraints.critical && constraints.value.ca && constraints.value.path_len_constraint == Some(4));
    assert!(parsed.key_usage().unwrap().unwrap().value.key_cert_sign());
    let life = parsed.validity().not_after.timestamp() - parsed.validity().not_before.timestamp();
    assert_eq!(life, 3_652 * 24 * 3_600 + 3_600);
}

#[tokio::test]
async fn its_private_key_opens_only_with_its_key_encryption_key() {
    let fixture = Fixture::new().await;
    fixture.open(&keys(key("one", 1), Vec::new())).await.unwrap();
    for wrong in [key("one", 2), key("two", 2)] {
        let refused = fixture.open(&keys(wrong, Vec::new())).await;
        assert!(matches!(refused, Err(CaError::Envelope(_))));
    }
    let both = keys(key("two", 2), vec![key("one", 1)]);
    assert_eq!(CertificateAuthority::rewrap(&fixture.store, &both).await.unwrap(), 1);
    assert_eq!(CertificateAuthority::rewrap(&fixture.store, &both).await.unwrap(), 0);
    fixture.open(&keys(key("two", 2), Vec::new())).await.unwrap();
}

#[tokio::test]
async fn the_servers_certificate_is_renewed_before_its_end() {
    let fixture = Fixture::new().await;
    let ca = fixture.open(&keys(key("one", 1), Vec::new())).await.unwrap();
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let server = ServerCertificate::new(ca.clone(), names).unwrap();
    let identity = server.identity();
    let first = identity.chain();
    assert_eq!(first.len(), 2);
    assert_eq!(fingerprint(&first[1]), ca.fingerprint().unwrap());
    server.renew_if_due().unwrap();
    assert_eq!(identity.chain(), first);
    fixture.clock.advance(DAY);
    server.renew_if_due().unwrap();
    assert_ne!(identity.chain(), first);
    assert_eq!(identity.not_after(), Some(fixture.clock.now() + 2 * DAY));
    assert!(ServerCertificate::new(ca, vec!["not a name ä".to_owned()]).is_err());
}

#[tokio::test]
async fn no_certificate_outlives_its_authority() {
    let fixture = Fixture::new().await;
    let ca = fixture.open(&keys(key("one", 1), Vec::new())).await.unwrap();
    fixture.clock.advance(3_652 * DAY - Duration::from_secs(3_600));
    let request = rcgen::KeyPair::generate().unwrap();
    let request = rcgen::CertificateParams::default().serialize_request(&request).unwrap();
    let key = NodeKey::of_request(request.der()).unwrap();
    let validity = ca.node_validity().unwrap();
    assert_eq!(validity.not_after(), fixture.clock.now() + Duration::from_secs(3_600));
    let pem = ca.sign_node(MachineId::generate(&SystemRandom), &key, validity).unwrap();
    let [der] = parts(&pem).try_into().unwrap();
    let (_, parsed) = X509Certificate::from_der(&der).unwrap();
    assert_eq!(parsed.validity().not_after.timestamp(), validity.not_after().unix_seconds());
}
