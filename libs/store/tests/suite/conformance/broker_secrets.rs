// SPDX-License-Identifier: Apache-2.0
//! Secrets that are given out.

use cress_store::Sealed;
use cress_store::StoreErrorKind::{NotFound, Outdated};
use cress_store::broker::{BrokerStore, SecretVersionRecord};

use crate::support::{Fresh, at, kind};

fn version(version: u32) -> SecretVersionRecord {
    SecretVersionRecord {
        name: "mail-api".parse().unwrap(),
        version,
        field_names: vec!["account".to_owned(), "api_key".to_owned()],
        created_at: at(version.into()),
        retired_at: None,
        is_active: true,
        sealed: Sealed { key_encryption_key: "kek-1".into(), bytes: vec![7; 40] },
    }
}

async fn active(store: &BrokerStore) -> Option<u32> {
    store.active_secret("mail-api").await.unwrap().1.map(|record| record.version)
}

pub(crate) async fn versions_are_put_chosen_and_erased(fresh: &Fresh) {
    let store = BrokerStore::open(&fresh.database).await.unwrap();
    let (name, start) = (version(1).name, store.secrets_revision().await.unwrap());
    assert_eq!((active(&store).await, store.next_secret_version(&name).await.unwrap()), (None, 1));
    store.put_secret(&version(1)).await.unwrap();
    assert_eq!(store.active_secret("mail-api").await.unwrap().1, Some(version(1)));
    assert_eq!(kind(store.put_secret(&version(1)).await), Outdated);
    assert_eq!(kind(store.put_secret(&version(3)).await), Outdated);
    store.put_secret(&SecretVersionRecord { is_active: false, ..version(2) }).await.unwrap();
    assert_eq!(active(&store).await, Some(1));
    store.activate_secret(&name, 2).await.unwrap();
    assert_eq!(active(&store).await, Some(2));
    assert!(store.secrets_revision().await.unwrap() >= start + 3);

    store.retire_secret(&name, 2, at(9)).await.unwrap();
    store.retire_secret(&name, 2, at(10)).await.unwrap();
    assert_eq!(active(&store).await, None);
    assert_eq!(kind(store.activate_secret(&name, 2).await), NotFound);
    assert_eq!(kind(store.activate_secret(&name, 7).await), NotFound);
    assert_eq!(kind(store.retire_secret(&name, 7, at(9)).await), NotFound);
    assert_eq!(active(&store).await, None);
    let versions = store.secret_versions().await.unwrap();
    let kept: Vec<_> = versions.iter().map(|kept| (kept.version, kept.retired_at, kept.sealed.bytes.len())).collect();
    assert_eq!(kept, [(1, None, 40), (2, Some(at(9)), 0)]);
    assert_eq!(store.next_secret_version(&name).await.unwrap(), 3, "a number is never used again");
}

pub(crate) async fn a_version_is_sealed_anew_unless_it_was_retired(fresh: &Fresh) {
    let store = BrokerStore::open(&fresh.database).await.unwrap();
    let sealed = Sealed { key_encryption_key: "kek-2".into(), bytes: vec![8; 40] };
    for number in [1, 2] {
        store.put_secret(&version(number)).await.unwrap();
    }
    store.retire_secret(&version(1).name, 1, at(9)).await.unwrap();
    for number in [1, 2] {
        store.reseal_secret(&version(number), &sealed).await.unwrap();
    }
    let versions = store.secret_versions().await.unwrap();
    assert_eq!(versions[0].sealed.bytes, Vec::<u8>::new());
    assert_eq!(versions[1].sealed, sealed);
}
