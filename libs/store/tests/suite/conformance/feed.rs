// SPDX-License-Identifier: Apache-2.0
//! The feed: whoever follows it knows what a snapshot would say.

use cress_domain::{ContainerGroupId, InstanceId, MachineId};
use cress_store::control::{ControlStore, Feed, PlacementPlan, Revision, RunningInstances, TOMBSTONE_LIFE};
use cress_testkit::SeededRandom;

use crate::support::{Fleet, Fresh, Replica, at, definition};

const WALKS: u64 = 4;
const STEPS: i64 = 60;

/// A walk through random writes, with replicas that look at random moments.
struct Walk<'a> {
    fleet: &'a Fleet,
    random: SeededRandom,
    name: u64,
    placed: usize,
    groups: Vec<ContainerGroupId>,
    nodes: Vec<(MachineId, bool)>,
    instances: Vec<InstanceId>,
}

impl Walk<'_> {
    fn below(&self, end: usize) -> usize {
        let mut bytes = [0; 8];
        cress_domain::Random::fill(&self.random, &mut bytes);
        usize::try_from(u64::from_le_bytes(bytes) % u64::try_from(end.max(1)).unwrap()).unwrap()
    }

    async fn step(&mut self, step: i64) {
        let (store, now) = (&self.fleet.store, at(step));
        let group = self.groups.get(self.below(self.groups.len())).copied();
        let node = self.nodes.get(self.below(self.nodes.len())).copied();
        match (self.below(12), group, node) {
            (0 | 1, ..) => {
                self.name += 1;
                self.groups.push(self.fleet.group(&format!("group-{}", self.name)).await);
            }
            (2 | 3, ..) => {
                self.name += 1;
                self.nodes.push((self.fleet.node(u8::try_from(self.name).unwrap()).await, true));
            }
            (4, Some(group), _) => drop(store.delete_container_group(group, now).await.unwrap()),
            (5, Some(group), _) => {
                let instances = if step % 2 == 0 { RunningInstances::Keep } else { RunningInstances::End };
                store.replace_definition(group, &definition(9), |_, _| instances, now).await.unwrap();
            }
            (6, _, Some((node, _))) if step % 2 == 0 => drop(store.ban_node(node, now).await.unwrap()),
            (6, _, Some((node, _))) => drop(store.remove_node(node, now).await.unwrap()),
            (7, _, Some((node, _))) => drop(store.set_capacity(node, u32::try_from(step).unwrap()).await.unwrap()),
            (8, ..) => {
                let instances = &store.snapshot().await.unwrap().instances;
                if let Some(instance) = instances.get(self.below(instances.len())) {
                    let cost = i32::try_from(step).unwrap();
                    store.set_deletion_costs(instance.machine_id, &[(instance.id, cost)]).await.unwrap();
                }
            }
            (_, Some(group), Some((node, true))) => {
                let place: Vec<_> = (0..self.below(4)).map(|_| self.fleet.instance(group, node)).collect();
                self.placed += place.len();
                let end = self.instances.drain(..self.below(self.instances.len() + 1)).collect();
                self.fleet.apply(PlacementPlan { place, end }).await;
            }
            _ => {}
        }
        self.look().await;
    }

    /// Learns what is left.
    async fn look(&mut self) {
        let snapshot = self.fleet.store.snapshot().await.unwrap();
        self.groups = snapshot.groups.iter().map(|group| group.id).collect();
        let active = |state| state == cress_store::control::NodeState::Active;
        self.nodes = snapshot.nodes.iter().map(|node| (node.machine_id, active(node.state))).collect();
        self.instances = snapshot.instances.iter().map(|instance| instance.id).collect();
    }
}

pub(crate) async fn changes_add_up_to_the_snapshot(fresh: &Fresh) {
    let fleet = Fleet::open(&fresh.database).await;
    let other = ControlStore::open(&fresh.another_replica().await).await.unwrap();
    let (groups, nodes, instances) = (vec![], vec![], vec![]);
    let mut walk = Walk { fleet: &fleet, random: SeededRandom::new(0), name: 0, placed: 0, groups, nodes, instances };
    let mut replicas = vec![Replica::default()];
    for seed in 0..WALKS {
        walk.random = SeededRandom::new(seed);
        replicas.push(Replica::load(fleet.store.snapshot().await.unwrap()));
        for step in 0..STEPS {
            walk.step(step).await;
            let looks = walk.below(2 * replicas.len());
            if let Some(replica) = replicas.get_mut(looks) {
                replica.follow(&other).await;
            }
        }
        if seed == WALKS / 2 {
            fleet.store.prune(at(STEPS / 2) + TOMBSTONE_LIFE).await.unwrap();
        }
        let expected = Replica::load(fleet.store.snapshot().await.unwrap());
        for (index, replica) in replicas.iter().enumerate() {
            let mut replica = replica.clone();
            replica.follow(&other).await;
            assert_eq!(replica, expected, "replica {index} after walk {seed}");
        }
    }
    assert!(walk.name > 20 && walk.placed > 50, "the walks wrote too little to prove anything");
}

pub(crate) async fn every_write_is_told(fresh: &Fresh) {
    let fleet = Fleet::open(&fresh.database).await;
    assert_eq!(fleet.store.revision().await.unwrap(), Revision::default(), "nobody needs to know of tenants");
    let start = fleet.store.snapshot().await.unwrap();
    assert_eq!(start, Default::default());
    let group = fleet.group("workers").await;
    let first = fleet.store.revision().await.unwrap();
    assert_eq!(first.number(), 1);
    let changes = fleet.changes_since(start.revision).await;
    assert_eq!((changes.revision, changes.groups.len(), changes.groups[0].id), (first, 1, group));
    let nothing = fleet.changes_since(first).await;
    assert_eq!((nothing.revision, nothing.groups.len()), (first, 0));
    // What came and went between two questions is told as gone.
    let instances = fleet.place(group, fleet.node(1).await, 1).await;
    fleet.store.delete_container_group(group, at(9)).await.unwrap();
    let changes = fleet.changes_since(first).await;
    assert_eq!((changes.groups_deleted, changes.instances.len()), (vec![group], 0));
    assert_eq!(changes.instances_ended.iter().map(|ended| ended.id).collect::<Vec<_>>(), instances);
}

pub(crate) async fn old_questions_are_answered_with_a_reload(fresh: &Fresh) {
    let fleet = Fleet::open(&fresh.database).await;
    let before = fleet.store.revision().await.unwrap();
    let group = fleet.group("workers").await;
    let gone = fleet.store.delete_container_group(group, at(0)).await.unwrap();
    assert_eq!(fleet.store.prune(at(0) + TOMBSTONE_LIFE).await.unwrap(), 0, "not older than a day");
    assert_eq!(fleet.store.prune(at(1) + TOMBSTONE_LIFE).await.unwrap(), 1);
    let snapshot = fleet.store.snapshot().await.unwrap();
    assert_eq!(fleet.store.changes_since(before).await.unwrap(), Feed::Reload(snapshot.clone()));
    assert_eq!(fleet.changes_since(gone).await.revision, gone, "who knew of the deletion need not reload");
}

pub(crate) async fn the_deployment_id_is_made_once(fresh: &Fresh) {
    let first = ControlStore::open(&fresh.database).await.unwrap();
    let second = ControlStore::open(&fresh.another_replica().await).await.unwrap();
    let (mine, yours) = (SeededRandom::new(1), SeededRandom::new(2));
    let (one, two) = tokio::join!(first.deployment_id(&mine), second.deployment_id(&yours));
    let id = one.unwrap();
    assert_eq!(id, two.unwrap());
    assert_eq!(first.deployment_id(&SeededRandom::new(3)).await.unwrap(), id);
    assert_eq!(id.to_string().len(), 32);
}
