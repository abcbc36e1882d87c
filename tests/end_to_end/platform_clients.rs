// SPDX-License-Identifier: Apache-2.0
//! SaladCloud's published clients, unmodified and at their default address, inside network namespaces.

use std::path::{Path, PathBuf};

use cress_tests::{Control, Node, eventually, node_modules, python_a4, python_a6, repository};
use serde_json::{Value, json};

fn script(name: &str) -> PathBuf {
    repository().join("tests/end_to_end/clients").join(name)
}

/// Runs a client as the only instance of a node with network namespaces, and returns what it wrote.
fn run_client(command: &[&Path], arguments: &[&Path]) -> (Control, Node, Value) {
    assert!(nix::unistd::geteuid().is_root(), "network namespaces need root");
    let control = Control::start();
    let node = control.start_node(&["--network-namespaces"]);
    let target = control.directory().join("result");
    let command: Vec<&Path> = [command, arguments, &[&target]].concat();
    control.create_group("client", &json!({"replicas": 1, "command": command, "stop_grace_seconds": 1}));
    let result = eventually("the client's result", || std::fs::read(&target).ok());
    (control, node, serde_json::from_slice(&result).unwrap())
}

fn check(control: &Control, result: &Value) {
    let instance = &control.admin(&["instances", "list"])[0];
    assert_eq!(result["instance_id"], instance["id"]);
    assert_eq!(result["status"], json!({"ready": true, "started": true}));
    let token = result["jwt"].as_str().unwrap();
    assert!(token.len() <= 1_000 && token.split('.').count() == 3);
}

#[test]
fn the_python_sdk_a4_works() {
    let (control, mut node, result) = run_client(&[&python_a4(), &script("sdk_a4.py")], &[]);
    check(&control, &result);
    assert!(node.program().interrupt().status.success());
}

#[test]
fn the_python_sdk_a6_works() {
    let (control, mut node, result) = run_client(&[&python_a6(), &script("sdk_a6.py")], &[]);
    check(&control, &result);
    assert_eq!(result["restarted"], true);
    // Set before the restart, kept over it.
    assert_eq!(result["costs"], json!([42, 42]));
    eventually("control to know the cost", || {
        (control.admin(&["instances", "list"])[0]["deletion_cost"] == 42).then_some(())
    });
    assert!(node.program().interrupt().status.success());
}

#[test]
fn the_npm_sdk_works() {
    let node_program = Path::new("node");
    let (control, mut node, result) = run_client(&[node_program, &script("sdk.mjs")], &[&node_modules()]);
    check(&control, &result);
    assert_eq!(result["costs"], json!([0, 7]));
    assert!(node.program().interrupt().status.success());
}
