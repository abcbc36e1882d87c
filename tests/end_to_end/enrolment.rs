// SPDX-License-Identifier: Apache-2.0
//! How nodes join and leave.

use cress_tests::{Control, cress, eventually, get};
use serde_json::json;

pub(crate) fn node_ids(control: &Control) -> Vec<String> {
    let nodes = control.admin(&["nodes", "list"]);
    nodes.as_array().unwrap().iter().map(|node| node["machine_id"].as_str().unwrap().to_owned()).collect()
}

pub(crate) fn connected(control: &Control) -> usize {
    let nodes = control.admin(&["nodes", "list"]);
    nodes.as_array().unwrap().iter().filter(|node| node["connected"] == true).count()
}

#[test]
fn replicas_are_spread_over_nodes() {
    let control = Control::start();
    let nodes = [control.start_node(&[]), control.start_node(&[]), control.start_node(&[])];
    eventually("three nodes", || (connected(&control) == 3).then_some(()));
    control.create_group("worker", &json!({"replicas": 6, "command": ["sleep", "600"]}));
    eventually("two instances on each node", || {
        let listed = control.admin(&["nodes", "list"]);
        listed.as_array().unwrap().iter().all(|node| node["instances"] == 2).then_some(())
    });
    for node in &nodes {
        for index in 0..2 {
            let url = format!("{}/v1/token", node.imds(index));
            eventually("a token", || get(&url, &["Metadata: true"]).ok().filter(|answer| answer.status == 200));
        }
    }
}

#[test]
fn a_node_keeps_its_identity_over_restarts() {
    let control = Control::start();
    let mut node = control.start_node(&[]);
    eventually("the node", || (connected(&control) == 1).then_some(()));
    let ids = node_ids(&control);
    node.program().interrupt();
    eventually("the node to be gone", || (connected(&control) == 0).then_some(()));
    node.start_again();
    eventually("the node again", || (connected(&control) == 1).then_some(()));
    assert_eq!(node_ids(&control), ids);
}

#[test]
fn a_banned_node_is_cut_off_and_its_instances_move() {
    let control = Control::start();
    let first = control.start_node(&[]);
    eventually("the node", || (connected(&control) == 1).then_some(()));
    control.create_group("worker", &json!({"replicas": 1, "command": ["sleep", "600"], "stop_grace_seconds": 1}));
    let url = format!("{}/v1/token", first.imds(0));
    eventually("a token", || get(&url, &["Metadata: true"]).ok().filter(|answer| answer.status == 200));
    let second = control.start_node(&[]);
    eventually("two nodes", || (connected(&control) == 2).then_some(()));
    let banned = control.admin(&["instances", "list"])[0]["machine_id"].as_str().unwrap().to_owned();
    control.admin(&["nodes", "ban", &banned]);
    let url = format!("{}/v1/token", second.imds(0));
    eventually("the instance elsewhere", || get(&url, &["Metadata: true"]).ok().filter(|answer| answer.status == 200));
    eventually("the banned node to be cut off", || {
        let nodes = control.admin(&["nodes", "list"]);
        let node = nodes.as_array().unwrap().iter().find(|node| node["machine_id"] == json!(banned)).cloned()?;
        (node["state"] == "banned" && node["connected"] == false).then_some(())
    });
}

#[test]
fn a_join_token_is_good_once_and_not_after_its_revocation() {
    let control = Control::start();
    let node = control.start_node(&[]);
    eventually("the node", || (connected(&control) == 1).then_some(()));
    let used = std::fs::read_to_string(node.directory().join("join-token")).unwrap();
    let revoked = control.admin(&["nodes", "invite"]);
    control.admin(&["nodes", "revoke", revoked["id"].as_str().unwrap()]);
    for (token, name) in [(used.as_str(), "used"), (revoked["join_token"].as_str().unwrap(), "revoked")] {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("join-token");
        std::fs::write(&file, token).unwrap();
        let [data_dir, file] = [directory.path().join("data"), file].map(|path| path.display().to_string());
        let url = format!("https://127.0.0.1:{}", control.node_port());
        let output = cress(&["node", "--data-dir", &data_dir, "--control", &url, "--join-token-file", &file])
            .args(["--process-driver-without-isolation"])
            .env("CRESS_NODE_METRICS__LISTEN", "127.0.0.1:0")
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{errors}");
        assert!(errors.contains("join token") && errors.contains(name), "{errors}");
        assert!(!errors.contains(token.split('.').nth(1).unwrap()), "the secret is never shown");
    }
}

#[test]
fn a_removed_node_joins_again_with_a_new_join_token() {
    let control = Control::start();
    let mut node = control.start_node(&[]);
    eventually("the node", || (connected(&control) == 1).then_some(()));
    let before = node_ids(&control);
    control.admin(&["nodes", "remove", &before[0]]);
    node.program().interrupt();
    // The join token that it has used does not bring it back.
    node.start_again();
    eventually("the refusal", || node.program().output().contains("does not admit this node").then_some(()));
    assert_eq!(node_ids(&control), Vec::<String>::new());
    node.program().interrupt();
    node.invite(&control, &[]);
    node.start_again();
    eventually("the node again", || (connected(&control) == 1).then_some(()));
    assert_ne!(node_ids(&control), before);
}

#[test]
fn a_join_token_says_whose_instances_its_node_may_run() {
    let control = Control::start();
    control.create_group("worker", &json!({"replicas": 3, "command": ["sleep", "600"]}));
    control.admin(&["organizations", "create", "other"]);
    let _rogue = control.start_node_invited(&["--organization", "other", "--capacity-max", "8"]);
    eventually("the node", || (connected(&control) == 1).then_some(()));
    let listed = control.admin(&["nodes", "list"])[0].clone();
    assert_eq!((&listed["capacity"], &listed["organizations"]), (&json!(8), &json!(["other"])));
    let _open = control.start_node(&[]);
    eventually("the instances on the other node", || {
        let nodes = control.admin(&["nodes", "list"]);
        let on = |bounded: bool| {
            let node = nodes.as_array()?.iter().find(|node| node["organizations"].is_array() == bounded)?;
            node["instances"].as_u64()
        };
        assert_ne!(on(true), None);
        (on(false) == Some(3) && on(true) == Some(0)).then_some(())
    });
    let tokens = control.admin(&["nodes", "invitations"]);
    assert!(tokens.as_array().unwrap().iter().any(|token| token["organizations"] == json!(["other"])), "{tokens}");
}
