// SPDX-License-Identifier: Apache-2.0
//! Certificate authorities.

use cress_store::StoreErrorKind::NotFound;
use cress_store::control::{CertificateAuthorityRecord, ControlStore};
use cress_store::{CertificateFingerprint, Sealed};

use crate::support::{Fresh, at, kind};

fn candidate(byte: u8) -> CertificateAuthorityRecord {
    CertificateAuthorityRecord {
        fingerprint: CertificateFingerprint::from_bytes([byte; 32]),
        certificate_der: vec![0, 0xff, byte],
        private_key: Sealed { key_encryption_key: "kek-1".into(), bytes: (0..=255).collect() },
        created_at: at(0),
    }
}

pub(crate) async fn replicas_agree_on_the_first(fresh: &Fresh) {
    let first = ControlStore::open(&fresh.database).await.unwrap();
    let second = ControlStore::open(&fresh.another_replica().await).await.unwrap();
    assert_eq!(first.certificate_authorities().await.unwrap(), []);
    let (mine, yours) = (candidate(1), candidate(2));
    let (one, two) =
        tokio::join!(first.ensure_certificate_authority(&mine), second.ensure_certificate_authority(&yours));
    let one = one.unwrap();
    assert_eq!(one, two.unwrap());
    assert!(one == [mine] || one == [yours]);
    assert_eq!(first.certificate_authorities().await.unwrap(), one);
}

pub(crate) async fn an_envelope_is_replaced(fresh: &Fresh) {
    let store = ControlStore::open(&fresh.database).await.unwrap();
    let authority = candidate(1);
    store.ensure_certificate_authority(&authority).await.unwrap();
    let sealed = Sealed { key_encryption_key: "kek-2".into(), bytes: vec![] };
    store.reseal_certificate_authority(authority.fingerprint, &sealed).await.unwrap();
    let expected = CertificateAuthorityRecord { private_key: sealed.clone(), ..authority };
    assert_eq!(store.certificate_authorities().await.unwrap(), [expected]);
    assert_eq!(kind(store.reseal_certificate_authority(candidate(2).fingerprint, &sealed).await), NotFound);
}
