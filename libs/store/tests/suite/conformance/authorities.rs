// SPDX-License-Identifier: Apache-2.0
//! Certificate authorities.

use cress_store::StoreErrorKind::{NotFound, Outdated};
use cress_store::control::{AuthorityRetirement, CertificateAuthorityRecord, ControlStore};
use cress_store::{CertificateFingerprint, Sealed};

use crate::support::{Fresh, at, kind};

fn candidate(byte: u8) -> CertificateAuthorityRecord {
    CertificateAuthorityRecord {
        fingerprint: CertificateFingerprint::from_bytes([byte; 32]),
        certificate_der: vec![0, 0xff, byte],
        private_key: Sealed { key_encryption_key: "kek-1".into(), bytes: (0..=255).collect() },
        created_at: at(byte.into()),
        signs_from: at(byte.into()),
        retires_at: None,
        cross_der: None,
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

fn successor(byte: u8) -> CertificateAuthorityRecord {
    CertificateAuthorityRecord { signs_from: at(1_000), cross_der: Some(vec![byte; 3]), ..candidate(byte) }
}

pub(crate) async fn one_follows_another_once(fresh: &Fresh) {
    let first = ControlStore::open(&fresh.database).await.unwrap();
    let second = ControlStore::open(&fresh.another_replica().await).await.unwrap();
    let old = candidate(1);
    first.ensure_certificate_authority(&old).await.unwrap();
    let (mine, yours) = (successor(2), successor(3));
    let (one, two) = tokio::join!(
        first.succeed_certificate_authority(old.fingerprint, &mine, at(2_000)),
        second.succeed_certificate_authority(old.fingerprint, &yours, at(2_000)),
    );
    let (done, lost) = if one.is_ok() { (one, two) } else { (two, one) };
    let done = done.unwrap();
    assert_eq!(kind(lost), Outdated);
    let retiring = CertificateAuthorityRecord { retires_at: Some(at(2_000)), ..old };
    assert!(done == [retiring.clone(), mine] || done == [retiring, yours], "{done:?}");
    assert_eq!(first.certificate_authorities().await.unwrap(), done);
}

pub(crate) async fn what_is_over_is_forgotten_and_one_remains(fresh: &Fresh) {
    let store = ControlStore::open(&fresh.database).await.unwrap();
    let (old, new) = (candidate(1), successor(2));
    store.ensure_certificate_authority(&old).await.unwrap();
    assert_eq!(store.forget_retired_certificate_authorities(at(9_000)).await.unwrap(), 0);
    store.succeed_certificate_authority(old.fingerprint, &new, at(2_000)).await.unwrap();
    assert_eq!(store.forget_retired_certificate_authorities(at(1_999)).await.unwrap(), 0);
    assert_eq!(store.forget_retired_certificate_authorities(at(2_000)).await.unwrap(), 1);
    assert_eq!(store.certificate_authorities().await.unwrap(), [new]);
}

pub(crate) async fn one_is_retired_at_once_but_never_the_only_one(fresh: &Fresh) {
    let store = ControlStore::open(&fresh.database).await.unwrap();
    let (old, new) = (candidate(1), successor(2));
    store.ensure_certificate_authority(&old).await.unwrap();
    assert_eq!(kind(store.retire_certificate_authority(new.fingerprint, at(10)).await), NotFound);
    let only = store.retire_certificate_authority(old.fingerprint, at(10)).await.unwrap();
    assert_eq!(only, AuthorityRetirement::Only);
    store.succeed_certificate_authority(old.fingerprint, &new, at(2_000)).await.unwrap();
    let vouched_for = store.retire_certificate_authority(new.fingerprint, at(10)).await.unwrap();
    assert_eq!(vouched_for, AuthorityRetirement::VouchedFor);
    assert_eq!(store.certificate_authorities().await.unwrap().len(), 2);
    let retired = store.retire_certificate_authority(old.fingerprint, at(10)).await.unwrap();
    assert_eq!(retired, AuthorityRetirement::Retired);
    let heir = CertificateAuthorityRecord { signs_from: at(10), ..new };
    assert_eq!(store.certificate_authorities().await.unwrap(), [heir]);
}
