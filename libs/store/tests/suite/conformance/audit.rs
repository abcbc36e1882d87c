// SPDX-License-Identifier: Apache-2.0
//! Records of decisions: lines kept to the byte, and the keys that vouch for them.

use cress_store::Sealed;
use cress_store::audit::{AuditKeyRecord, AuditLine, AuditStore};

use crate::support::{Fresh, at};

async fn open(fresh: &Fresh) -> AuditStore {
    AuditStore::open(&fresh.database).await.unwrap()
}

/// As hostile as a tenant's strings can make them.
fn lines(from: u64, count: u64) -> Vec<AuditLine> {
    let line = |seq| AuditLine { seq, line: format!(r#"{{"seq":{seq},"name":"ä \u0000 ' ; -- $1 %"}}"#) };
    (from..from + count).map(line).collect()
}

async fn all(store: &AuditStore, chain: &str) -> Vec<AuditLine> {
    let mut found = Vec::new();
    loop {
        let from = found.last().map_or(0, |line: &AuditLine| line.seq + 1);
        let page = store.lines(chain, from).await.unwrap();
        if page.is_empty() {
            return found;
        }
        found.extend(page);
    }
}

pub(crate) async fn lines_are_kept_to_the_byte_and_once(fresh: &Fresh) {
    let store = open(fresh).await;
    // More than a page, and of every size of statement.
    store.append("one", at(0), &lines(0, 1_357)).await.unwrap();
    store.append("two", at(1), &lines(0, 1)).await.unwrap();
    // As after a call whose outcome was unknown.
    store.append("one", at(0), &lines(1_300, 100)).await.unwrap();
    assert_eq!(all(&store, "one").await, lines(0, 1_400));
    assert_eq!(store.line("one", 1_399).await.unwrap(), Some(lines(1_399, 1)[0].line.clone()));
    assert_eq!(store.line("one", 1_400).await.unwrap(), None);
    let chains = store.chains().await.unwrap();
    let shown: Vec<_> = chains.iter().map(|chain| (chain.chain.as_str(), chain.begun_at, chain.last_seq)).collect();
    assert_eq!(shown, [("one", at(0), 1_399), ("two", at(1), 0)]);
    assert_eq!(store.latest_chains(1).await.unwrap(), chains[1..]);
    assert!(store.unlisted_chains().await.unwrap().is_empty());
}

pub(crate) async fn keys_are_added_once_and_sealed_anew(fresh: &Fresh) {
    let store = open(fresh).await;
    let key = |name: &str, byte: u8| AuditKeyRecord {
        name: name.into(),
        made_at: at(i64::from(byte)),
        public_jwk: (byte > 1).then(|| format!(r#"{{"kid":"{name}"}}"#)),
        key: Sealed { key_encryption_key: "kek-1".into(), bytes: vec![byte; 3] },
    };
    store.add_keys(&[key("hash", 1), key("signing", 2)]).await.unwrap();
    // Of two replicas one was faster.
    store.add_keys(&[key("hash", 9), key("other", 3)]).await.unwrap();
    assert_eq!(store.keys().await.unwrap(), [key("hash", 1), key("signing", 2), key("other", 3)]);
    let sealed = Sealed { key_encryption_key: "kek-2".into(), bytes: vec![7] };
    store.reseal_keys(&[("signing".into(), sealed.clone())]).await.unwrap();
    assert_eq!(store.keys().await.unwrap()[1], AuditKeyRecord { key: sealed, ..key("signing", 2) });
}
