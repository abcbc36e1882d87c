// SPDX-License-Identifier: Apache-2.0
//! Health probes of real processes.

use cress_node::InstanceState;

use crate::control::Control;
use crate::node::{SLEEPER, Setup, lines, script, until};

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_is_started_and_ready_when_its_probes_say_so() {
    let control = Control::start().await;
    let setup = Setup::of(&control);
    let node = setup.start().await;
    let (up, ready) = (setup.path("up"), setup.path("ready"));
    let probes = format!(
        r#","probes":{{"startup":{{"exec":{{"command":["test","-e","{}"]}},"period_seconds":1,"failure_threshold":20}},
            "readiness":{{"exec":{{"command":["test","-e","{}"]}},"period_seconds":1,"failure_threshold":1}}}}"#,
        up.display(),
        ready.display()
    );
    let id = control.place(&script(SLEEPER, &probes));
    node.wait_for(id, InstanceState::Running).await;
    let imds = node.imds(id);
    let status = async || {
        let status = imds.status().await.unwrap();
        (status.started, status.ready)
    };
    assert_eq!(status().await, (false, false));
    std::fs::write(&up, "").unwrap();
    until("startup", || control.report(id).is_some_and(|report| report.started)).await;
    assert_eq!(status().await, (true, false));
    std::fs::write(&ready, "").unwrap();
    until("readiness", || control.report(id).is_some_and(|report| report.ready)).await;
    assert_eq!(status().await, (true, true));
    std::fs::remove_file(&ready).unwrap();
    until("no readiness", || control.report(id).is_some_and(|report| !report.ready)).await;
    assert_eq!(status().await, (true, false));
    assert!(control.report(id).unwrap().detail.contains("readiness probe failed"));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_liveness_failure_restarts_the_instance() {
    let control = Control::start().await;
    let setup = Setup::of(&control);
    let node = setup.start().await;
    let (out, ill) = (setup.path("out"), setup.path("ill"));
    let probes = format!(
        r#","probes":{{"liveness":{{"exec":{{"command":["test","!","-e","{}"]}},"period_seconds":1,"failure_threshold":2}}}}"#,
        ill.display()
    );
    let note = format!("rm -f {}; echo run >>{}; {SLEEPER}", ill.display(), out.display());
    let id = control.place(&script(&note, &probes));
    lines(&out, 1).await;
    std::fs::write(&ill, "").unwrap();
    lines(&out, 2).await;
    until("the report", || control.report(id).is_some_and(|report| report.restarts == 1)).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_startup_failure_ends_a_run_that_is_not_to_be_repeated() {
    let control = Control::start().await;
    let setup = Setup::of(&control);
    let node = setup.start().await;
    let never =
        r#","restart_policy":"never","probes":{"startup":{"tcp":{"port":1},"period_seconds":1,"failure_threshold":1}}"#;
    let id = control.place(&script(SLEEPER, never));
    node.wait_for(id, InstanceState::Failed).await;
    until("the reason", || {
        control.report(id).is_some_and(|report| report.detail.contains("its startup probe failed: port 1"))
    })
    .await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ports_are_probed_as_the_instance_sees_them() {
    let control = Control::start().await;
    let setup = Setup::of(&control);
    let node = setup.start().await;
    let health = Health::start();
    let probes = format!(
        r#","probes":{{"startup":{{"tcp":{{"port":{0}}},"period_seconds":1}},
            "readiness":{{"http":{{"path":"/health?full","port":{0},"headers":{{"x-probe":"yes"}}}},"period_seconds":1,"failure_threshold":1}}}}"#,
        health.port
    );
    let id = control.place(&script(SLEEPER, &probes));
    until("readiness", || control.report(id).is_some_and(|report| report.ready)).await;
    health.set_status(503);
    until("no readiness", || control.report(id).is_some_and(|report| !report.ready)).await;
    assert!(control.report(id).unwrap().detail.contains("got 503"), "{:?}", control.report(id));
    health.set_status(302);
    until("readiness again", || control.report(id).is_some_and(|report| report.ready)).await;
    let head = health.last_head();
    assert!(head.starts_with("GET /health?full HTTP/1.1\r\n") && head.contains("\r\nx-probe: yes\r\n"), "{head}");
    node.stop().await;
}

/// A server that answers every request with the same status, on a thread of its own.
struct Health {
    port: u16,
    state: std::sync::Arc<std::sync::Mutex<(u16, String)>>,
}

impl Health {
    fn start() -> Self {
        use std::io::{Read, Write};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = std::sync::Arc::new(std::sync::Mutex::new((200, String::new())));
        let shared = std::sync::Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut head = [0; 1_024];
                let length = stream.read(&mut head).unwrap_or(0);
                let mut state = shared.lock().unwrap();
                if length > 0 {
                    state.1 = String::from_utf8_lossy(&head[..length]).into_owned();
                }
                let _gone = write!(stream, "HTTP/1.1 {} X\r\nContent-Length: 0\r\n\r\n", state.0);
            }
        });
        Self { port, state }
    }

    fn set_status(&self, status: u16) {
        self.state.lock().unwrap().0 = status;
    }

    fn last_head(&self) -> String {
        self.state.lock().unwrap().1.clone()
    }
}
