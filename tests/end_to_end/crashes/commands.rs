// SPDX-License-Identifier: Apache-2.0
//! `cress admin store copy` is the one that is killed, at every point. The target is as it was, and the same command, given again,
//! copies everything.

use std::path::Path;
use std::process::{Command, Output};

use cress_testkit::postgres::{Postgres, Version};
use cress_tests::{Faults, Replica, base_port, cress};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::matrix::{Context, choose};
use super::sites::Store;

/// A stopped control on SQLite with something in it, and what an operator saw of that.
struct Source {
    directory: TempDir,
    seen: Value,
}

impl Source {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut control = Replica::new(directory.path(), base_port());
        control.start();
        control.create_group("worker", &json!({"replicas": 0, "command": ["true"]})).unwrap();
        control.admin(&["nodes", "invite"]);
        let seen = seen(&control);
        control.program().interrupt();
        Self { directory, seen }
    }

    fn url(&self) -> String {
        format!("sqlite:{}", self.directory.path().join("data/control.db").display())
    }

    fn key_file(&self) -> std::path::PathBuf {
        self.directory.path().join("data.kek")
    }
}

fn seen(control: &Replica) -> Value {
    let groups = control.ask(&["groups", "list", "--organization", "acme", "--project", "default"]).unwrap();
    let invitations = control.ask(&["nodes", "invitations"]).unwrap();
    json!([groups, invitations, control.list("keys").unwrap(), control.list("ca").unwrap(), control.published()])
}

fn target(store: Store, directory: &Path) -> String {
    match store {
        Store::Sqlite => format!("sqlite:{}", directory.join("copy.db").display()),
        Store::Postgres => Postgres::shared(Version::V15).create_database(),
    }
}

fn copy(from: &str, to: &str, faults: Option<&Faults>) -> Output {
    let mut command: Command = cress(&["admin", "--json", "store", "copy", "--from", from, "--to", to]);
    if let Some(faults) = faults {
        command.env(Faults::VARIABLE, faults.directory());
    }
    command.output().unwrap()
}

fn tables(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Copies as often as the copy has points.
pub(super) fn run(store: Store) {
    let source = Source::new();
    let whole = tempfile::tempdir().unwrap();
    let counted = Faults::in_directory(&whole.path().join("faults"));
    let expected = tables(&copy(&source.url(), &target(store, whole.path()), Some(&counted)));
    for number in choose(counted.passed().len(), store) {
        let directory = tempfile::tempdir().unwrap();
        let faults = Faults::in_directory(&directory.path().join("faults"));
        faults.kill_at(number);
        let to = target(store, directory.path());
        let killed = copy(&source.url(), &to, Some(&faults));
        let at = faults.passed().pop().unwrap_or_default();
        let _context = Context { scene: "copy of the store", number, at: at.clone() };
        assert!(!killed.status.success(), "it was to be killed");
        let again = copy(&source.url(), &to, None);
        if at.starts_with("after a commit") {
            // It is all there; whoever saw no answer is told that it is not empty.
            assert!(String::from_utf8_lossy(&again.stderr).contains("to be empty"), "{again:?}");
        } else {
            assert_eq!(tables(&again), expected);
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let to = target(store, directory.path());
    tables(&copy(&source.url(), &to, None));
    let mut control = Replica::new(directory.path(), base_port());
    control.set("CRESS_CONTROL_STORE__URL", to);
    let keys = json!([format!("file:{}", source.key_file().display())]);
    control.set("CRESS_CONTROL_KEY_ENCRYPTION__KEYS", keys.to_string());
    control.start();
    assert_eq!(seen(&control), source.seen, "the copy is what the source was");
}
