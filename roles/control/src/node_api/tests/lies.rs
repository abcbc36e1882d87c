// SPDX-License-Identifier: Apache-2.0
//! Nodes that say what is not so: nothing of others changes by it, and it is counted.

use std::time::Duration;

use cress_api::node_protocol::node_report::Report;
use cress_api::node_protocol::{Hello, InstanceReport, InstanceReports, NodeReport};
use cress_domain::InstanceId;
use cress_service::SystemRandom;
use tonic::Code;

use super::stream::Stream;
use super::world::{Node, World, eventually};

const GROUP: &str = r#"{"replicas":3,"command":["a"]}"#;

fn lie(instance: &str) -> InstanceReport {
    InstanceReport {
        instance_id: instance.to_owned(),
        state: i32::MAX,
        started: true,
        ready: true,
        restarts: u32::MAX,
        deletion_cost: i32::MIN,
        detail: "\u{1b}[2J".repeat(1_000),
    }
}

async fn report(stream: &Stream, instances: Vec<InstanceReport>) {
    let report = NodeReport { report: Some(Report::Instances(InstanceReports { instances })) };
    stream.up.send(report).await.unwrap();
}

async fn of_agent(world: &World, node: &Node, byte: u8) -> Stream {
    let hello = Hello { agent_version: "test".into(), capacity: 100, boot_id: vec![byte; 16] };
    world.stream_with(node, Report::Hello(hello)).await.unwrap()
}

#[tokio::test]
async fn what_a_node_says_of_others_instances_is_ignored_and_counted() {
    let world = World::new().await;
    let (liar, honest) = (world.node().await, world.node().await);
    let group = world.group(GROUP).await;
    let [own, others, ended] =
        [world.place(&liar, group).await, world.place(&honest, group).await, world.place(&liar, group).await];
    world.end(ended).await;
    let mut stream = world.stream(&liar).await.unwrap();
    stream.begin().await;
    let unknown = InstanceId::generate(&SystemRandom);
    let ids = [others, ended, unknown, own].map(|id| id.to_string());
    let lies = ids.iter().map(String::as_str).chain(["", "../../etc", "'; DROP TABLE"]).map(lie).collect();
    report(&stream, lies).await;
    eventually("its own instance's cost", async || world.stored_cost(own).await == i32::MIN).await;
    assert_eq!(world.stored_cost(others).await, 0);
    assert!(world.fleet.report(honest.machine, others).is_none());
    let noted = world.fleet.report(liar.machine, own).unwrap();
    assert_eq!((noted.state, noted.restarts), (None, u32::MAX));
    assert!(noted.detail.is_some_and(|detail| detail.len() <= 256 && !detail.chars().any(char::is_control)));
    let counted = world.counted();
    assert!(counted.contains("control_reports_ignored_total{reason=\"not_placed\"} 3"), "{counted}");
    assert!(counted.contains("control_reports_ignored_total{reason=\"malformed\"} 3"), "{counted}");
    for token in world.issue(&liar, &[(others.to_string(), ""), (ended.to_string(), "")]).await.unwrap() {
        token.unwrap_err();
    }
}

#[tokio::test]
async fn a_node_that_reports_too_much_is_cut_off_and_one_that_reports_too_often_waits() {
    let world = World::new().await;
    let (flooding, neighbour) = (world.node().await, world.node().await);
    let mut stream = world.stream(&flooding).await.unwrap();
    stream.begin().await;
    let short = || InstanceReport { detail: String::new(), ..lie("x") };
    report(&stream, (0..10_001).map(|_| short()).collect()).await;
    assert_eq!(stream.end().await.code(), Code::ResourceExhausted);

    let stream = world.stream(&flooding).await.unwrap();
    let flood = tokio::spawn(async move {
        loop {
            report(&stream, vec![short()]).await;
        }
    });
    let group = world.group(GROUP).await;
    let instance = world.place(&neighbour, group).await;
    assert!(world.issue(&neighbour, &[(instance.to_string(), "")]).await.unwrap()[0].is_ok());
    eventually("what is heard of it", async || world.counted().contains("{reason=\"malformed\"} 4")).await;
    flood.abort();
}

#[tokio::test]
async fn two_agents_with_one_key_are_noticed_and_the_newest_is_served() {
    let world = World::new().await;
    let replica = world.replica().await;
    let node = world.node().await;
    let duplicated = async || world.store.node(node.machine).await.unwrap().duplicated_at.is_some();
    let agent = async |byte: u8| {
        let id = cress_store::control::BootId::from_bytes([byte; 16]);
        world.store.node(node.machine).await.unwrap().boot_id == Some(id)
    };
    let mut first = of_agent(&world, &node, 1).await;
    eventually("the first", || agent(1)).await;
    // The other one talks to another replica.
    let mut second = of_agent(&replica, &node, 2).await;
    eventually("the second", || agent(2)).await;
    assert_eq!(first.end().await.code(), Code::Aborted);
    assert!(!duplicated().await, "an agent may be started again");
    let _third = of_agent(&world, &node, 1).await;
    assert_eq!(second.end().await.code(), Code::Aborted);
    eventually("the first again", || agent(1)).await;
    eventually("the notice", duplicated).await;
    assert!(world.counted().contains("control_nodes_duplicated_total 1"), "{}", world.counted());
    assert!(tokio::time::timeout(Duration::from_secs(20), world.issue(&node, &[])).await.unwrap().is_ok());
}

/// Whatever it announces on its stream: a rogue node is not to attract every instance.
#[tokio::test]
async fn a_stream_announces_no_more_than_the_join_token_allows() {
    let world = World::new().await;
    let node = world.node_of_at_most(Some(3)).await;
    let capacity = async || world.store.node(node.machine).await.unwrap().capacity;
    let announce = async |capacity| {
        let hello = Hello { agent_version: "test".into(), capacity, boot_id: Vec::new() };
        let mut stream = world.stream_with(&node, Report::Hello(hello)).await.unwrap();
        stream.begin().await;
        stream
    };
    assert_eq!(capacity().await, 3, "as it enrolled");
    let before = world.store.revision().await.unwrap();
    let stream = announce(100).await;
    report(&stream, vec![lie("x")]).await;
    eventually("its hello to be heard", async || world.counted().contains("{reason=\"malformed\"} 1")).await;
    assert_eq!((capacity().await, world.store.revision().await.unwrap()), (3, before), "nothing is written for it");
    let _stream = announce(2).await;
    eventually("less", async || capacity().await == 2).await;
    let _stream = announce(1_000).await;
    eventually("as much as is allowed", async || capacity().await == 3).await;
    assert_eq!(world.fleet.node(node.machine).unwrap().capacity_max, Some(3));
}
