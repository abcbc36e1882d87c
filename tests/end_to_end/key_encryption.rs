// SPDX-License-Identifier: Apache-2.0
//! Key-encryption keys that are replaced while control runs, and replicas that must not be left without them.

use std::fs;
use std::path::Path;

use cress_tests::{Replica, base_port};
use serde_json::{Value, json};

const OLD: &str = "old:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const NEW: &str = "new:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";

/// A replica with key-encryption keys in a file of its own and a database that others share.
fn replica(site: &Path, name: &str) -> Replica {
    let directory = site.join(name);
    fs::create_dir(&directory).unwrap();
    give(&directory, &[OLD]);
    let mut replica = Replica::new(&directory, base_port());
    let file = directory.join("keks").display().to_string();
    replica.set("CRESS_CONTROL_KEY_ENCRYPTION__KEYS", json!([format!("file:{file}")]).to_string());
    replica.set("CRESS_CONTROL_STORE__URL", format!("sqlite:{}", site.join("shared.db").display()));
    replica.start();
    replica
}

fn give(directory: &Path, keys: &[&str]) {
    fs::write(directory.join("keks"), keys.join("\n")).unwrap();
}

fn find(keks: &[Value], id: &str) -> Value {
    keks.iter().find(|kek| kek["id"] == id).cloned().unwrap_or(Value::Null)
}

#[test]
fn no_replica_is_left_without_a_key_and_none_is_removed_too_early() {
    let site = tempfile::tempdir().unwrap();
    let (here, there) = (replica(site.path(), "here"), replica(site.path(), "there"));
    let published = here.published();

    // The new key is here alone: nothing is sealed under it, since the other replica could not read it.
    give(here.directory(), &[NEW, OLD]);
    for command in ["reload", "rotate"] {
        let refused = here.ask(&["kek", command]).unwrap_err();
        assert!(refused.contains("do not have the key-encryption key new"), "{refused}");
    }
    assert_eq!(find(&here.list("kek").unwrap(), "old")["active"], true, "everything stays as it is");
    assert_eq!(find(&here.list("kek").unwrap(), "old")["seals"], 3);

    // It is everywhere, and the other replica still seals with the old one.
    give(there.directory(), &[OLD, NEW]);
    there.admin(&["kek", "reload"]);
    let done = here.admin(&["kek", "rotate"]);
    assert_eq!(done["resealed"], 3);
    let old = find(done["keys"].as_array().unwrap(), "old");
    assert_eq!((&old["seals"], &old["removable"]), (&json!(0), &json!(false)), "{old}");
    assert_eq!(old["sealing"].as_array().unwrap().len(), 1);

    give(there.directory(), &[NEW, OLD]);
    there.admin(&["kek", "reload"]);
    let done = there.admin(&["kek", "rotate"]);
    assert_eq!(done["resealed"], 0, "done already");
    assert_eq!(find(done["keys"].as_array().unwrap(), "old")["removable"], true);

    // What is still needed cannot be lost by a reload.
    give(here.directory(), &[OLD]);
    let refused = here.ask(&["kek", "reload"]).unwrap_err();
    assert!(refused.contains("no longer hold new"), "{refused}");
    assert_eq!(find(&here.list("kek").unwrap(), "new")["active"], true);

    for replica in [&here, &there] {
        give(replica.directory(), &[NEW]);
        replica.admin(&["kek", "reload"]);
    }
    assert_eq!(here.list("kek").unwrap().len(), 1);
    assert_eq!(here.published(), published, "no signing key has changed");
    assert_eq!(there.published(), published);
}

#[test]
fn sources_that_are_wrong_change_nothing() {
    let site = tempfile::tempdir().unwrap();
    let here = replica(site.path(), "here");
    fs::write(here.directory().join("keks"), "hunter2").unwrap();
    let refused = here.ask(&["kek", "reload"]).unwrap_err();
    assert!(refused.contains("32 bytes in base64") && !refused.contains("hunter2"), "{refused}");
    assert_eq!(find(&here.list("kek").unwrap(), "old")["active"], true);
    let refused = here.ask(&["kek", "rotate", "--new"]).unwrap_err();
    assert!(refused.contains("key_encryption.keys is configured"), "{refused}");
}
