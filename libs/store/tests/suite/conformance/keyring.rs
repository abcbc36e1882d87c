// SPDX-License-Identifier: Apache-2.0
//! Key rings.

use cress_store::Sealed;
use cress_store::StoreErrorKind::{Conflict, Outdated};
use cress_store::keyring::{KeyRecord, KeyRingStore, RingName, RingRecord};

use crate::support::{Fresh, at, kind};

pub(crate) const WORKLOAD: RingName = RingName::new("workload");
const REVOCATIONS: RingName = RingName::new("revocations");

pub(crate) fn key(kid: &str, created: i64) -> KeyRecord {
    KeyRecord {
        kid: kid.parse().unwrap(),
        created_at: at(created),
        signs_from: at(created + 10),
        signs_until: at(created + 20),
        published_until: at(created + 30),
        revoked_at: (created > 100).then(|| at(created + 1)),
        public_jwk: r#"{"kty":"EC"}"#.into(),
        private_key: Sealed { key_encryption_key: "kek-1".into(), bytes: (0..=255).collect() },
    }
}

pub(crate) async fn a_ring_is_kept_whole(fresh: &Fresh) {
    let store = KeyRingStore::open(&fresh.database).await.unwrap();
    let empty = store.load(WORKLOAD).await.unwrap();
    assert_eq!(empty, RingRecord::default());

    let (old, young, revoked) = (key("b", 0), key("a", 0), key("c", 200));
    let version = store.replace(WORKLOAD, empty.version, &[revoked.clone(), old.clone(), young.clone()]).await.unwrap();
    let keys = vec![young, old.clone(), revoked.clone()];
    assert_eq!(store.load(WORKLOAD).await.unwrap(), RingRecord { version, keys });

    let resealed = KeyRecord { private_key: Sealed { key_encryption_key: "kek-2".into(), bytes: vec![1] }, ..old };
    let next = store.replace(WORKLOAD, version, &[resealed.clone(), revoked.clone()]).await.unwrap();
    assert!(next > version);
    assert_eq!(store.version(WORKLOAD).await.unwrap(), next);
    assert_eq!(store.load(WORKLOAD).await.unwrap().keys, [resealed, revoked]);
}

pub(crate) async fn rings_are_apart(fresh: &Fresh) {
    let store = KeyRingStore::open(&fresh.database).await.unwrap();
    store.replace(WORKLOAD, Default::default(), &[key("a", 0)]).await.unwrap();
    store.replace(REVOCATIONS, Default::default(), &[key("a", 0), key("b", 0)]).await.unwrap();
    assert_eq!(store.load(WORKLOAD).await.unwrap().keys, [key("a", 0)]);
    assert_eq!(store.load(REVOCATIONS).await.unwrap().keys.len(), 2);
}

pub(crate) async fn a_swap_needs_the_version(fresh: &Fresh) {
    let store = KeyRingStore::open(&fresh.database).await.unwrap();
    let first = store.replace(WORKLOAD, Default::default(), &[key("a", 0)]).await.unwrap();
    assert_eq!(kind(store.replace(WORKLOAD, Default::default(), &[key("b", 0)]).await), Outdated);
    assert_eq!(kind(store.replace(WORKLOAD, first, &[key("b", 0), key("b", 1)]).await), Conflict);
    let kept = store.load(WORKLOAD).await.unwrap();
    assert_eq!((kept.version, kept.keys), (first, vec![key("a", 0)]));
}
