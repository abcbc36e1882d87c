// SPDX-License-Identifier: Apache-2.0
//! Nodes that join and renew, and instances that are placed and ended.

use std::collections::BTreeSet;
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use cress_domain::Timestamp;
use serde_json::{Value, json};

use super::matrix::{Moment, Scene, Stage};

const HOUR: u32 = 3_600;
const GROUP: [&str; 5] = ["--organization", "acme", "--project", "default", "worker"];

pub(super) const ENROLMENT: Scene = Scene {
    name: "enrolment",
    settings: &[],
    later_seconds: 0,
    prepare: Some(|stage| invite(stage)),
    act: |stage| {
        stage.start_node();
        stage.until("the node", |control| Ok(control.list("nodes")?.iter().any(is_connected).then_some(())))
    },
    check: |stage, invitation, moment| {
        // In this order: the node goes on trying meanwhile.
        let tokens = stage.control.ask(&["nodes", "invitations"]).unwrap();
        let token = tokens.as_array().unwrap().iter().find(|token| token["id"] == invitation["id"]).unwrap().clone();
        let nodes = stage.control.list("nodes").unwrap();
        assert!(nodes.len() <= 1, "{nodes:?}");
        let is_used = token["state"] == "used";
        assert!(is_used || moment == Moment::AfterCrash);
        if is_used {
            assert_eq!(nodes[0]["machine_id"], token["machine_id"], "the token is used by the node that is there");
        }
    },
};

/// A certificate lives for 24 hours, and is renewed long before.
pub(super) const RENEWAL: Scene = Scene {
    name: "renewal",
    settings: &[],
    later_seconds: 20 * HOUR,
    prepare: Some(|stage| {
        enrol(stage);
        stage.control.list("nodes").unwrap()[0].clone()
    }),
    act: |stage| {
        stage.start_node();
        // The first one ends in 24 hours, one that is made in 20 hours in 44.
        let is_new = |node: &Value| is_connected(node) && hours_left(node) > 30;
        stage.until("another certificate", |control| {
            Ok(control.list("nodes")?.first().is_some_and(is_new).then_some(()))
        })
    },
    check: |stage, before, _| {
        let nodes = stage.control.list("nodes").unwrap();
        assert_eq!(nodes.len(), 1);
        assert_eq!((&nodes[0]["machine_id"], &nodes[0]["state"]), (&before["machine_id"], &json!("active")));
    },
};

pub(super) const PLACEMENT: Scene = Scene {
    name: "placement",
    settings: &[],
    later_seconds: 0,
    prepare: Some(|stage| {
        enrol(stage);
        create(stage, 0)
    }),
    act: |stage| scale(stage, 7),
    check: |stage, _, _| assert_instances(stage, 7, None),
};

pub(super) const SCALE_DOWN: Scene = Scene {
    name: "scaling down",
    settings: &[],
    later_seconds: 0,
    prepare: Some(|stage| {
        enrol(stage);
        create(stage, 7)
    }),
    act: |stage| scale(stage, 2),
    check: |stage, before, moment| {
        let most = if moment == Moment::Done { 2 } else { 7 };
        assert_instances(stage, most, Some(before));
    },
};

pub(super) const BAN: Scene = Scene {
    name: "ban",
    settings: &[],
    later_seconds: 0,
    prepare: Some(|stage| {
        enrol(stage);
        create(stage, 4)
    }),
    act: |stage| {
        let node = stage.control.list("nodes")?.first().map(|node| node["machine_id"].as_str().unwrap().to_owned());
        stage.control.ask(&["nodes", "ban", &node.unwrap()]).map(drop)
    },
    check: |stage, before, moment| {
        let banned = stage.control.list("nodes").unwrap()[0]["state"] == "banned";
        assert!(banned || moment == Moment::AfterCrash);
        if banned {
            assert_eq!(ids(&stage.control.list("instances").unwrap()), BTreeSet::new());
        } else {
            assert_instances(stage, 4, Some(before));
        }
    },
};

pub(super) const DELETION: Scene = Scene {
    name: "deletion of a group",
    settings: &[],
    later_seconds: 0,
    prepare: Some(|stage| {
        enrol(stage);
        create(stage, 4)
    }),
    act: |stage| match stage.control.ask(&[&["groups", "delete"], &GROUP[..]].concat()) {
        Err(error) if error.contains("there is no") => Ok(()),
        answer => answer.map(drop),
    },
    check: |stage, before, moment| {
        let groups = stage.control.ask(&["groups", "list", "--organization", "acme", "--project", "default"]).unwrap();
        if groups == json!([]) {
            assert_eq!(ids(&stage.control.list("instances").unwrap()), BTreeSet::new());
        } else {
            assert_eq!(moment, Moment::AfterCrash);
            assert_instances(stage, 4, Some(before));
        }
    },
};

pub(super) fn invite(stage: &Stage) -> Value {
    let invitation = stage.control.admin(&["nodes", "invite"]);
    fs::create_dir_all(stage.node_directory()).unwrap();
    fs::write(stage.node_directory().join("join-token"), invitation["join_token"].as_str().unwrap()).unwrap();
    invitation
}

pub(super) fn is_connected(node: &Value) -> bool {
    node["connected"] == true
}

/// For how long the node's certificate is good, in hours from now by the test's own clock.
pub(super) fn hours_left(node: &Value) -> i64 {
    let end = Timestamp::parse_rfc3339(node["certificate_not_after"].as_str().unwrap()).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    (end.unix_seconds() - i64::try_from(now).unwrap()) / i64::from(HOUR)
}

/// Makes a member of a node, which then stops.
pub(super) fn enrol(stage: &Stage) {
    invite(stage);
    let mut node = stage.control.start_node(&stage.node_directory(), &[]);
    stage.until("the node", |control| Ok(control.list("nodes")?.iter().any(is_connected).then_some(()))).unwrap();
    node.interrupt();
    stage
        .until("the node to be gone", |control| Ok((!control.list("nodes")?.iter().any(is_connected)).then_some(())))
        .unwrap();
}

/// A group with so many instances placed; their ids.
pub(super) fn create(stage: &Stage, replicas: usize) -> Value {
    stage.control.create_group("worker", &json!({"replicas": replicas, "command": ["sleep", "600"]})).unwrap();
    json!(placed(stage, replicas).unwrap())
}

fn scale(stage: &Stage, replicas: usize) -> Result<(), String> {
    stage.control.ask(&[&["groups", "scale"], &GROUP[..], &[&replicas.to_string()]].concat())?;
    placed(stage, replicas).map(drop)
}

/// Waits until so many are placed; their ids.
fn placed(stage: &Stage, count: usize) -> Result<BTreeSet<String>, String> {
    stage.until("the instances", |control| {
        let ids = ids(&control.list("instances")?);
        Ok((ids.len() == count).then_some(ids))
    })
}

/// No more than these, and if `known`, no others.
fn assert_instances(stage: &Stage, most: usize, known: Option<&Value>) {
    let now = ids(&stage.control.list("instances").unwrap());
    assert!(now.len() <= most, "{} instead of {most} at most", now.len());
    if let Some(known) = known {
        let known: BTreeSet<String> =
            known.as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect();
        assert!(now.is_subset(&known), "instances were moved: {now:?} {known:?}");
    }
}

pub(super) fn ids(instances: &[Value]) -> BTreeSet<String> {
    instances.iter().map(|instance| instance["id"].as_str().unwrap().to_owned()).collect()
}
