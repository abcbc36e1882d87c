// SPDX-License-Identifier: Apache-2.0
//! A start where nothing is yet.

use std::fs;

use serde_json::{Value, json};

use super::matrix::{Moment, Scene, Stage};

pub(super) const FIRST: Scene =
    Scene { name: "first start", settings: &[], later_seconds: 0, prepare: None, act: |_| Ok(()), check };

fn check(stage: &Stage, _: &Value, _: Moment) {
    let keys = stage.control.list("keys").unwrap();
    let states: Vec<_> = keys.iter().map(|key| key["state"].clone()).collect();
    assert_eq!(states, [json!("active"), json!("next")], "{keys:?}");
    assert_eq!(keys[0]["key_encryption_key"], keys[1]["key_encryption_key"]);
    assert_eq!(stage.control.published().len(), 2);
    let authorities = fs::read_to_string(stage.control.data_dir().join("ca.pem")).unwrap();
    assert_eq!(authorities.matches("BEGIN CERTIFICATE").count(), 1);
    // Half a key-encryption key under another name would be one more copy to be stolen.
    let kek = fs::read_to_string(stage.control.directory().join("data.kek")).unwrap();
    let id = keys[0]["key_encryption_key"].as_str().unwrap();
    assert!(kek.contains(&format!("{id}:")), "the keys are sealed under the key in the file");
}
