// SPDX-License-Identifier: Apache-2.0
//! What outlives a restart.

use std::sync::Arc;

use serde_json::json;

use crate::support::{Control, config, directory, mode, try_start};

const GROUPS: &str = "/v1/organizations/acme/projects/web/containers";

#[tokio::test]
async fn ids_keys_and_placements_are_the_same_after_a_restart() {
    let directory = directory();
    let control = Control::start(&directory).await.with_project().await;
    let body = json!({"name": "demo", "definition": {"replicas": 2, "command": ["true"]}}).to_string();
    let group = control.admin_json("POST", GROUPS, &body).await;
    control.join_node(1, 5).await;
    let instances = control.instances(2).await;
    let keys = control.public("GET", "/.well-known/workload-jwks.json", "").await.body;
    let ca = std::fs::read(&control.started.ca_file).unwrap();
    let (clock, socket) = (Arc::clone(&control.clock), control.started.admin_socket.clone());
    control.stop().await;
    assert!(!socket.exists(), "a stopped control leaves no socket");

    let control = try_start(config(&directory), clock, 2).await.unwrap();
    assert_eq!(control.instances(2).await, instances);
    assert_eq!(control.admin_json("GET", &format!("{GROUPS}/demo"), "").await["id"], group["id"]);
    assert_eq!(control.public("GET", "/.well-known/workload-jwks.json", "").await.body, keys);
    assert_eq!(std::fs::read(&control.started.ca_file).unwrap(), ca);
    control.stop().await;
}

#[tokio::test]
async fn everything_on_disk_is_its_owners_alone() {
    let directory = directory();
    let control = Control::start(&directory).await;
    let data = control.started.admin_socket.parent().unwrap();
    assert_eq!(mode(data), 0o700);
    assert_eq!(mode(&directory.path().join("data.kek")), 0o600);
    for entry in std::fs::read_dir(data).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path) & 0o077, 0, "{}", path.display());
    }
    control.stop().await;
}
