// SPDX-License-Identifier: Apache-2.0
//! The drill: a fleet runs, a backup is made, more happens, the store is lost, the backup is put back.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use cress_testkit::postgres::{Postgres, Version};
use cress_tests::{Control, Node, cress, eventually, get};
use serde_json::{Value, json};

/// Of the version that the server has.
const PROGRAMS: &str = "/usr/lib/postgresql/15/bin";
const JWKS: &str = ".well-known/workload-jwks.json";

fn backup(control: &Control, to: &Path) -> Result<Value, String> {
    let data_dir = control.data_dir().display().to_string();
    let to = to.display().to_string();
    let output = cress(&["admin", "--json", "--data-dir", &data_dir, "store", "backup", "--to", &to]).output().unwrap();
    match output.status.success() {
        true => Ok(serde_json::from_slice(&output.stdout).unwrap()),
        false => Err(String::from_utf8(output.stderr).unwrap()),
    }
}

fn instances(control: &Control) -> BTreeSet<String> {
    let listed = control.admin(&["instances", "list"]);
    listed.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

fn kids(control: &Control) -> Vec<String> {
    let set = get(&format!("{}/{JWKS}", control.url()), &[]).unwrap().json();
    set["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

fn scale(control: &Control, replicas: &str) {
    control.admin(&["groups", "scale", "--organization", "acme", "--project", "default", "worker", replicas]);
}

/// The instance that a node's metadata service at this index hands out tokens of, if it does.
fn served(node: &Node, index: u16) -> Option<String> {
    let answer = get(&format!("{}/v1/token", node.imds(index)), &["Metadata: true"]).ok()?;
    let token = (answer.status == 200).then(|| answer.json()["jwt"].as_str().unwrap().to_owned())?;
    let file = node.directory().join("token");
    std::fs::write(&file, token).unwrap();
    let output = cress(&["token", "inspect", "--json", &file.display().to_string()]).output().unwrap();
    let claims: Value = serde_json::from_slice(&output.stdout).unwrap();
    let claim = claims.as_array().unwrap().iter().find(|claim| claim["name"] == "salad_instance_id").unwrap();
    Some(claim["value"].as_str().unwrap().trim_matches('"').to_owned())
}

/// The store is lost, with all that lies beside it; the backup takes its place.
fn restore(control: &Control, backup: &Path) {
    let database = control.data_dir().join("control.db");
    for end in ["", "-wal", "-shm"] {
        let _absent = std::fs::remove_file(PathBuf::from(format!("{}{end}", database.display())));
    }
    std::fs::copy(backup, &database).unwrap();
}

#[test]
fn a_fleet_goes_on_from_a_backup_of_sqlite() {
    let control = Control::start();
    let file = control.directory().join("backup.db");
    let make = |control: &Control| {
        let made = backup(control, &file).unwrap();
        assert_eq!(made["file"], json!(file));
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert!(backup(control, &file).unwrap_err().contains("exists"), "a backup replaces nothing");
    };
    drill(control, make, |control| restore(control, &file));
}

#[test]
fn a_fleet_goes_on_from_a_backup_of_postgresql() {
    const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    let server = Postgres::shared(Version::V15);
    let url = server.create_database();
    let name = url.rsplit('/').next().unwrap().split('?').next().unwrap().to_owned();
    let control = Control::start_with(&[
        ("CRESS_CONTROL_STORE__URL", url.as_str()),
        ("CRESS_CONTROL_KEY_ENCRYPTION__KEYS", r#"["env:TEST_KEY"]"#),
        ("TEST_KEY", KEY),
    ]);
    let file = control.directory().join("backup.dump").display().to_string();
    let run = |program: &str, arguments: &[&str]| {
        let output = Command::new(Path::new(PROGRAMS).join(program)).args(arguments).output().unwrap();
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let make = |_: &Control| run("pg_dump", &["--format=custom", "--file", &file, &url]);
    let restore = |_: &Control| {
        server.sql("postgres", &format!("DROP DATABASE {name} WITH (FORCE)"));
        server.sql("postgres", &format!("CREATE DATABASE {name}"));
        run("pg_restore", &["--no-owner", "--dbname", &url, &file]);
    };
    drill(control, make, restore);
}

/// A fleet runs, is backed up, and goes on; its store is lost and restored; the fleet goes on from there.
fn drill(mut control: Control, make: impl Fn(&Control), restore: impl Fn(&Control)) {
    let mut node = control.start_node(&[]);
    control.create_group("worker", &json!({"replicas": 2, "command": ["sleep", "900"], "stop_grace_seconds": 1}));
    eventually("tokens", || (served(&node, 0).is_some() && served(&node, 1).is_some()).then_some(()));
    let (before, keys) = (instances(&control), kids(&control));
    make(&control);

    // What the backup does not know: another instance, another group, and a key that signs already.
    scale(&control, "3");
    eventually("a third instance", || served(&node, 2));
    let late: Vec<_> = instances(&control).difference(&before).cloned().collect();
    let revoked = control.admin(&["keys", "list"])[0]["kid"].as_str().unwrap().to_owned();
    control.admin(&["keys", "revoke", &revoked]);
    eventually("another key set", || (kids(&control) != keys).then_some(()));

    control.program().kill();
    restore(&control);
    control.start_again();
    assert_eq!(kids(&control), keys, "the same keys, the one revoked since then among them");
    eventually("the node again", || (control.admin(&["nodes", "list"])[0]["connected"] == true).then_some(()));
    assert_eq!(instances(&control), before, "the same instances go on");
    // The instance that control does not know any more is ended, and never gets a token again.
    let still = || (0..3).filter_map(|index| served(&node, index)).collect::<BTreeSet<_>>();
    eventually("only the instances of the backup", || (still() == before).then_some(()));
    assert!(late.iter().all(|id| !still().contains(id)));
    // Life goes on: ids are new again.
    scale(&control, "3");
    eventually("a third instance", || (still().len() == 3).then_some(()));
    assert!(instances(&control).is_disjoint(&late.into_iter().collect()));
    // As the runbook says: what was revoked after the backup has to be revoked once more.
    control.admin(&["keys", "revoke", &revoked]);
    eventually("the revoked key to leave the set", || (!kids(&control).contains(&revoked)).then_some(()));
    node.program().interrupt();
}

#[test]
fn a_backup_alone_reveals_no_key_and_starts_nothing() {
    let mut control = Control::start();
    let file = control.directory().join("backup.db");
    backup(&control, &file).unwrap();
    // Private keys are PKCS #8: neither their structure nor their PEM form may be there, nor the key that seals them.
    let bytes = std::fs::read(&file).unwrap();
    let kek = std::fs::read_to_string(control.directory().join("data.kek")).unwrap();
    let kek = kek.lines().last().unwrap().rsplit(':').next().unwrap().to_owned();
    // The algorithm identifier of an EC key on P-256, and the begin of the private key within it (RFC 5915).
    const P256_PRIVATE: &[u8] =
        b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x04\x6d\x30\x6b\x02\x01\x01\x04\x20";
    for needle in [P256_PRIVATE, b"PRIVATE KEY", b"\"d\":", kek.as_bytes()] {
        assert!(!bytes.windows(needle.len()).any(|window| window == needle), "{needle:?}");
    }
    let plain = rcgen::KeyPair::generate().unwrap().serialize_der();
    assert!(plain.windows(P256_PRIVATE.len()).any(|window| window == P256_PRIVATE), "this is how a key would look");
    assert!(
        bytes.windows(4).any(|window| window == b"P-25"),
        "the public keys are there, so the right file was searched"
    );

    control.program().kill();
    restore(&control, &file);
    let refused = |kek: Option<&str>| {
        let path = control.directory().join("data.kek");
        match kek {
            Some(kek) => std::fs::write(&path, kek).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
        let data_dir = control.data_dir().display().to_string();
        let output = cress(&["control", "--data-dir", &data_dir, "--listen", "127.0.0.1:0"])
            .args(["--node-api-listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    let wrong = refused(Some("QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=\n"));
    assert!(wrong.contains("key-encryption key"), "{wrong}");
    let missing = refused(None);
    assert!(missing.contains("data.kek") && missing.contains("put it back"), "{missing}");
}

#[test]
fn backups_are_made_while_control_writes_and_while_it_does_not_run() {
    let mut control = Control::start();
    control.create_group("worker", &json!({"replicas": 0, "command": ["true"]}));
    for round in 0..3 {
        scale(&control, &format!("{round}"));
        backup(&control, &control.directory().join(format!("{round}.db"))).unwrap();
    }
    control.program().interrupt();
    backup(&control, &control.directory().join("stopped.db")).unwrap();
    let message = backup(&control, Path::new("/nowhere/backup.db")).unwrap_err();
    assert!(message.contains("cannot write the backup"), "{message}");
}
