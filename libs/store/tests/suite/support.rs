// SPDX-License-Identifier: Apache-2.0
//! Builders, and a replica that follows the feed.

use std::collections::BTreeMap;
use std::sync::Arc;

use cress_domain::{
    ContainerGroupId, GroupDefinition, InstanceId, JoinTokenId, MachineId, OrganizationId, ProjectId, Timestamp,
};
use cress_store::control::{
    Changes, ControlStore, Feed, GroupRecord, InstanceRecord, JoinOutcome, JoinRequest, NewContainerGroup, NewInstance,
    NewJoinToken, NodeRecord, OrganizationRecord, PlacementPlan, ProjectRecord, Revision, Snapshot,
};
use cress_store::{Database, DatabaseUrl, KeyFingerprint, SecretHash, StoreErrorKind};
use cress_testkit::SeededRandom;

/// A fresh, empty database, and where it is, so that another replica can open it too.
pub(crate) struct Fresh {
    pub(crate) database: Database,
    pub(crate) url: DatabaseUrl,
    pub(crate) _keep: Option<tempfile::TempDir>,
}

impl Fresh {
    pub(crate) async fn another_replica(&self) -> Database {
        Database::open(&self.url).await.unwrap()
    }
}

/// 2025-03-27T18:50:46Z and this many seconds.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(1_743_101_446 + seconds)
}

pub(crate) fn definition(replicas: u32) -> GroupDefinition {
    let text = format!(r#"{{"replicas":{replicas},"command":["sleep","infinity"],"extra_claims":{{"team":"kiwi"}}}}"#);
    serde_json::from_str(&text).unwrap()
}

pub(crate) fn kind<T: std::fmt::Debug>(result: Result<T, cress_store::StoreError>) -> StoreErrorKind {
    result.unwrap_err().kind()
}

/// A store with one organization and one project, and short ways to fill it.
pub(crate) struct Fleet {
    pub(crate) store: ControlStore,
    pub(crate) organization: OrganizationId,
    pub(crate) project: ProjectId,
    random: SeededRandom,
}

impl Fleet {
    pub(crate) async fn open(database: &Database) -> Self {
        let store = ControlStore::open(database).await.unwrap();
        let random = SeededRandom::new(7);
        let (organization, project) = (OrganizationId::generate(&random), ProjectId::generate(&random));
        let record = OrganizationRecord { id: organization, name: "rxlab".parse().unwrap() };
        store.create_organization(&record).await.unwrap();
        let name = "demo".parse().unwrap();
        store.create_project(&ProjectRecord { id: project, organization_id: organization, name }).await.unwrap();
        Self { store, organization, project, random }
    }

    /// The same fleet in another database that was copied from this one.
    pub(crate) fn on(&self, store: &ControlStore) -> Self {
        let random = SeededRandom::new(8);
        Self { store: store.clone(), organization: self.organization, project: self.project, random }
    }

    pub(crate) fn new_group(&self, name: &str) -> NewContainerGroup {
        NewContainerGroup {
            id: ContainerGroupId::generate(&self.random),
            project_id: self.project,
            name: name.parse().unwrap(),
            definition: definition(2),
        }
    }

    pub(crate) async fn group(&self, name: &str) -> ContainerGroupId {
        let group = self.new_group(name);
        self.store.create_container_group(&group).await.unwrap();
        group.id
    }

    pub(crate) async fn token(&self, expires_at: Timestamp) -> (JoinTokenId, SecretHash) {
        let id = JoinTokenId::generate(&self.random);
        let secret_hash = SecretHash::from_bytes(self.bytes());
        let token = NewJoinToken { id, secret_hash, expires_at, capacity_max: Some(50), organizations: None };
        self.store.create_join_token(&token).await.unwrap();
        (id, secret_hash)
    }

    pub(crate) fn request(&self, secret_hash: SecretHash, key: u8) -> JoinRequest {
        JoinRequest {
            secret_hash,
            key_fingerprint: KeyFingerprint::from_bytes([key; 32]),
            new_machine_id: MachineId::generate(&self.random),
            name: format!("node-{key}"),
            capacity: 20,
            certificate_not_after: at(86_400),
        }
    }

    pub(crate) async fn node(&self, key: u8) -> MachineId {
        let (_, secret) = self.token(at(600)).await;
        match self.store.join_node(&self.request(secret, key), at(0)).await.unwrap() {
            JoinOutcome::Joined(node) => node.machine_id,
            refused @ JoinOutcome::Refused(_) => panic!("{refused:?}"),
        }
    }

    pub(crate) fn instance(&self, container_group_id: ContainerGroupId, machine_id: MachineId) -> NewInstance {
        NewInstance { id: InstanceId::generate(&self.random), container_group_id, machine_id }
    }

    /// Places instances at the latest revision.
    pub(crate) async fn place(&self, group: ContainerGroupId, machine: MachineId, count: usize) -> Vec<InstanceId> {
        let place: Vec<_> = (0..count).map(|_| self.instance(group, machine)).collect();
        let ids = place.iter().map(|instance| instance.id).collect();
        self.apply(PlacementPlan { place, end: Vec::new() }).await;
        ids
    }

    pub(crate) async fn apply(&self, plan: PlacementPlan) -> Revision {
        let revision = self.store.revision().await.unwrap();
        self.store.apply_placement(&plan, revision, at(1)).await.unwrap()
    }

    pub(crate) async fn changes_since(&self, revision: Revision) -> Changes {
        match self.store.changes_since(revision).await.unwrap() {
            Feed::Changes(changes) => changes,
            reload @ Feed::Reload(_) => panic!("{reload:?}"),
        }
    }

    fn bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        cress_domain::Random::fill(&self.random, &mut bytes);
        bytes
    }
}

/// What a replica of control knows: built from a snapshot, kept by the feed.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Replica {
    pub(crate) revision: Revision,
    groups: BTreeMap<ContainerGroupId, Arc<GroupRecord>>,
    nodes: BTreeMap<MachineId, NodeRecord>,
    pub(crate) instances: BTreeMap<InstanceId, InstanceRecord>,
}

impl Replica {
    pub(crate) fn load(snapshot: Snapshot) -> Self {
        let mut replica = Self { revision: snapshot.revision, ..Self::default() };
        replica.put(snapshot.groups, snapshot.nodes, snapshot.instances);
        replica
    }

    pub(crate) async fn follow(&mut self, store: &ControlStore) {
        match store.changes_since(self.revision).await.unwrap() {
            Feed::Changes(changes) => self.apply(changes),
            Feed::Reload(snapshot) => *self = Self::load(snapshot),
        }
    }

    fn apply(&mut self, changes: Changes) {
        self.revision = changes.revision;
        for ended in &changes.instances_ended {
            self.instances.remove(&ended.id);
        }
        changes.groups_deleted.iter().for_each(|id| drop(self.groups.remove(id)));
        changes.nodes_removed.iter().for_each(|id| drop(self.nodes.remove(id)));
        self.put(changes.groups, changes.nodes, changes.instances);
    }

    fn put(&mut self, groups: Vec<Arc<GroupRecord>>, nodes: Vec<NodeRecord>, instances: Vec<InstanceRecord>) {
        self.groups.extend(groups.into_iter().map(|group| (group.id, group)));
        self.nodes.extend(nodes.into_iter().map(|node| (node.machine_id, node)));
        self.instances.extend(instances.into_iter().map(|instance| (instance.id, instance)));
    }
}
