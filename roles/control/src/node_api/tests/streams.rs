// SPDX-License-Identifier: Apache-2.0
use cress_api::admin::InstanceState;
use cress_api::node_protocol::control_update::Update;
use cress_api::node_protocol::node_report::Report;
use cress_api::node_protocol::{self as wire, Hello, InstanceReports, NodeReport};
use cress_domain::{Clock, GroupDefinition, InstanceId};
use cress_service::SystemRandom;
use cress_store::control::RunningInstances;
use tonic::Code;

use super::world::{World, eventually};

const GROUP: &str = r#"{"replicas":1,"command":["sleep","infinity"],"environment":{"A":"b"}}"#;

#[tokio::test]
async fn a_stream_tells_keys_then_everything_then_changes() {
    let world = World::new().await;
    let node = world.node().await;
    let group = world.group(GROUP).await;
    let first = world.place(&node, group).await;
    let mut stream = world.stream(&node).await.unwrap();
    assert_eq!(stream.begin().await, [first.to_string()]);

    let second = world.place(&node, group).await;
    assert_eq!(stream.change().await, (vec![second.to_string()], vec![]));
    world.end(first).await;
    assert_eq!(stream.change().await, (vec![], vec![first.to_string()]));

    let definition: GroupDefinition =
        serde_json::from_str(r#"{"replicas":1,"command":["a"],"token_ttl_seconds":60}"#).unwrap();
    world.store.replace_definition(group, &definition, |_, _| RunningInstances::Keep, world.clock.now()).await.unwrap();
    world.waker.wake();
    let Ok(Update::Change(change)) = stream.next().await else { panic!("expected a change") };
    let [assignment] = change.placed.as_slice() else { panic!("{change:?}") };
    assert_eq!(assignment.instance_id, second.to_string());
    assert_eq!(serde_json::from_str::<GroupDefinition>(&assignment.definition).unwrap(), definition);
    assert_eq!(assignment.container_group_id, group.to_string());
}

#[tokio::test]
async fn a_silent_stream_has_a_heartbeat() {
    let world = World::new().await;
    let node = world.node().await;
    let mut stream = world.stream(&node).await.unwrap();
    stream.begin().await;
    for _ in 0..3 {
        assert!(matches!(stream.any().await, Ok(Update::Heartbeat(_))));
    }
    assert!(world.fleet.is_connected(node.machine));
    drop(stream);
    eventually("disconnected", async || !world.fleet.is_connected(node.machine)).await;
}

#[tokio::test]
async fn a_changed_key_set_is_told() {
    let world = World::new().await;
    let node = world.node().await;
    let mut stream = world.stream(&node).await.unwrap();
    stream.begin().await;
    let before = world.ring.current();
    let kid = before.signing_key(world.clock.now()).unwrap().kid().clone();
    world.ring.revoke(&kid).await.unwrap();
    let Ok(Update::KeySet(keys)) = stream.next().await else { panic!("expected the new key set") };
    assert_eq!(keys.jwks, world.ring.current().body);
    assert!(!String::from_utf8(keys.jwks).unwrap().contains(kid.as_str()));
}

#[tokio::test]
async fn a_ban_cuts_the_stream_and_all_else() {
    let world = World::new().await;
    let node = world.node().await;
    let group = world.group(GROUP).await;
    let instance = world.place(&node, group).await;
    let mut stream = world.stream(&node).await.unwrap();
    stream.begin().await;
    assert!(world.issue(&node, &[(instance.to_string(), "")]).await.unwrap()[0].is_ok());

    world.store.ban_node(node.machine, world.clock.now()).await.unwrap();
    world.waker.wake();
    let end = stream.end().await;
    assert_eq!(end.code(), Code::PermissionDenied, "{end}");
    assert!(end.message().contains("banned"));
    assert_eq!(world.issue(&node, &[(instance.to_string(), "")]).await.unwrap_err().code(), Code::PermissionDenied);
    assert_eq!(world.stream(&node).await.err().map(|status| status.code()), Some(Code::PermissionDenied));
}

#[tokio::test]
async fn a_removed_node_is_a_stranger() {
    let world = World::new().await;
    let node = world.node().await;
    let mut stream = world.stream(&node).await.unwrap();
    stream.begin().await;
    world.store.remove_node(node.machine, world.clock.now()).await.unwrap();
    world.waker.wake();
    assert_eq!(stream.end().await.code(), Code::PermissionDenied);
    assert_eq!(world.issue(&node, &[]).await.unwrap_err().code(), Code::PermissionDenied);
}

#[tokio::test]
async fn the_newest_stream_of_a_node_is_the_only_one() {
    let world = World::new().await;
    let node = world.node().await;
    let mut old = world.stream(&node).await.unwrap();
    old.begin().await;
    let mut new = world.stream(&node).await.unwrap();
    new.begin().await;
    assert_eq!(old.end().await.code(), Code::Aborted);
    let instance = world.place(&node, world.group(GROUP).await).await;
    assert_eq!(new.change().await, (vec![instance.to_string()], vec![]));
}

#[tokio::test]
async fn reports_are_kept_and_deletion_costs_are_stored() {
    let world = World::new().await;
    let node = world.node().await;
    let instance = world.place(&node, world.group(GROUP).await).await;
    let stream = world.stream(&node).await.unwrap();
    let report = |instance: InstanceId, deletion_cost| wire::InstanceReport {
        instance_id: instance.to_string(),
        state: wire::InstanceState::Running.into(),
        started: true,
        ready: true,
        restarts: 2,
        deletion_cost,
        detail: String::new(),
    };
    let unknown = wire::InstanceReport { instance_id: "nonsense".into(), ..Default::default() };
    let instances = vec![report(instance, -7), report(InstanceId::generate(&SystemRandom), 1), unknown];
    let report = Some(Report::Instances(InstanceReports { instances }));
    stream.up.send(NodeReport { report }).await.unwrap();
    eventually("reported", async || world.fleet.report(node.machine, instance).is_some()).await;
    let kept = world.fleet.report(node.machine, instance).unwrap();
    assert_eq!((kept.state, kept.ready, kept.restarts), (Some(InstanceState::Running), true, 2));
    eventually("stored", async || world.stored_cost(instance).await == -7).await;
    eventually("followed", async || {
        world.fleet.assignment(node.machine, instance).is_some_and(|assignment| assignment.deletion_cost == -7)
    })
    .await;
}

/// The rule of a change is asked within its transaction: as long as it does not answer, nobody else can write.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_hangs_keeps_no_report_from_being_heard() {
    let world = World::new().await;
    let node = world.node().await;
    let group = world.group(GROUP).await;
    let instance = world.place(&node, group).await;
    let stream = world.stream(&node).await.unwrap();
    eventually("connected", async || world.fleet.is_connected(node.machine)).await;
    let (go_on, told) = std::sync::mpsc::channel::<()>();
    let (store, now, runtime) = (world.store.clone(), world.clock.now(), tokio::runtime::Handle::current());
    let (holds, held) = tokio::sync::oneshot::channel();
    let hanging = tokio::task::spawn_blocking(move || {
        let definition: GroupDefinition = serde_json::from_str(GROUP).unwrap();
        let rule = move |_: &GroupDefinition, _: &GroupDefinition| {
            holds.send(()).unwrap();
            told.recv().ok();
            RunningInstances::Keep
        };
        runtime.block_on(store.replace_definition(group, &definition, rule, now)).unwrap();
    });
    held.await.unwrap();
    for restarts in 1..=3 {
        let report = wire::InstanceReport {
            instance_id: instance.to_string(),
            restarts,
            deletion_cost: 5 + restarts.cast_signed(),
            ..Default::default()
        };
        let report = Some(Report::Instances(InstanceReports { instances: vec![report] }));
        stream.up.send(NodeReport { report }).await.unwrap();
        eventually("heard", async || {
            world.fleet.report(node.machine, instance).is_some_and(|report| report.restarts == restarts)
        })
        .await;
    }
    assert_eq!(world.stored_cost(instance).await, 0);
    go_on.send(()).unwrap();
    hanging.await.unwrap();
    eventually("stored", async || world.stored_cost(instance).await == 8).await;
}

#[tokio::test]
async fn a_capacity_that_changes_all_the_time_is_refused() {
    let world = World::new().await;
    let node = world.node().await;
    let hello = |capacity| Report::Hello(Hello { agent_version: "1".into(), capacity, boot_id: Vec::new() });
    for capacity in 1..=4 {
        let _stream = world.stream_with(&node, hello(capacity)).await.unwrap();
        eventually("noted", async || world.fleet.node(node.machine).is_some_and(|node| node.capacity == capacity))
            .await;
    }
    let mut stream = world.stream_with(&node, hello(5)).await.unwrap();
    assert_eq!(stream.end().await.code(), Code::ResourceExhausted);
}

#[tokio::test]
async fn a_hello_comes_first_and_once() {
    let world = World::new().await;
    let node = world.node().await;
    let reports = || Report::Instances(InstanceReports { instances: Vec::new() });
    let mut stream = world.stream_with(&node, reports()).await.unwrap();
    assert_eq!(stream.end().await.code(), Code::InvalidArgument);

    let hello = |capacity| Report::Hello(Hello { agent_version: "1\u{1b}".into(), capacity, boot_id: Vec::new() });
    let mut stream = world.stream_with(&node, hello(10_001)).await.unwrap();
    assert_eq!(stream.end().await.code(), Code::InvalidArgument);

    let mut stream = world.stream_with(&node, hello(12)).await.unwrap();
    eventually("noted", async || world.fleet.node(node.machine).is_some_and(|node| node.capacity == 12)).await;
    stream.up.send(NodeReport { report: Some(hello(12)) }).await.unwrap();
    assert_eq!(stream.end().await.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_stop_ends_streams_in_plain_words() {
    let world = World::new().await;
    let node = world.node().await;
    let mut stream = world.stream(&node).await.unwrap();
    stream.begin().await;
    world.shutdown.request();
    let end = stream.end().await;
    assert_eq!(end.code(), Code::Unavailable, "{end}");
    assert_eq!(world.shutdown.drain().await, cress_service::shutdown::Drained::Complete);
}
