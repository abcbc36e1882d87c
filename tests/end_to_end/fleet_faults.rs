// SPDX-License-Identifier: Apache-2.0
//! Authorities that change, disks that are copied, nodes that sleep.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cress_domain::Timestamp;
use cress_tests::{Control, eventually, eventually_for, get};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::enrolment::{connected, node_ids};
use crate::tokens::claims;

const METADATA: &[&str] = &["Metadata: true"];

fn authorities(control: &Control) -> Vec<Value> {
    control.admin(&["ca", "list"]).as_array().unwrap().clone()
}

#[test]
fn an_authority_is_replaced_and_every_node_follows_also_one_that_slept() {
    let settings = [
        ("CRESS_CONTROL_NODE_API__AUTHORITIES__LEAD_SECONDS", "3"),
        ("CRESS_CONTROL_NODE_API__AUTHORITIES__OVERLAP_SECONDS", "3"),
    ];
    let control = Control::start_with(&settings);
    let mut awake = control.start_node(&[]);
    let mut asleep = control.start_node(&[]);
    eventually("two nodes", || (connected(&control) == 2).then_some(()));
    let ids = node_ids(&control);
    asleep.program().kill();
    let ca_file = control.data_dir().join("ca.pem");
    let old = std::fs::read_to_string(&ca_file).unwrap();
    let first = authorities(&control);
    let both = control.admin(&["ca", "rotate"]);
    assert_eq!(both.as_array().unwrap().len(), 2);
    assert_eq!(control.admin(&["ca", "rotate"]), both, "repeating it does no harm");
    eventually("the new authority alone", || {
        let now = authorities(&control);
        (now.len() == 1 && now[0]["fingerprint"] != first[0]["fingerprint"]).then_some(())
    });
    eventually("ca.pem to follow", || {
        let now = std::fs::read_to_string(&ca_file).unwrap();
        (now != old && now.matches("BEGIN").count() == 1).then_some(())
    });
    // One knows only the old authority, and has only a certificate of it; the other one heard of the new one in time.
    asleep.start_again();
    awake.program().interrupt();
    awake.start_again();
    eventually("both nodes again", || (connected(&control) == 2).then_some(()));
    assert_eq!(node_ids(&control), ids);
    // Whoever joins now gets to know the new one.
    let _new = control.start_node(&[]);
    eventually("another node", || (connected(&control) == 3).then_some(()));
}

#[test]
fn a_copied_disk_is_noticed() {
    let control = Control::start();
    let node = control.start_node(&[]);
    eventually("the node", || (connected(&control) == 1).then_some(()));
    assert_eq!(control.admin(&["nodes", "list"])[0]["duplicated_at"], Value::Null);
    let _copy = node.start_copy();
    eventually("the notice", || control.admin(&["nodes", "list"])[0]["duplicated_at"].is_string().then_some(()));
    assert_eq!(node_ids(&control).len(), 1);
}

/// When a token ends, by its own word; it must be a good one.
fn expiry(control: &Control, answer: &cress_tests::Answer) -> Timestamp {
    let jwks = format!("{}/.well-known/workload-jwks.json", control.url());
    let verdict = claims(&jwks, &control.url(), answer.json()["jwt"].as_str().unwrap());
    Timestamp::from_unix_seconds(verdict["claims"]["exp"].as_i64().unwrap())
}

#[test]
fn a_paused_node_serves_nothing_that_is_over_and_recovers() {
    let control = Control::start();
    let mut node = control.start_node(&[]);
    control.create_group("worker", &json!({"replicas": 1, "command": ["sleep", "900"], "token_ttl_seconds": 60}));
    let url = format!("{}/v1/token", node.imds(0));
    let good = || get(&url, METADATA).ok().filter(|answer| answer.status == 200);
    let before = expiry(&control, &eventually("a token", good));
    node.program().signal(Signal::SIGSTOP);
    let now = || Timestamp::default() + SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    eventually_for(Duration::from_secs(90), "the token's end", || (now() > before).then_some(()));
    eventually("control to miss the node", || (connected(&control) == 0).then_some(()));
    node.program().signal(Signal::SIGCONT);
    let after = expiry(
        &control,
        &eventually("a token again", || {
            let answer = get(&url, METADATA).ok()?;
            assert!(answer.status != 200 || expiry(&control, &answer) > now(), "a token that is over was served");
            (answer.status == 200).then_some(answer)
        }),
    );
    assert!(after > before);
    eventually("the node again", || (connected(&control) == 1).then_some(()));
}
