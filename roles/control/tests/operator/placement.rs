// SPDX-License-Identifier: Apache-2.0
//! Groups are placed on the nodes that there are, and what stays and what is replaced when they change.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Control, directory, eventually};

const GROUPS: &str = "/v1/organizations/acme/projects/web/containers";
const GROUP: &str = "/v1/organizations/acme/projects/web/containers/demo";

fn definition(replicas: u32, change: Value) -> String {
    let mut definition = json!({"replicas": replicas, "command": ["sleep", "infinity"]});
    definition.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    json!({"definition": definition}).to_string()
}

fn ids(instances: &[Value]) -> BTreeSet<String> {
    instances.iter().map(|instance| instance["id"].as_str().unwrap().to_owned()).collect()
}

async fn with_group(directory: &tempfile::TempDir, replicas: u32) -> Control {
    let control = Control::start(directory).await.with_project().await;
    let body = json!({"name": "demo", "definition": {"replicas": replicas, "command": ["sleep", "infinity"]}});
    control.admin_json("POST", GROUPS, &body.to_string()).await;
    control
}

#[tokio::test]
async fn replicas_wait_for_a_node_and_are_spread() {
    let directory = directory();
    let control = with_group(&directory, 6).await;
    eventually(|| async {
        let metrics = control.metrics().await;
        metrics.contains("control_replicas_pending 6").then_some(()).ok_or(metrics)
    })
    .await;
    let nodes = [control.join_node(1, 10).await, control.join_node(2, 10).await, control.join_node(3, 1).await];
    let placed = control.instances(6).await;
    assert_eq!(placed[0]["organization"], "acme");
    assert_eq!(placed[0]["container_group"], "demo");
    // The first may have been placed before the others had joined, and what is placed is not moved.
    let here =
        |node: &cress_domain::MachineId| placed.iter().filter(|one| one["machine_id"] == node.to_string()).count();
    assert_eq!(nodes.iter().map(here).sum::<usize>(), 6);
    assert!(here(&nodes[2]) <= 1);

    let list = control.admin_json("GET", "/v1/nodes", "").await;
    assert_eq!(list["items"][0]["name"], "node-1");
    assert_eq!(list["items"][0]["instances"], json!(here(&nodes[0])));
    assert_eq!(list["items"][0]["connected"], false);
    assert_eq!(control.admin_json("GET", GROUP, "").await["placed"], 6);
    control.stop().await;
}

#[tokio::test]
async fn what_runs_is_replaced_and_what_tokens_say_is_not() {
    let directory = directory();
    let control = with_group(&directory, 3).await;
    control.join_node(1, 10).await;
    let first = ids(&control.instances(3).await);

    let of_tokens = json!({"token_ttl_seconds": 60, "allowed_audiences": ["broker"], "extra_claims": {"team": "x"}});
    control.admin_json("PUT", GROUP, &definition(3, of_tokens)).await;
    control.admin_json("PUT", &format!("{GROUP}/replicas"), r#"{"replicas":4}"#).await;
    let grown = ids(&control.instances(4).await);
    assert!(first.is_subset(&grown), "{first:?} {grown:?}");

    for change in [
        json!({"command": ["sleep", "1d"]}),
        json!({"command": ["sleep", "1d"], "environment": {"A": "b"}}),
        json!({"command": ["sleep", "1d"], "restart_policy": "never"}),
    ] {
        let before = ids(&control.instances(4).await);
        control.admin_json("PUT", GROUP, &definition(4, change)).await;
        let after = ids(&control.instances(4).await);
        assert!(before.is_disjoint(&after), "{before:?} {after:?}");
    }
    control.stop().await;
}

#[tokio::test]
async fn the_cheapest_go_first_when_a_group_shrinks() {
    let directory = directory();
    let control = with_group(&directory, 4).await;
    let machine = control.join_node(1, 10).await;
    let placed = control.instances(4).await;
    let store = control.store().await;
    let kept = placed[1]["id"].as_str().unwrap();
    store.set_deletion_costs(machine, &[(kept.parse().unwrap(), 5)]).await.unwrap();
    control.admin_json("PUT", &format!("{GROUP}/replicas"), r#"{"replicas":1}"#).await;
    let left = control.instances(1).await;
    assert_eq!((&left[0]["id"], &left[0]["deletion_cost"]), (&json!(kept), &json!(5)));
    control.admin_json("DELETE", GROUP, "").await;
    control.instances(0).await;
    control.stop().await;
}

#[tokio::test]
async fn a_banned_nodes_instances_are_placed_anew() {
    let directory = directory();
    let control = with_group(&directory, 2).await;
    let banned = control.join_node(1, 10).await;
    let before = control.instances(2).await;
    let removed = control.join_node(2, 10).await;
    let banned_path = format!("/v1/nodes/{banned}/ban");
    control.admin_json("POST", &banned_path, "").await;
    let elsewhere = |instances: &[Value], machine: cress_domain::MachineId| {
        instances.iter().all(|instance| instance["machine_id"] == machine.to_string())
    };
    let after = control.instances(2).await;
    assert!(elsewhere(&after, removed), "{after:?}");
    assert!(ids(&before).is_disjoint(&ids(&after)));
    // Again, it changes nothing.
    control.admin_json("POST", &banned_path, "").await;

    control.admin_json("DELETE", &format!("/v1/nodes/{removed}"), "").await;
    control.instances(0).await;
    let list = control.admin_json("GET", "/v1/nodes", "").await;
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    assert_eq!(list["items"][0]["state"], "banned");
    let last = control.join_node(3, 1).await;
    assert!(elsewhere(&control.instances(1).await, last));
    control.stop().await;
}
