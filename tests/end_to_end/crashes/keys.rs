// SPDX-License-Identifier: Apache-2.0
//! Signing keys: a rotation that is due, one by the operator, and an emergency.

use serde_json::{Value, json};

use super::matrix::{Moment, Scene, Stage};
use super::sites::{KEY_FILE, NEW, OLD, Store};

const DAY: u32 = 24 * 3_600;

/// Eight days after the first start the second key signs, and a third is due.
pub(super) const DUE: Scene = Scene {
    name: "due rotation",
    settings: &[],
    later_seconds: 8 * DAY,
    prepare: Some(|stage| note_keys(stage)),
    act: |stage| {
        let signing = |keys: Vec<Value>| (keys.len() == 3 && keys[1]["state"] == "active").then_some(());
        stage.until("the third key", |control| Ok(signing(control.list("keys")?)))
    },
    check: |stage, before, _| {
        let keys = keys(stage);
        assert_continuous(&keys, before, 3);
        assert_eq!(signer(&keys), before["next"]);
    },
};

pub(super) const ROTATION: Scene = Scene {
    name: "rotation by the operator",
    settings: &[("CRESS_CONTROL_SCHEDULE__ACTIVE_SECONDS", "1814400")],
    later_seconds: 8 * DAY,
    prepare: Some(|stage| note_keys(stage)),
    act: |stage| match stage.control.ask(&["keys", "rotate"]) {
        // Done before the crash: the key after it has not been public for long enough.
        Err(error) if error.contains("lead time") || error.contains("public") => Ok(()),
        answer => answer.map(drop),
    },
    check: |stage, before, moment| {
        let keys = keys(stage);
        let rotated = signer(&keys) == before["next"];
        assert!(rotated || signer(&keys) == before["active"]);
        assert!(rotated || moment == Moment::AfterCrash, "{keys:?}");
        assert_continuous(&keys, before, if rotated { 3 } else { 2 });
    },
};

pub(super) const REVOCATION: Scene = Scene {
    name: "emergency revocation",
    settings: &[],
    later_seconds: 0,
    prepare: Some(|stage| note_keys(stage)),
    act: |stage| {
        let active = stage.control.list("keys")?.first().map(|key| key["kid"].as_str().unwrap().to_owned());
        stage.control.ask(&["keys", "revoke", &active.unwrap()]).map(drop)
    },
    check: |stage, before, moment| {
        let (keys, published) = (keys(stage), stage.control.published());
        let revoked: Vec<_> = keys.iter().filter(|key| key["state"] == "revoked").collect();
        assert!(revoked.len() == 1 || moment == Moment::AfterCrash && revoked.is_empty(), "{keys:?}");
        assert!(published.contains(&text(&before["next"])));
        assert_eq!(published.len(), 2, "the revoked key has one successor: {keys:?}");
        if let [key] = revoked.as_slice() {
            assert_eq!(key["kid"], before["active"]);
            assert!(!published.contains(&text(&before["active"])));
            assert_eq!((signer(&keys), keys.len()), (before["next"].clone(), 3));
        } else {
            assert_eq!((signer(&keys), keys.len()), (before["active"].clone(), 2));
        }
    },
};

/// Another key-encryption key: made by control in its own file, or given by the operator.
pub(super) const KEY_ENCRYPTION: Scene = Scene {
    name: "rotation of the key-encryption key",
    settings: &[],
    later_seconds: 0,
    prepare: Some(|stage| {
        let mut notes = note_keys(stage);
        notes["old"] = keys(stage)[0]["key_encryption_key"].clone();
        notes
    }),
    act: |stage| match stage.site.store {
        Store::Postgres => {
            std::fs::write(key_file(stage), format!("{NEW}\n{OLD}\n")).unwrap();
            stage.control.ask(&["kek", "rotate"]).map(drop)
        }
        Store::Sqlite => match stage.control.list("kek")?.as_slice() {
            // A single one that is not the first one: it was done before the crash.
            [only] if stage.rotated_from.as_ref().is_some_and(|old| only["id"] != *old) => Ok(()),
            keys => {
                stage.rotated_from.get_or_insert_with(|| keys[0]["id"].clone());
                stage.control.ask(&["kek", "rotate", "--new"]).map(drop)
            }
        },
    },
    check: |stage, before, moment| {
        let (keys, keks) = (keys(stage), stage.control.list("kek").unwrap());
        assert_continuous(&keys, before, 2);
        assert_eq!(signer(&keys), before["active"]);
        let file = std::fs::read_to_string(key_file(stage)).unwrap();
        for kek in &keks {
            let has_it = file.contains(&format!("{}:", text(&kek["id"])));
            assert!(has_it || kek["seals"] == 0, "private keys are sealed under a key that is nowhere: {keks:?}");
            assert_eq!(kek["here"], has_it, "{keks:?}");
            let is_old = kek["id"] == before["old"];
            assert!(moment == Moment::AfterCrash || is_old == (kek["seals"] == 0), "{keks:?}");
        }
        let sealed: u64 = keks.iter().map(|kek| kek["seals"].as_u64().unwrap()).sum();
        assert_eq!(sealed, 3, "two signing keys and an authority: {keks:?}");
        let removed = stage.site.store == Store::Sqlite && moment == Moment::Done;
        assert!(!removed || keks.len() == 1, "{keks:?}");
    },
};

fn key_file(stage: &Stage) -> std::path::PathBuf {
    stage.control.directory().join(KEY_FILE)
}

pub(super) fn note_keys(stage: &Stage) -> Value {
    let keys = keys(stage);
    json!({ "active": keys[0]["kid"], "next": keys[1]["kid"] })
}

fn keys(stage: &Stage) -> Vec<Value> {
    stage.control.list("keys").unwrap()
}

fn signer(keys: &[Value]) -> Value {
    let active: Vec<_> = keys.iter().filter(|key| key["state"] == "active").collect();
    assert_eq!(active.len(), 1, "{keys:?}");
    active[0]["kid"].clone()
}

/// Nothing that was published is gone, and no more keys were born than one.
fn assert_continuous(keys: &[Value], before: &Value, expected: usize) {
    assert_eq!(keys.len(), expected, "{keys:?}");
    assert_eq!((&keys[0]["kid"], &keys[1]["kid"]), (&before["active"], &before["next"]));
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
