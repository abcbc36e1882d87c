// SPDX-License-Identifier: Apache-2.0
//! Ten thousand connections to one instance's metadata service: bounded memory, and another instance does not notice.

use std::io::Write;
use std::net::TcpStream;
use std::process::Command;

use crate::support::{eventually, number, start};
use cress_node::imds::Limits;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

const CONNECTIONS: u64 = 10_000;
/// File descriptors for the server's side and for all the rest.
const SPARE: u64 = 2_000;
/// What 512 connections and the callers' side of all may take.
const GROWTH_KIBIBYTES_MAX: u64 = 24 * 1_024;

/// Other tests would count as memory of this one, above all one that fails and prints a backtrace.
#[test]
fn a_crowd_is_bounded_and_bothers_nobody_else() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crowd::in_a_process_of_its_own", "--ignored", "--nocapture"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    println!("{said}");
    assert!(output.status.success() && said.contains("1 passed"));
}

#[test]
#[ignore = "run by the test above, in a process of its own"]
fn in_a_process_of_its_own() {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    let count = CONNECTIONS.min(hard.saturating_sub(SPARE));
    if count < CONNECTIONS {
        println!("only {count} connections: the hard limit of open files is {hard}");
    }
    let limits = Limits { connections_per_second_max: number(1_000_000), ..Limits::default() };
    let (crowded, other) = (start(limits.clone()), start(limits.clone()));
    let target = crowded.target();
    let before = resident_kibibytes();

    let half_a_head = b"GET /v1/token HTTP/1.1\r\nMetadata: tr";
    let crowd: Vec<TcpStream> = (0..count)
        .filter_map(|_| {
            let mut stream = target.connect().ok()?;
            let _taken_or_refused = stream.write_all(half_a_head);
            Some(stream)
        })
        .collect();

    assert_eq!(other.get("/v1/token").status, 200);
    let growth = resident_kibibytes().saturating_sub(before);
    println!("{} connections took {growth} KiB", crowd.len());
    assert!(growth <= GROWTH_KIBIBYTES_MAX, "{} connections took {growth} KiB", crowd.len());
    // The kernel completes connections before the server takes them.
    eventually("every connection to have been taken or refused", || {
        let counts = crowded.counts();
        counts.connections + counts.connections_refused >= crowd.len() as u64
    });
    let counts = crowded.counts();
    assert!(counts.connections_refused >= count / 2, "{counts:?}");

    drop(crowd);
    eventually("the crowded instance to be served again", || {
        target.ask(&target.request("GET", "/v1/token", &[], "")).is_ok_and(|answer| answer.status == 200)
    });
}

fn resident_kibibytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
