// SPDX-License-Identifier: Apache-2.0
//! The examples, run as their READMEs say.

use std::path::PathBuf;
use std::process::Command;

use cress_tests::{Program, Stack, Up, eventually, get, program, python_a6, repository, send};
use serde_json::Value;

fn example(path: &str) -> PathBuf {
    repository().join("examples").join(path)
}

fn admin(stack: &Stack, arguments: &[&str]) -> Value {
    let mut command = cress_tests::cress(&["admin", "--json", "--socket", &stack.endpoints.admin_socket]);
    serde_json::from_slice(&command.args(arguments).output().unwrap().stdout).unwrap()
}

/// Starts a service that lets in this container group, and returns where it takes results.
fn start_service(up: &Up, stack: &Stack, mut command: Command, group: &str) -> (Program, String) {
    let port = up.base_port() + 45;
    let organizations = admin(stack, &["organizations", "list"]);
    command.env("JWKS_URL", &stack.endpoints.jwks).env("ISSUER", &stack.endpoints.control);
    command.env("AUDIENCE", organizations[0]["id"].as_str().unwrap()).env("CONTAINER_GROUP_ID", group);
    command.env("PORT", port.to_string());
    let mut service = Program::start(command, &up.directory().join("service.log"));
    let url = format!("http://127.0.0.1:{port}");
    eventually("the service", || {
        let ended = service.ended();
        assert!(ended.is_none(), "{}", service.output());
        get(&format!("{url}/healthz"), &[]).ok()
    });
    (service, format!("{url}/results"))
}

fn worker(up: &Up, stack: &Stack, results: &str) -> Program {
    let mut command = Command::new(python_a6());
    command.arg(example("python-worker/worker.py")).env("IMDS_URL", stack.imds(0)).env("RESULTS_URL", results);
    command.env("RESULTS_MAX", "3").env("JOB_SECONDS", "0");
    Program::start(command, &up.directory().join("worker.log"))
}

fn check(service: impl Fn() -> Command) {
    let up = Up::new();
    let stack = up.start(&["--instances", "1"]);
    let groups = admin(&stack, &["groups", "list", "--organization", "example", "--project", "default"]);
    let group = groups[0]["id"].as_str().unwrap().to_owned();

    let (mut running, results) = start_service(&up, &stack, service(), &group);
    let finished = worker(&up, &stack, &results).wait();
    assert!(finished.status.success(), "{finished:?}");
    let json = "Content-Type: application/json";
    let refused = send("POST", &results, &[json], "{}").unwrap();
    assert_eq!(refused.status, 401, "{refused:?}");
    assert!(refused.header("www-authenticate").is_some_and(|challenge| challenge.starts_with("Bearer")), "{refused:?}");
    let refused = send("POST", &results, &[json, "Authorization: Bearer a.b.c"], "{}").unwrap();
    assert_eq!(refused.status, 401, "{refused:?}");
    running.kill();

    let (_running, results) = start_service(&up, &stack, service(), "00000000-0000-0000-0000-000000000000");
    let finished = worker(&up, &stack, &results).wait();
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
}

#[test]
fn the_python_worker_and_the_flask_service_work() {
    check(|| {
        let mut command = Command::new(python_a6());
        command.arg(example("flask-service/service.py"));
        command
    });
}

#[test]
fn the_python_worker_and_the_rust_service_work() {
    check(|| Command::new(program("cress-example-service")));
}
