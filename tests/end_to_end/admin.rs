// SPDX-License-Identifier: Apache-2.0
//! `cress admin`: what it does, and how it refuses.

use cress_tests::{Control, cress, eventually, get};
use serde_json::json;

fn refused(control: &Control, arguments: &[&str]) -> String {
    let data_dir = control.data_dir().display().to_string();
    let output = cress(&[&["admin", "--data-dir", &data_dir], arguments].concat()).output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {errors}");
    assert_eq!(errors.lines().count(), 1, "{errors}");
    errors
}

#[test]
fn the_fleet_is_managed_by_names() {
    let control = Control::start();
    let organization = control.admin(&["organizations", "create", "acme"]);
    assert_eq!(control.admin(&["organizations", "list"]), json!([organization]));
    control.admin(&["projects", "create", "--organization", "acme", "vision"]);
    assert!(refused(&control, &["organizations", "create", "acme"]).contains("acme"));
    assert!(refused(&control, &["projects", "list", "--organization", "nobody"]).contains("nobody"));
    assert!(refused(&control, &["organizations", "delete", "acme"]).contains("project"));
    control.admin(&["projects", "delete", "--organization", "acme", "vision"]);
    control.admin(&["organizations", "delete", "acme"]);
    assert_eq!(control.admin(&["organizations", "list"]), json!([]));
}

#[test]
fn a_group_whose_token_would_be_too_long_is_refused_by_how_much() {
    let control = Control::start();
    control.admin(&["organizations", "create", "acme"]);
    control.admin(&["projects", "create", "--organization", "acme", "default"]);
    let file = control.directory().join("definition.json");
    let definition = json!({"replicas": 1, "command": ["true"], "extra_claims": {"note": "x".repeat(500)}});
    std::fs::write(&file, definition.to_string()).unwrap();
    let file = file.display().to_string();
    let create = ["groups", "create", "--organization", "acme", "--project", "default", "--file", &file, "worker"];
    let said = refused(&control, &create);
    assert!(said.contains("1000") || said.contains("1,000"), "{said}");
    std::fs::write(&file, r#"{"replicas": 1, "command": ["true"], "extra_claims": {"aud": "x"}}"#).unwrap();
    assert!(refused(&control, &create).contains("reserved"));
    std::fs::write(&file, r#"{"replicas": 1, "commandd": ["true"]}"#).unwrap();
    assert!(refused(&control, &create).contains("commandd"));
}

#[test]
fn keys_are_listed_rotated_and_revoked() {
    let control = Control::start();
    let keys = control.admin(&["keys", "list"]);
    let state = |keys: &serde_json::Value, index: usize| keys[index]["state"].as_str().unwrap().to_owned();
    assert_eq!((state(&keys, 0), state(&keys, 1)), ("active".to_owned(), "next".to_owned()));
    // The next key is not public for a week yet.
    assert!(refused(&control, &["keys", "rotate"]).contains("20"), "it says from when on");
    let (active, next) = (keys[0]["kid"].as_str().unwrap(), keys[1]["kid"].as_str().unwrap());
    control.admin(&["keys", "revoke", active]);
    let keys = control.admin(&["keys", "list"]);
    let of = |kid: &str| keys.as_array().unwrap().iter().find(|key| key["kid"] == json!(kid)).cloned();
    assert_eq!(of(active).unwrap()["state"], "revoked");
    assert_eq!(of(next).unwrap()["state"], "active");
    let jwks = format!("{}/.well-known/workload-jwks.json", control.url());
    eventually("the revoked key to leave the set", || (!get(&jwks, &[]).ok()?.body.contains(active)).then_some(()));
    assert!(refused(&control, &["keys", "revoke", "no-such-key"]).contains("no-such-key"));
}

#[test]
fn without_a_control_it_says_what_to_do() {
    let output = cress(&["admin", "--data-dir", "/nowhere", "nodes", "list"]).output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(errors.contains("/nowhere/admin.sock") && errors.contains("start control"), "{errors}");
}
