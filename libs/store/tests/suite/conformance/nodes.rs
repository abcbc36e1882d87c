// SPDX-License-Identifier: Apache-2.0
//! Nodes once they are members.

use cress_domain::MachineId;
use cress_store::KeyFingerprint;
use cress_store::StoreErrorKind::NotFound;
use cress_store::control::{CertificateRenewal, NodeState};

use crate::support::{Fleet, Fresh, at, kind};

pub(crate) async fn certificates_are_noted(fresh: &Fresh) {
    let fleet = Fleet::open(&fresh.database).await;
    let (machine, other, banned) = (fleet.node(1).await, fleet.node(2).await, fleet.node(3).await);
    let key = |byte| KeyFingerprint::from_bytes([byte; 32]);
    let record = async |machine, key, seconds| fleet.store.record_certificate(machine, key, at(seconds)).await;

    assert_eq!(record(machine, key(1), 1_000).await, Ok(CertificateRenewal::Recorded));
    assert_eq!(fleet.store.node(machine).await.unwrap().certificate_not_after, at(1_000));
    assert_eq!(kind(record(machine, key(9), 2_000).await), NotFound, "the key of a node never changes");
    assert_eq!(kind(record(other, key(1), 2_000).await), NotFound, "nor is it another's");

    fleet.store.ban_node(banned, at(1)).await.unwrap();
    assert_eq!(record(banned, key(3), 3_000).await, Ok(CertificateRenewal::Banned));
    assert_eq!(kind(record(MachineId::from_bytes([9; 16]), key(7), 1).await), NotFound);
}

pub(crate) async fn bans_and_removals_end_instances(fresh: &Fresh) {
    let fleet = Fleet::open(&fresh.database).await;
    let group = fleet.group("workers").await;
    let (banned, removed, kept) = (fleet.node(1).await, fleet.node(2).await, fleet.node(3).await);
    for machine in [banned, removed, kept] {
        fleet.place(group, machine, 2).await;
    }
    let before = fleet.store.revision().await.unwrap();
    let revision = fleet.store.ban_node(banned, at(1)).await.unwrap();
    assert_eq!(fleet.store.ban_node(banned, at(2)).await.unwrap(), revision, "banned already");
    fleet.store.remove_node(removed, at(3)).await.unwrap();
    let changes = fleet.changes_since(before).await;
    let ended = |machine| changes.instances_ended.iter().filter(|ended| ended.machine_id == machine).count();
    assert_eq!((ended(banned), ended(removed), ended(kept)), (2, 2, 0));
    assert_eq!(
        (changes.nodes.len(), changes.nodes[0].state, changes.nodes_removed),
        (1, NodeState::Banned, vec![removed])
    );

    let names: Vec<_> = fleet.store.nodes().await.unwrap().into_iter().map(|node| node.name).collect();
    assert_eq!(names, ["node-1", "node-3"]);
    let nobody = MachineId::from_bytes([9; 16]);
    assert_eq!(kind(fleet.store.node(removed).await), NotFound);
    assert_eq!(kind(fleet.store.ban_node(nobody, at(1)).await), NotFound);
    assert_eq!(kind(fleet.store.remove_node(nobody, at(1)).await), NotFound);
    assert_eq!(kind(fleet.store.set_capacity(nobody, 1).await), NotFound);
}
