// SPDX-License-Identifier: Apache-2.0
//! Control on a real PostgreSQL server: its start, a server that goes away, and the way there from SQLite.

use cress_testkit::postgres::{Postgres, Version};
use cress_tests::{Control, cress, eventually, get};
use serde_json::{Value, json};

/// Any 32 bytes.
const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

fn environment(url: &str) -> [(&'static str, String); 3] {
    [
        ("CRESS_CONTROL_STORE__URL", url.to_owned()),
        ("CRESS_CONTROL_KEY_ENCRYPTION__KEYS", r#"["env:TEST_KEY"]"#.to_owned()),
        ("TEST_KEY", KEY.to_owned()),
    ]
}

fn start_on(url: &str) -> Control {
    let environment = environment(url);
    let environment: Vec<_> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Control::start_with(&environment)
}

fn key_set(control: &Control) -> Value {
    let url = format!("{}/.well-known/workload-jwks.json", control.url());
    serde_json::from_str(&get(&url, &[]).unwrap().body).unwrap()
}

fn is_ready(control: &Control) -> bool {
    get(&format!("{}/readyz", control.url()), &[]).is_ok_and(|answer| answer.status == 200)
}

#[test]
fn without_a_key_encryption_key_the_start_is_refused() {
    let url = Postgres::shared(Version::V15).create_database();
    let mut control = Control::new(&[("CRESS_CONTROL_STORE__URL", &url)]);
    control.spawn();
    let finished = control.program().wait();
    assert_eq!(finished.status.code(), Some(1));
    assert!(
        finished.output.contains("key_encryption.keys: is missing; with PostgreSQL no key is made"),
        "{}",
        finished.output
    );
    assert!(finished.output.contains("file:<path>"), "{}", finished.output);
}

/// A replica with a wrong clock would mislead nodes, and switch keys when no other does.
#[test]
fn a_clock_far_off_the_databases_is_not_started_with() {
    let url = Postgres::shared(Version::V15).create_database();
    let environment = environment(&url);
    let mut environment: Vec<_> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    environment.push(("CRESS_CLOCK_AHEAD_SECONDS", "-3600"));
    let mut control = Control::new(&environment);
    control.spawn();
    let finished = control.program().wait();
    assert_eq!(finished.status.code(), Some(1));
    assert!(
        finished.output.contains("s behind that of the database's server, expected 60 s at most"),
        "{}",
        finished.output
    );
    drop(start_on(&url));
}

/// The driver would take them, unnoticed.
#[test]
fn what_the_environment_says_of_connections_is_refused() {
    let url = Postgres::shared(Version::V15).create_database();
    let mut command = cress(&["admin", "store", "migrate", "--check"]);
    let refused = command.envs(environment(&url)).env("PGOPTIONS", "-c synchronous_commit=off").output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("the environment has PGOPTIONS"), "{refused:?}");
}

#[test]
fn a_server_that_is_not_there_has_a_sentence_without_the_password() {
    let mut server = Postgres::start(Version::V15);
    server.stop();
    let url = server.url("postgres").replace("postgres@", "postgres:hunter2@");
    let environment = environment(&url);
    let environment: Vec<_> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut control = Control::new(&environment);
    control.spawn();
    let finished = control.program().wait();
    assert_eq!(finished.status.code(), Some(1));
    assert!(
        finished.output.contains(&format!("cannot open the database {}: ", server.url("postgres"))),
        "{}",
        finished.output
    );
    assert!(!finished.output.contains("hunter2"), "{}", finished.output);
}

#[test]
fn tokens_flow_while_the_server_is_away_and_control_recovers_by_itself() {
    let mut server = Postgres::start(Version::V15);
    let mut control = start_on(&server.create_database());
    control
        .create_group("worker", &json!({ "replicas": 1, "command": ["sleep", "infinity"], "allowed_audiences": ["https://one.example", "https://two.example"] }));
    let node = control.start_node(&[]);
    let imds = node.imds(0);
    let audience_token = |audience: &str| {
        get(&format!("{imds}/v1/token?audience={audience}"), &["Metadata: true"])
            .is_ok_and(|answer| answer.status == 200)
    };
    eventually("a token", || audience_token("https%3A%2F%2Fone.example").then_some(()));

    server.kill();
    eventually("control to say that it is not ready", || (!is_ready(&control)).then_some(()));
    eventually("a new token without the database", || audience_token("https%3A%2F%2Ftwo.example").then_some(()));
    assert!(control.program().ended().is_none());

    server.restart_stopped();
    eventually("control to be ready again", || is_ready(&control).then_some(()));
    let groups = control.admin(&["groups", "list", "--organization", "acme", "--project", "default"]);
    assert_eq!(groups.as_array().map(Vec::len), Some(1));
    control.create_group("another", &json!({ "replicas": 0, "command": ["sleep", "infinity"] }));
    assert!(control.program().interrupt().status.success());
}

#[test]
fn everything_moves_from_sqlite_to_postgresql() {
    let mut old = Control::start();
    old.create_group("worker", &json!({ "replicas": 0, "command": ["sleep", "infinity"] }));
    let keys = key_set(&old);
    let from = format!("sqlite:{}", old.data_dir().join("control.db").display());
    let to = Postgres::shared(Version::V18).create_database();

    let copy = || cress(&["admin", "store", "copy", "--json", "--from", &from, "--to", &to]).output().unwrap();
    let refused = copy();
    assert_eq!(refused.status.code(), Some(1), "control runs still");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("were heard of"), "{refused:?}");
    assert!(old.program().interrupt().status.success());
    let copied = copy();
    let said = String::from_utf8_lossy(&copied.stderr).into_owned();
    assert!(copied.status.success(), "{said}");
    assert!(said.contains("key_encryption.keys"), "{said}");
    let tables: Value = serde_json::from_slice(&copied.stdout).unwrap();
    let rows = |name: &str| {
        tables.as_array().unwrap().iter().find(|table| table["table"] == name).map(|table| table["rows"].clone())
    };
    assert_eq!(rows("control_container_groups"), Some(json!(1)), "{tables}");
    let again = copy();
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("to be empty"));

    let file = old.data_dir().with_extension("kek").display().to_string();
    let sources = format!(r#"["file:{file}"]"#);
    let new =
        Control::start_with(&[("CRESS_CONTROL_STORE__URL", &to), ("CRESS_CONTROL_KEY_ENCRYPTION__KEYS", &sources)]);
    assert_eq!(key_set(&new), keys);
    let groups = new.admin(&["groups", "list", "--organization", "acme", "--project", "default"]);
    assert_eq!(groups[0]["name"], "worker");
}

#[test]
fn migrations_wait_for_the_operator() {
    let server = Postgres::shared(Version::V15);
    let url = server.create_database();
    let database = url.rsplit('/').next().unwrap();
    let migrate = |what: &str| {
        let mut command = cress(&["admin", "store", "migrate", "--json", what]);
        command.envs(environment(&url)).output().unwrap()
    };
    let pending = |output: &std::process::Output| -> Vec<bool> {
        let modules: Value = serde_json::from_slice(&output.stdout).unwrap();
        modules.as_array().unwrap().iter().map(|module| module["pending"] != json!([])).collect()
    };
    let empty = migrate("--check");
    assert_eq!((empty.status.code(), pending(&empty)), (Some(1), vec![true, true]));
    assert_eq!(server.sql(database, "SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'public'").trim(), "0");
    let applied = migrate("--apply");
    assert_eq!((applied.status.code(), pending(&applied)), (Some(0), vec![false, false]));
    assert_eq!(migrate("--check").status.code(), Some(0));
    drop(start_on(&url));

    // As an older cress left it.
    server.sql(
        database,
        "DELETE FROM store_migrations WHERE module = 'keyring'; INSERT INTO store_migrations VALUES ('keyring', 0)",
    );
    assert_eq!(migrate("--check").status.code(), Some(1));
}
