// SPDX-License-Identifier: Apache-2.0
use std::sync::Arc;
use std::time::Duration;

use cress_domain::{ContainerGroupId, InstanceId, MachineId, OrganizationId, ProjectId};
use cress_store::KeyFingerprint;
use cress_store::control::{BootId, Revision};
use cress_testkit::{MockClock, SeededRandom};
use futures_util::FutureExt;

use super::apply::Placement;
use super::*;

const MACHINE: MachineId = MachineId::from_bytes([1; 16]);
const OTHER_MACHINE: MachineId = MachineId::from_bytes([2; 16]);
const STALE_AFTER: Duration = Duration::from_secs(30);

fn facts(name: &str, definition: &str) -> GroupFacts {
    let group = ContainerGroupId::from_bytes([name.len() as u8; 16]);
    GroupFacts::new(
        (group, name.parse().unwrap()),
        (ProjectId::from_bytes([8; 16]), "project".parse().unwrap()),
        (OrganizationId::from_bytes([9; 16]), "acme".parse().unwrap()),
        serde_json::from_str(definition).unwrap(),
    )
    .unwrap()
}

fn demo() -> GroupFacts {
    facts("demo", r#"{"replicas":1,"command":["a"],"allowed_audiences":["broker"]}"#)
}

fn node(standing: NodeStanding) -> NodeFacts {
    NodeFacts {
        key_fingerprint: KeyFingerprint::from_bytes([7; 32]),
        standing,
        capacity: 10,
        capacity_max: None,
        boot_id: None,
    }
}

fn placement(machine: MachineId, instance: u8) -> Placement {
    Placement { instance: InstanceId::from_bytes([instance; 16]), machine, group: demo().id, deletion_cost: 0 }
}

fn fleet() -> (FleetView, Arc<MockClock>) {
    let clock = Arc::new(MockClock::default());
    let fleet = FleetView::new(Arc::clone(&clock) as _, STALE_AFTER);
    fleet.put_group(demo());
    fleet.put_node(MACHINE, node(NodeStanding::Active), Revision::default());
    fleet.put_node(OTHER_MACHINE, node(NodeStanding::Active), Revision::default());
    (fleet, clock)
}

fn ids(instances: &[(InstanceId, Assignment)]) -> Vec<u8> {
    let mut ids: Vec<u8> = instances.iter().map(|(id, _)| id.as_bytes()[0]).collect();
    ids.sort_unstable();
    ids
}

/// What there is to tell now, in short.
fn told(subscription: &mut Subscription) -> String {
    match subscription.next().now_or_never() {
        None => String::new(),
        Some(Update::Snapshot(placed)) => format!("snapshot {:?}", ids(&placed)),
        Some(Update::Change { placed, ended }) => {
            format!("placed {:?} ended {:?}", ids(&placed), ended.iter().map(|id| id.as_bytes()[0]).collect::<Vec<_>>())
        }
        Some(Update::End(end)) => format!("{end:?}"),
    }
}

#[test]
fn an_instance_is_found_only_on_its_own_node() {
    let (fleet, _) = fleet();
    fleet.place(placement(MACHINE, 3)).unwrap();
    let instance = InstanceId::from_bytes([3; 16]);
    assert!(fleet.assignment(MACHINE, instance).is_some());
    assert!(fleet.assignment(OTHER_MACHINE, instance).is_none());
    let groups = fleet.groups_of(MACHINE, [Some(instance), None, Some(InstanceId::from_bytes([4; 16]))].into_iter());
    assert_eq!(groups.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, false]);
    fleet.end(MACHINE, instance);
    assert!(fleet.assignment(MACHINE, instance).is_none());
    assert_eq!(fleet.counts().instances, 0);
}

#[test]
fn a_stream_is_told_the_sum_of_what_has_changed() {
    let (fleet, _) = fleet();
    fleet.place(placement(MACHINE, 3)).unwrap();
    let (mut subscription, before) = fleet.subscribe(MACHINE).unwrap();
    assert_eq!(before, StreamBefore::None);
    assert!(fleet.is_connected(MACHINE) && !fleet.is_connected(OTHER_MACHINE));
    assert_eq!(told(&mut subscription), "snapshot [3]");
    assert_eq!(told(&mut subscription), "");
    fleet.place(placement(OTHER_MACHINE, 9)).unwrap();
    assert_eq!(told(&mut subscription), "");

    fleet.place(placement(MACHINE, 4)).unwrap();
    fleet.place(placement(MACHINE, 5)).unwrap();
    fleet.end(MACHINE, InstanceId::from_bytes([5; 16]));
    fleet.end(MACHINE, InstanceId::from_bytes([3; 16]));
    assert_eq!(told(&mut subscription), "placed [4] ended [3]");

    // A deletion cost comes from the node, so it is no news to it.
    fleet.place(Placement { deletion_cost: 7, ..placement(MACHINE, 4) }).unwrap();
    assert_eq!(told(&mut subscription), "");
    fleet.put_group(demo());
    assert_eq!(told(&mut subscription), "");
    fleet.put_group(facts("demo", r#"{"replicas":1,"command":["a"],"token_ttl_seconds":60}"#));
    assert_eq!(told(&mut subscription), "placed [4] ended []");
    drop(subscription);
    assert!(!fleet.is_connected(MACHINE));
}

#[test]
fn a_stream_ends_with_a_ban_a_removal_and_a_newer_one() {
    let (fleet, _) = fleet();
    let (mut old, _) = fleet.subscribe(MACHINE).unwrap();
    let (mut new, before) = fleet.subscribe(MACHINE).unwrap();
    assert_eq!(before, StreamBefore::Replaced);
    assert_eq!(told(&mut old), "Replaced");
    drop(old);
    assert!(fleet.is_connected(MACHINE));
    assert_eq!(told(&mut new), "snapshot []");

    fleet.put_node(MACHINE, node(NodeStanding::Banned), Revision::default());
    assert_eq!(told(&mut new), "Banned");
    assert!(fleet.subscribe(MACHINE).is_none());

    let (mut other, _) = fleet.subscribe(OTHER_MACHINE).unwrap();
    fleet.drop_node(OTHER_MACHINE);
    assert_eq!(told(&mut other), "Removed");
    assert!(fleet.subscribe(OTHER_MACHINE).is_none());
}

/// The feed may be about to apply what it read before the agent was noted: that is no reason to cut its stream.
#[test]
fn a_stale_table_cuts_no_stream() {
    let (fleet, _) = fleet();
    let boot = |byte| BootId::from_bytes([byte; 16]);
    let with = |byte| NodeFacts { boot_id: Some(boot(byte)), ..node(NodeStanding::Active) };
    let at = Revision::from_number;
    let (mut stream, _) = fleet.subscribe(MACHINE).unwrap();
    assert_eq!(told(&mut stream), "snapshot []");
    fleet.stream_belongs_to(MACHINE, boot(2), Some(at(5)));
    fleet.put_node(MACHINE, with(1), at(4));
    assert!(fleet.is_connected(MACHINE), "the other agent was there before");
    fleet.put_node(MACHINE, with(2), at(5));
    fleet.put_node(MACHINE, with(2), at(7));
    assert!(fleet.is_connected(MACHINE));
    fleet.put_node(MACHINE, with(3), at(8));
    assert_eq!(told(&mut stream), "Replaced", "another agent came later");

    // One that the table knows already is noted nowhere anew.
    let (mut stream, _) = fleet.subscribe(MACHINE).unwrap();
    assert_eq!(told(&mut stream), "snapshot []");
    fleet.stream_belongs_to(MACHINE, boot(3), None);
    fleet.put_node(MACHINE, with(4), at(9));
    assert_eq!(told(&mut stream), "Replaced");
}

/// Between the look-up and the stream the feed may remove the node.
#[test]
fn no_stream_is_opened_on_a_node_that_was_just_removed() {
    let (fleet, _) = fleet();
    let looked_up = fleet.entry(MACHINE).unwrap();
    fleet.drop_node(MACHINE);
    assert!(FleetView::open_stream(looked_up).is_none());
    // One that joins again is another node.
    fleet.put_node(MACHINE, node(NodeStanding::Active), Revision::default());
    assert!(fleet.subscribe(MACHINE).is_some());
}

#[test]
fn a_fresh_snapshot_ends_what_it_does_not_name() {
    let (fleet, _) = fleet();
    for instance in [3, 4] {
        fleet.place(placement(MACHINE, instance)).unwrap();
    }
    let (mut subscription, _) = fleet.subscribe(MACHINE).unwrap();
    assert_eq!(told(&mut subscription), "snapshot [3, 4]");
    let kept = [InstanceId::from_bytes([4; 16])].into();
    fleet.retain(&[MACHINE].into(), &[demo().id].into(), &kept);
    assert_eq!(told(&mut subscription), "placed [] ended [3]");
    assert!(fleet.node(OTHER_MACHINE).is_none());
}

#[test]
fn what_does_not_fit_asks_for_a_fresh_snapshot() {
    let (fleet, _) = fleet();
    assert!(fleet.place(placement(MachineId::from_bytes([77; 16]), 3)).is_err());
    let unknown = ContainerGroupId::generate(&SeededRandom::default());
    assert!(fleet.place(Placement { group: unknown, ..placement(MACHINE, 3) }).is_err());
}

#[test]
fn a_table_that_the_store_no_longer_confirms_is_stale() {
    let (fleet, clock) = fleet();
    assert!(fleet.check_fresh().is_err());
    use cress_domain::Clock;
    fleet.confirm(clock.monotonic());
    clock.advance(STALE_AFTER);
    assert!(fleet.check_fresh().is_ok());
    clock.advance(Duration::from_micros(1));
    let message = fleet.check_fresh().unwrap_err().to_string();
    assert!(message.contains("30 s"), "{message}");
}

#[test]
fn reports_are_kept_for_what_is_placed_there() {
    let (fleet, _) = fleet();
    fleet.place(placement(MACHINE, 3)).unwrap();
    let report = InstanceReport { state: None, started: true, ready: false, restarts: 2, detail: None };
    let (here, elsewhere) = (InstanceId::from_bytes([3; 16]), InstanceId::from_bytes([4; 16]));
    let noted = fleet.note(MACHINE, [(here, report.clone(), 5), (elsewhere, report.clone(), 6)].into_iter());
    assert_eq!(noted.costs, [(here, 5)]);
    assert_eq!(fleet.report(MACHINE, here), Some(report));
    assert_eq!(fleet.report(MACHINE, elsewhere), None);
}

#[test]
fn only_listed_audiences_are_granted() {
    let group = demo();
    let organization = group.organization_id.to_string();
    assert_eq!(group.audience("").unwrap().as_str(), organization);
    assert_eq!(group.audience(&organization).unwrap().as_str(), organization);
    assert_eq!(group.audience("broker").unwrap().as_str(), "broker");
    assert_eq!(group.audience("brokers"), Err(AudienceRefusal::NotAllowed));
    assert_eq!(group.audience("a b"), Err(AudienceRefusal::Malformed));
}

#[test]
fn a_hundred_thousand_instances_take_little() {
    assert!(size_of::<(InstanceId, Assignment)>() <= 40);
}

#[tokio::test(start_paused = true)]
async fn a_waker_says_whether_the_table_has_followed() {
    let waker = FeedWaker::new();
    assert_eq!(waker.refreshed().await, Refreshed::NotYet);
    let feed = waker.clone();
    tokio::spawn(async move {
        loop {
            feed.woken().await;
            let number = feed.begin_poll();
            feed.finish_poll(number);
        }
    });
    assert_eq!(waker.refreshed().await, Refreshed::Yes);
}

#[test]
fn a_capacity_that_the_join_token_caps_is_noted_once() {
    let (view, _) = fleet();
    for (most, announced, has_noted) in
        [(Some(10), 10, true), (Some(10), 100, true), (Some(10), 9, false), (Some(20), 100, false), (None, 100, false)]
    {
        let facts = NodeFacts { capacity_max: most, ..node(NodeStanding::Active) };
        view.put_node(MACHINE, facts, Revision::default());
        assert_eq!(view.has_noted(MACHINE, announced), has_noted, "{most:?} {announced}");
    }
    assert!(!view.has_noted(MachineId::from_bytes([3; 16]), 10));
}
