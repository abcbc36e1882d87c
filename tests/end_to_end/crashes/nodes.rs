// SPDX-License-Identifier: Apache-2.0
//! The node is the one that is killed, at every point before and after a file that outlives it: its key, its membership, its
//! certificate. Control runs on; what counts is that it ends with the one node that it began with.
#![expect(clippy::print_stdout, reason = "which points were tried is the test's report")]

use serde_json::{Value, json};

use super::fleet::{enrol, hours_left, invite, is_connected};
use super::matrix::{Context, Moment, Scene, Stage, Template, choose, prepare};
use super::sites::Store;
use cress_tests::{Faults, Program, base_port, eventually};

const HOUR: u32 = 3_600;

/// What happens to a node, and when it is done.
pub(super) struct NodeScene {
    name: &'static str,
    later_seconds: u32,
    /// What it builds on. None: a control without nodes, and a join token.
    prepare: Option<fn(&mut Stage) -> Value>,
    is_done: fn(&Stage) -> bool,
}

/// It joins with a token.
pub(super) const ENROLMENT: NodeScene = NodeScene {
    name: "enrolment, seen from the node",
    later_seconds: 0,
    prepare: None,
    is_done: |stage| connected(stage),
};

/// Its certificate is renewed, long before its end.
pub(super) const RENEWAL: NodeScene = NodeScene {
    name: "renewal, seen from the node",
    later_seconds: 20 * HOUR,
    prepare: Some(enrolled),
    is_done: |stage| certified(stage, 30),
};

/// It slept beyond the end of its certificate, and proves its key.
pub(super) const RECOVERY: NodeScene = NodeScene {
    name: "recovery, seen from the node",
    later_seconds: 30 * HOUR,
    prepare: Some(enrolled),
    is_done: |stage| certified(stage, 40),
};

/// Another authority is told to it, and written down with the first.
pub(super) const AUTHORITIES: NodeScene = NodeScene {
    name: "rotation of the certificate authority, seen from the node",
    later_seconds: 0,
    prepare: Some(|stage| {
        let notes = enrolled(stage);
        stage.control.admin(&["ca", "rotate"]);
        notes
    }),
    is_done: |stage| {
        let record = std::fs::read_to_string(stage.node_directory().join("data/membership.json")).unwrap_or_default();
        let record: Value = serde_json::from_str(&record).unwrap_or_default();
        let authorities = record["authorities_pem"].as_str().unwrap_or_default();
        connected(stage) && authorities.matches("BEGIN CERTIFICATE").count() == 2
    },
};

impl NodeScene {
    /// What control does in it: nothing but to be there.
    const fn of_control(&self) -> Scene {
        let act = |_: &mut Stage| Ok(());
        let check = |_: &Stage, _: &Value, _: Moment| {};
        Scene { name: self.name, settings: &[], later_seconds: self.later_seconds, prepare: self.prepare, act, check }
    }
}

fn enrolled(stage: &mut Stage) -> Value {
    enrol(stage);
    stage.control.list("nodes").unwrap()[0].clone()
}

fn connected(stage: &Stage) -> bool {
    stage.control.list("nodes").unwrap().iter().any(is_connected)
}

/// Whether it is here with a certificate that is good for more than so many hours of the test's time.
fn certified(stage: &Stage, hours: i64) -> bool {
    let is_new = |node: &Value| is_connected(node) && hours_left(node) > hours;
    stage.control.list("nodes").unwrap().iter().any(is_new)
}

fn check(stage: &Stage, before: &Value, moment: Moment) {
    let nodes = stage.control.list("nodes").unwrap();
    assert!(nodes.len() == 1 || moment == Moment::AfterCrash && nodes.is_empty(), "{nodes:?}");
    if let Some(machine) = before.get("machine_id") {
        assert_eq!((&nodes[0]["machine_id"], &nodes[0]["state"]), (machine, &json!("active")));
    }
}

/// Plays a scene as often as the node passes points in it.
pub(super) fn run(played: &NodeScene, store: Store) {
    let scene = &played.of_control();
    let (template, notes) = prepare(scene, store);
    let faults = |stage: &Stage| Faults::in_directory(&stage.node_directory().join("faults"));
    let done = |stage: &Stage| eventually(played.name, || (played.is_done)(stage).then_some(()));
    let total = {
        let stage = begin(scene, &template, base_port());
        let counted = faults(&stage);
        let _node = start(&stage, Some(&counted));
        done(&stage);
        counted.passed().len()
    };
    assert!(total > 0, "{}: the node passes no point", scene.name);
    let mut reached = 0;
    let chosen = choose(total, store);
    println!("{}: {} of {total} points", scene.name, chosen.len());
    for number in &chosen {
        let stage = begin(scene, &template, base_port());
        let armed = faults(&stage);
        armed.kill_at(*number);
        let mut node = start(&stage, Some(&armed));
        let was_killed = eventually("the node to be killed, or to be done", || match node.ended() {
            Some(_) => Some(true),
            None => (armed.passed().len() < *number && (played.is_done)(&stage)).then_some(false),
        });
        reached += usize::from(was_killed);
        let _context = Context { scene: scene.name, number: *number, at: armed.passed().pop().unwrap_or_default() };
        check(&stage, &notes, Moment::AfterCrash);
        drop(node);
        let _again = start(&stage, None);
        done(&stage);
        check(&stage, &notes, Moment::Done);
    }
    assert!(reached * 3 >= chosen.len(), "{}: only {reached} of {} points were reached", scene.name, chosen.len());
}

/// Control runs, and the node may start.
fn begin(scene: &Scene, template: &Template, port: u16) -> Stage {
    let mut stage = Stage::copy(scene, template, port);
    stage.control.start();
    if scene.prepare.is_none() {
        invite(&stage);
    }
    stage
}

fn start(stage: &Stage, faults: Option<&Faults>) -> Program {
    let later = stage.later_seconds.to_string();
    let directory = faults.map(Faults::directory);
    let mut environment = vec![("CRESS_CLOCK_AHEAD_SECONDS", later.as_str())];
    environment.extend(directory.as_deref().map(|directory| (Faults::VARIABLE, directory)));
    stage.control.start_node(&stage.node_directory(), &environment)
}
