// SPDX-License-Identifier: Apache-2.0
//! `cress doctor`: each kind of problem made on purpose, while control runs and while it does not.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use cress_tests::{Control, Up, cress, eventually};
use serde_json::{Value, json};

/// What it finds, and its exit code.
fn doctor(arguments: &[&str]) -> (Value, i32) {
    let output = cress(&[&["doctor", "--json"], arguments].concat()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    let report = serde_json::from_str(&text);
    assert!(report.is_ok(), "{text}{errors}");
    (report.unwrap(), output.status.code().unwrap())
}

fn findings<'a>(report: &'a Value, check: &str, status: &str) -> Vec<&'a Value> {
    let all = report["findings"].as_array().unwrap().iter();
    all.filter(|finding| finding["check"] == check && finding["status"] == status).collect()
}

/// The one problem of this kind, which must make the whole a problem and have these words.
#[track_caller]
fn problem(outcome: &(Value, i32), check: &str, words: &str) {
    let (report, code) = outcome;
    let found = findings(report, check, "problem");
    let told = found.iter().any(|finding| finding["message"].as_str().unwrap().contains(words));
    assert!(told, "expected the problem {check} with {words:?}: {report:#}");
    assert_eq!((*code, report["status"].as_str()), (1, Some("problem")));
}

#[track_caller]
fn healthy(outcome: &(Value, i32)) {
    assert_eq!((outcome.1, &outcome.0["problems"]), (0, &json!(0)), "{:#}", outcome.0);
}

/// Settings for the ports of a control of the harness.
fn settings(control: &Control, more: &str) -> String {
    let port = control.node_port() - 1;
    let [listen, node_api, metrics] = [0, 1, 10].map(|offset| format!("127.0.0.1:{}", port + offset));
    let data_dir = control.data_dir().display().to_string();
    let text = format!(
        "data_dir = {data_dir:?}\nlisten = \"{listen}\"\n{more}\n[node_api]\nlisten = \"{node_api}\"\n[metrics]\nlisten = \"{metrics}\"\n"
    );
    let file = control.directory().join("control.toml");
    std::fs::write(&file, text).unwrap();
    file.display().to_string()
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

/// Names, sizes and modes of all files, also those below.
fn listing(directory: &Path) -> Vec<(String, u64, u32)> {
    let mut files = Vec::new();
    for entry in directory.read_dir().unwrap().map(Result::unwrap) {
        let metadata = entry.metadata().unwrap();
        if metadata.is_dir() {
            files.extend(listing(&entry.path()));
        } else {
            let name = entry.path().display().to_string();
            files.push((name, metadata.len(), metadata.permissions().mode()));
        }
    }
    files.sort();
    files
}

#[test]
fn a_healthy_control_is_told_so_and_left_alone() {
    let mut control = Control::start();
    let config = settings(&control, "");
    let running = doctor(&["--config", &config]);
    healthy(&running);
    for check in
        ["config", "store.integrity", "keys.schedule", "reach.public", "reach.jwks", "reach.node_api", "clock.apart"]
    {
        assert_eq!(findings(&running.0, check, "ok").len(), 1, "{check}: {:#}", running.0);
    }
    control.program().interrupt();
    let before = listing(control.directory());
    let stopped = doctor(&["--config", &config]);
    healthy(&stopped);
    assert_eq!(listing(control.directory()), before);
    assert!(findings(&stopped.0, "reach.public", "ok").is_empty());

    let human = cress(&["doctor", "--config", &config]).output().unwrap();
    assert_eq!(human.status.code(), Some(0));
    assert!(String::from_utf8(human.stdout).unwrap().contains("0 problems"));
}

#[test]
fn a_control_that_never_ran_has_nothing_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data").display().to_string();
    let file = directory.path().join("control.toml");
    std::fs::write(&file, format!("data_dir = {data_dir:?}\nlisten = \"127.0.0.1:0\"\nnode_api.listen = \"127.0.0.1:0\"\nmetrics.listen = \"127.0.0.1:0\"\n")).unwrap();
    healthy(&doctor(&["--config", &file.display().to_string()]));
    assert!(!directory.path().join("data").exists());
}

#[test]
fn what_is_wrong_with_settings_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("control.toml");
    let config = file.display().to_string();
    for (text, words) in [
        ("data_dir = \"/d\"\nlisten_to = \"127.0.0.1:1\"\n", "listen_to"),
        ("data_dir = \"/d\"\nlisten = \"0.0.0.0:8420\"\n", "give a TLS certificate"),
        ("data_dir = ", "control.toml"),
    ] {
        std::fs::write(&file, text).unwrap();
        problem(&doctor(&["--config", &config]), "config", words);
    }
    problem(&doctor(&["--config", "/nowhere/control.toml"]), "config", "/nowhere/control.toml");
    std::fs::write(&file, "data_dir = \"/d\"\ncapacityy = 1\n[control]\nurl = \"https://c:1\"\n").unwrap();
    problem(&doctor(&["--config", &config]), "config", "capacityy");
}

#[test]
fn files_that_others_may_open_are_found() {
    let mut control = Control::start();
    control.program().interrupt();
    let config = settings(&control, "");
    let kek = control.directory().join("data.kek");
    for (path, check) in [
        (control.data_dir(), "data_dir"),
        (control.data_dir().join("control.db"), "store.mode"),
        (kek, "keys.encryption.mode"),
    ] {
        let mode = path.metadata().unwrap().permissions().mode();
        set_mode(&path, mode | 0o044);
        let outcome = doctor(&["--config", &config]);
        problem(&outcome, check, "other users of this machine may open it");
        assert!(findings(&outcome.0, check, "problem")[0]["remedy"].as_str().unwrap().starts_with("chmod "));
        set_mode(&path, mode);
    }
    healthy(&doctor(&["--config", &config]));
}

#[test]
fn a_wrong_or_missing_key_encryption_key_is_found() {
    let mut control = Control::start();
    control.program().interrupt();
    let config = settings(&control, "");
    let kek = control.directory().join("data.kek");
    let own = std::fs::read_to_string(&kek).unwrap();
    std::fs::write(&kek, "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=\n").unwrap();
    let wrong = doctor(&["--config", &config]);
    problem(&wrong, "keys.signing.open", "key-encryption key");
    problem(&wrong, "ca.open", "key-encryption key");
    std::fs::write(&kek, "not a key").unwrap();
    problem(&doctor(&["--config", &config]), "keys.encryption", "32 bytes in base64");
    std::fs::remove_file(&kek).unwrap();
    problem(&doctor(&["--config", &config]), "keys.encryption", "data.kek");
    let all = format!("{:?}", doctor(&["--config", &config]));
    let secret = own.lines().last().unwrap().rsplit(':').next().unwrap().to_owned();
    assert!(!all.contains(&secret) && !format!("{wrong:?}").contains(&secret));
}

#[test]
fn a_key_encryption_key_beside_the_database_is_warned_of() {
    let mut control = Control::start();
    control.program().interrupt();
    let inside = control.data_dir().join("kek");
    std::fs::copy(control.directory().join("data.kek"), &inside).unwrap();
    let config = settings(&control, &format!("key_encryption.keys = [\"file:{}\"]", inside.display()));
    let outcome = doctor(&["--config", &config]);
    healthy(&outcome);
    assert_eq!(findings(&outcome.0, "keys.encryption.place", "warning").len(), 1, "{:#}", outcome.0);
}

#[test]
fn a_damaged_database_is_found() {
    let mut control = Control::start();
    control.create_group("worker", &json!({"replicas": 3, "command": ["true"]}));
    control.program().interrupt();
    let config = settings(&control, "");
    let database = control.data_dir().join("control.db");
    let whole = std::fs::read(&database).unwrap();
    let mut damaged = whole.clone();
    damaged.iter_mut().skip(whole.len() - 8_192).for_each(|byte| *byte = 0x5a);
    std::fs::write(&database, damaged).unwrap();
    problem(&doctor(&["--config", &config]), "store.integrity", "damaged");
    std::fs::write(&database, "this is no database".repeat(100)).unwrap();
    problem(&doctor(&["--config", &config]), "store.open", "no SQLite database");
    std::fs::write(&database, "").unwrap();
    problem(&doctor(&["--config", &config]), "store.schema", "no tables of cress");
}

#[test]
fn a_taken_port_is_found_with_who_has_it() {
    let mut control = Control::start();
    control.program().interrupt();
    let config = settings(&control, "");
    let _taken = TcpListener::bind(("127.0.0.1", control.node_port())).unwrap();
    problem(&doctor(&["--config", &config]), "ports", &format!("process {}", std::process::id()));
}

#[test]
fn a_control_that_cannot_be_reached_is_found() {
    let control = Control::start();
    // A public URL at which nobody answers, though control runs.
    let config = settings(&control, "public_url = \"http://127.0.0.1:1\"\nissuer = \"http://127.0.0.1:1\"");
    let outcome = doctor(&["--config", &config]);
    problem(&outcome, "reach.public", "cannot reach http://127.0.0.1:1");
    problem(&outcome, "reach.jwks", "cannot reach");
    // Another control answers there.
    let other = Control::start();
    let config = settings(&control, &format!("public_url = \"{0}\"\nissuer = \"{0}\"", other.url()));
    problem(&doctor(&["--config", &config]), "reach.jwks", "has not the key that signs");
}

#[test]
fn certificates_of_the_public_api_are_looked_at() {
    let mut control = Control::start();
    control.program().interrupt();
    let directory = control.directory();
    let (certificate, key) = (directory.join("tls.pem"), directory.join("tls-key.pem"));
    let more = format!(
        "public_url = \"https://control.example\"\ntls = {{ certificate_file = {certificate:?}, key_file = {key:?} }}"
    );
    let config = settings(&control, &more);
    let write = |name: &str, days: i64| {
        let pair = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = time::OffsetDateTime::UNIX_EPOCH;
        params.not_after = time::OffsetDateTime::now_utc() + time::Duration::days(days);
        std::fs::write(&certificate, params.self_signed(&pair).unwrap().pem()).unwrap();
        std::fs::write(&key, pair.serialize_pem()).unwrap();
        set_mode(&key, 0o600);
        pair
    };
    write("control.example", 90);
    healthy(&doctor(&["--config", &config]));
    set_mode(&key, 0o644);
    problem(&doctor(&["--config", &config]), "tls.key_mode", "other users");
    write("control.example", 3);
    assert_eq!(findings(&doctor(&["--config", &config]).0, "tls", "warning").len(), 1);
    write("control.example", -1);
    problem(&doctor(&["--config", &config]), "tls", "expired");
    write("other.example", 90);
    problem(&doctor(&["--config", &config]), "tls.names", "control.example");
    std::fs::write(&key, rcgen::KeyPair::generate().unwrap().serialize_pem()).unwrap();
    problem(&doctor(&["--config", &config]), "tls", "does not belong to the certificate");
    std::fs::remove_file(&key).unwrap();
    problem(&doctor(&["--config", &config]), "tls", "cannot read");
}

#[test]
fn a_clock_that_was_set_back_is_found() {
    let mut control = Control::start();
    control.program().interrupt();
    let config = settings(&control, "");
    let file = std::fs::File::options().write(true).open(control.data_dir().join("lock")).unwrap();
    let tomorrow = std::time::SystemTime::now() + std::time::Duration::from_secs(24 * 3_600);
    file.set_modified(tomorrow).unwrap();
    problem(&doctor(&["--config", &config]), "clock.jump", "was set back");
}

#[test]
fn a_node_is_looked_at_too() {
    let mut control = Control::start();
    let mut node = control.start_node(&[]);
    eventually("the node", || (control.admin(&["nodes", "list"])[0]["connected"] == true).then_some(()));
    let data_dir = node.directory().join("data");
    let file = node.directory().join("node.toml");
    let url = format!("https://127.0.0.1:{}", control.node_port());
    let text = |url: &str, more: &str| {
        let metrics = node.imds(40).replace("http://", "");
        format!("data_dir = {data_dir:?}\n{more}\n[control]\nurl = {url:?}\n[metrics]\nlisten = {metrics:?}\n")
    };
    std::fs::write(&file, text(&url, "")).unwrap();
    let config = file.display().to_string();
    let running = doctor(&["--config", &config]);
    healthy(&running);
    for check in ["membership", "certificate", "certificate.key", "reach.control"] {
        assert_eq!(findings(&running.0, check, "ok").len(), 1, "{check}: {:#}", running.0);
    }

    let text_elsewhere = text("https://127.0.0.1:1", "");
    std::fs::write(&file, text_elsewhere).unwrap();
    problem(&doctor(&["--config", &config]), "reach.control", "cannot use control at https://127.0.0.1:1");
    let other = Control::start();
    std::fs::write(&file, text(&format!("https://127.0.0.1:{}", other.node_port()), "")).unwrap();
    problem(&doctor(&["--config", &config]), "reach.control", "certificate");

    std::fs::write(&file, text(&url, "")).unwrap();
    node.program().interrupt();
    control.program().interrupt();
    problem(&doctor(&["--config", &config]), "reach.control", "cannot use control");
    let key = data_dir.join("node-key.pem");
    set_mode(&key, 0o640);
    problem(&doctor(&["--config", &config]), "certificate.key_mode", "other users");
    set_mode(&key, 0o600);
    std::fs::write(&key, rcgen::KeyPair::generate().unwrap().serialize_pem()).unwrap();
    problem(&doctor(&["--config", &config]), "certificate.key", "does not belong");
    std::fs::write(data_dir.join("membership.json"), "{").unwrap();
    problem(&doctor(&["--data-dir", &data_dir.display().to_string()]), "membership", "cannot be read");
    std::fs::remove_file(data_dir.join("membership.json")).unwrap();
    problem(&doctor(&["--config", &config]), "membership", "no join token");
}

#[test]
fn all_of_cress_up_is_looked_at() {
    let up = Up::new();
    let mut stack = up.start(&["--instances", "2"]);
    let data_dir = up.data_dir().display().to_string();
    let running = doctor(&["--data-dir", &data_dir]);
    healthy(&running);
    assert_eq!(findings(&running.0, "instances", "ok").len(), 2, "{:#}", running.0);
    assert_eq!(findings(&running.0, "reach.control", "ok").len(), 1);
    stack.program.kill();
    let killed = doctor(&["--data-dir", &data_dir]);
    assert_eq!(findings(&killed.0, "endpoints", "warning").len(), 1, "{:#}", killed.0);
}
