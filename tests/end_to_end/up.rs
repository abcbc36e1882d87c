// SPDX-License-Identifier: Apache-2.0
//! `cress up`: one command, everything runs.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use cress_tests::{Up, get, get_token};

#[test]
fn everything_runs_and_stops() {
    let up = Up::new();
    let stack = up.start(&[]);
    let endpoints = &stack.endpoints;
    assert_eq!(endpoints.control, format!("http://127.0.0.1:{}", up.base_port()));
    assert_eq!(endpoints.jwks, format!("{}/.well-known/workload-jwks.json", endpoints.control));
    assert_eq!(endpoints.node_api, format!("https://127.0.0.1:{}", up.base_port() + 1));
    assert_eq!(endpoints.ca, up.data_dir().join("ca.pem").display().to_string());
    assert_eq!(endpoints.instances.len(), 2);
    assert_eq!(stack.imds(0), format!("http://127.0.0.1:{}", up.base_port() + 20));
    for index in 0..2 {
        assert!(get_token(stack.imds(index)).len() <= 1_000);
    }
    for metrics in [&endpoints.control_metrics, &endpoints.node_metrics] {
        let answer = get(metrics, &[]).unwrap();
        assert!(answer.body.contains("cress_build"), "{answer:?}");
    }
    let finished = stack.stop();
    assert!(finished.status.success(), "{finished:?}");
    for expected in ["cress is up", "curl", "Ctrl-C"] {
        assert!(finished.output.contains(expected), "{}", finished.output);
    }
    assert!(!up.data_dir().join("endpoints.json").exists());
}

#[test]
fn started_again_everything_is_the_same() {
    let up = Up::new();
    let first = up.start(&["--instances", "3"]);
    let (endpoints, keys) = (first.endpoints.clone(), get(&first.endpoints.jwks, &[]).unwrap().body);
    let nodes = up.admin(&["nodes", "list"]);
    let invitations = up.admin(&["nodes", "invitations"]);
    first.stop();
    let second = up.start(&["--instances", "3"]);
    assert_eq!(second.endpoints, endpoints);
    assert_eq!(get(&second.endpoints.jwks, &[]).unwrap().body, keys);
    assert_eq!(up.admin(&["nodes", "invitations"]), invitations);
    let now = up.admin(&["nodes", "list"]);
    for member in ["machine_id", "enrolled_at", "certificate_not_after"] {
        assert_eq!(now[0][member], nodes[0][member]);
    }
    second.stop();
    let fewer = up.start(&["--instances", "1"]);
    assert_eq!(fewer.endpoints.instances.len(), 1);
    assert!(endpoints.instances.contains(&fewer.endpoints.instances[0]));
}

#[test]
fn killed_without_a_warning_it_starts_again() {
    let up = Up::new();
    let mut first = up.start(&[]);
    let endpoints = first.endpoints.clone();
    first.program.kill();
    let second = up.start(&[]);
    assert_eq!(second.endpoints, endpoints);
    assert!(get_token(second.imds(0)).starts_with("ey"));
}

#[test]
fn json_says_where_everything_is() {
    let up = Up::new();
    let stack = up.start(&["--json", "--instances", "1"]);
    let endpoints = stack.endpoints.clone();
    let finished = stack.stop();
    let printed: cress_api::endpoints::Endpoints = serde_json::from_str(&finished.output).unwrap();
    assert_eq!(printed, endpoints);
}

#[test]
fn a_second_one_on_the_same_directory_is_refused() {
    let up = Up::new();
    let stack = up.start(&["--instances", "0"]);
    let data_dir = up.data_dir().display().to_string();
    let other = Up::new();
    let port = other.base_port().to_string();
    let output = cress_tests::cress(&["up", "--data-dir", &data_dir, "--base-port", &port]).output().unwrap();
    refused(&output, &["another cress already uses"]);
    assert!(up.data_dir().join("endpoints.json").exists());
    assert!(get(&stack.endpoints.jwks, &[]).is_ok());
}

#[test]
fn a_taken_port_is_named() {
    let up = Up::new();
    let _taken = TcpListener::bind(("127.0.0.1", up.base_port() + 1)).unwrap();
    let finished = up.spawn(&[]).wait();
    let port = format!("port {}", up.base_port() + 1);
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    for expected in [port.as_str(), "is taken", "--base-port"] {
        assert!(finished.output.contains(expected), "{}", finished.output);
    }
    assert_eq!(finished.output.lines().count(), 1, "{}", finished.output);
}

#[test]
fn a_directory_that_cannot_be_written_to_is_named() {
    let up = Up::new();
    // A file in the way stops root too, whom permissions do not.
    std::fs::write(up.data_dir(), "").unwrap();
    let finished = up.spawn(&[]).wait();
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    assert!(finished.output.contains("a file of that name is in the way"), "{}", finished.output);

    if nix::unistd::geteuid().is_root() {
        return;
    }
    std::fs::remove_file(up.data_dir()).unwrap();
    std::fs::create_dir(up.data_dir()).unwrap();
    std::fs::set_permissions(up.data_dir(), std::fs::Permissions::from_mode(0o500)).unwrap();
    let finished = up.spawn(&[]).wait();
    assert!(finished.output.contains("cannot write"), "{}", finished.output);
}

#[test]
fn a_full_disk_is_named() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let up = Up::new();
    std::fs::create_dir(up.data_dir()).unwrap();
    let mount = Mount::small(&up.data_dir());
    let finished = up.spawn(&[]).wait();
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    assert!(finished.output.contains("disk"), "{}", finished.output);
    assert_eq!(finished.output.lines().count(), 1, "{}", finished.output);
    drop(mount);
}

fn refused(output: &std::process::Output, expected: &[&str]) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert_eq!(errors.lines().count(), 1, "{errors}");
    for part in expected {
        assert!(errors.contains(part), "{errors}");
    }
}

/// A file system in memory that is full.
struct Mount(std::path::PathBuf);

impl Mount {
    fn small(path: &std::path::Path) -> Self {
        let status =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs"]).arg(path).status().unwrap();
        assert!(status.success());
        let filled = std::fs::write(path.join("ballast"), vec![0; 60 * 1024]);
        assert!(filled.is_ok());
        Self(path.to_owned())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _gone = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
