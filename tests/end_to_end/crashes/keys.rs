// SPDX-License-Identifier: Apache-2.0
//! Signing keys: a rotation that is due, one by the operator, and an emergency.

use serde_json::{Value, json};

use super::matrix::{Moment, Scene, Stage};

const DAY: u32 = 24 * 3_600;

/// Eight days after the first start the second key signs, and a third is due.
pub(super) const DUE: Scene = Scene {
    name: "due rotation",
    settings: &[],
    later_seconds: 8 * DAY,
    prepare: Some(note_keys),
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
    prepare: Some(note_keys),
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
    prepare: Some(note_keys),
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
