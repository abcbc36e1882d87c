// SPDX-License-Identifier: Apache-2.0
//! Instances: what they are told, what they may ask for, and their end.

use std::path::Path;

use cress_tests::{Control, eventually, get, send};
use serde_json::{Value, json};

const METADATA: &[&str] = &["Metadata: true"];

fn write_environment(file: &Path) -> Value {
    json!(["sh", "-c", format!("env > {0}.new && mv {0}.new {0} && exec sleep 600", file.display())])
}

fn state(control: &Control) -> Vec<Value> {
    control.admin(&["instances", "list"]).as_array().unwrap().clone()
}

#[test]
fn an_instance_is_told_who_it_is_and_may_ask_for_a_restart() {
    let control = Control::start();
    let node = control.start_node(&[]);
    let file = control.directory().join("environment");
    control
        .create_group("worker", &json!({"replicas": 1, "command": write_environment(&file), "stop_grace_seconds": 1}));
    let environment = eventually("the instance's environment", || std::fs::read_to_string(&file).ok());
    let instance = state(&control)[0].clone();
    let id = instance["id"].as_str().unwrap();
    for line in [
        format!("SALAD_INSTANCE_ID={id}"),
        format!("HOSTNAME={id}"),
        format!("SALAD_MACHINE_ID={}", instance["machine_id"].as_str().unwrap()),
        "SALAD_ORGANIZATION_NAME=acme".to_owned(),
        "SALAD_PROJECT_NAME=default".to_owned(),
        "SALAD_CONTAINER_GROUP_NAME=worker".to_owned(),
        format!("SALAD_CONTAINER_GROUP_ID={}", instance["container_group_id"].as_str().unwrap()),
    ] {
        assert!(environment.lines().any(|one| one == line), "{line} is not in {environment}");
    }
    assert!(!environment.contains("CRESS_NODE"), "{environment}");

    let imds = node.imds(0);
    let status = get(&format!("{imds}/v1/status"), METADATA).unwrap();
    assert_eq!(status.json(), json!({"ready": true, "started": true}));

    let cost = format!("{imds}/v1/deletion-cost");
    assert_eq!(get(&cost, METADATA).unwrap().json(), json!({"deletion_cost": 0}));
    let json_type = &["Metadata: true", "Content-Type: application/json"];
    assert_eq!(send("PUT", &cost, json_type, r#"{"deletion_cost":-7}"#).unwrap().status, 204);
    assert_eq!(get(&cost, METADATA).unwrap().json(), json!({"deletion_cost": -7}));
    eventually("control to know the cost", || (state(&control)[0]["deletion_cost"] == -7).then_some(()));

    let first = get(&format!("{imds}/v1/token"), METADATA).unwrap().body;
    std::fs::remove_file(&file).unwrap();
    assert_eq!(send("POST", &format!("{imds}/v1/restart"), METADATA, "").unwrap().status, 204);
    let again = eventually("the instance to start again", || std::fs::read_to_string(&file).ok());
    assert!(again.contains(&format!("SALAD_INSTANCE_ID={id}")), "a restart keeps the id: {again}");
    let second = eventually("a token after the restart", || {
        get(&format!("{imds}/v1/token"), METADATA).ok().filter(|answer| answer.status == 200)
    });
    assert_ne!(second.body, first, "a restart drops the token");
    eventually("control to know of the restart", || (state(&control)[0]["restarts"] == 1).then_some(()));

    for call in ["reallocate", "recreate"] {
        let body = if call == "reallocate" { r#"{"reason":"slow"}"# } else { "" };
        let answer = send("POST", &format!("{imds}/v1/{call}"), json_type, body).unwrap();
        assert_eq!((answer.status, answer.json()["code"].as_str()), (404, Some("not-available")), "{answer:?}");
    }
}

#[test]
fn probes_decide_what_the_status_says() {
    let control = Control::start();
    let node = control.start_node(&[]);
    let flag = control.directory().join("ready");
    let probe = json!({"exec": {"command": ["test", "-e", flag]}, "period_seconds": 1});
    control
        .create_group("worker", &json!({"replicas": 1, "command": ["sleep", "600"], "probes": {"readiness": probe}}));
    let status = || get(&format!("{}/v1/status", node.imds(0)), METADATA).ok().map(|answer| answer.json());
    eventually("not to be ready", || (status()? == json!({"ready": false, "started": true})).then_some(()));
    std::fs::write(&flag, "").unwrap();
    eventually("to be ready", || (status()? == json!({"ready": true, "started": true})).then_some(()));
}

#[test]
fn scaling_and_deleting_end_instances() {
    let control = Control::start();
    let node = control.start_node(&[]);
    control.create_group("worker", &json!({"replicas": 3, "command": ["sleep", "600"], "stop_grace_seconds": 1}));
    let answers =
        |index: u16| get(&format!("{}/v1/token", node.imds(index)), METADATA).is_ok_and(|one| one.status == 200);
    eventually("three instances", || (0..3).all(answers).then_some(()));
    let group = ["--organization", "acme", "--project", "default", "worker"];
    control.admin(&[&["groups", "scale"], &group[..], &["1"]].concat());
    eventually("one instance", || ((0..3).filter(|&index| answers(index)).count() == 1).then_some(()));
    control.admin(&[&["groups", "delete"], &group[..]].concat());
    eventually("no instance", || (0..3).all(|index| !answers(index)).then_some(()));
    assert_eq!(state(&control), Vec::<Value>::new());
}

#[test]
fn no_instance_outlives_its_node() {
    let control = Control::start();
    let mut node = control.start_node(&[]);
    let file = control.directory().join("pid");
    let script = format!("echo $$ > {0}.new && mv {0}.new {0} && exec sleep 600", file.display());
    control.create_group("worker", &json!({"replicas": 1, "command": ["sh", "-c", script]}));
    let pid: i32 = eventually("the instance's process id", || std::fs::read_to_string(&file).ok()?.trim().parse().ok());
    let process = nix::unistd::Pid::from_raw(pid);
    assert!(nix::sys::signal::kill(process, None).is_ok());
    node.program().kill();
    eventually("the instance to end", || nix::sys::signal::kill(process, None).is_err().then_some(()));

    std::fs::remove_file(&file).unwrap();
    node.start_again();
    eventually("the instance to run again", || std::fs::read_to_string(&file).ok());
    let finished = node.program().interrupt();
    assert!(finished.status.success(), "{finished:?}");
}
