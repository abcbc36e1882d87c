// SPDX-License-Identifier: Apache-2.0
//! Nodes once they are members.

use cress_domain::MachineId;
use cress_store::KeyFingerprint;
use cress_store::StoreErrorKind::NotFound;
use cress_store::control::{BootId, BootNews, CertificateRenewal, NodeState};

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

    let listed = fleet.store.ended_instances().await.unwrap();
    assert_eq!(listed.iter().map(|ended| ended.machine_id).collect::<Vec<_>>(), [removed, removed, banned, banned]);
    assert_eq!([listed[0].ended_at, listed[3].ended_at], [at(3), at(1)]);

    let names: Vec<_> = fleet.store.nodes().await.unwrap().into_iter().map(|node| node.name).collect();
    assert_eq!(names, ["node-1", "node-3"]);
    let nobody = MachineId::from_bytes([9; 16]);
    assert_eq!(kind(fleet.store.node(removed).await), NotFound);
    assert_eq!(kind(fleet.store.ban_node(nobody, at(1)).await), NotFound);
    assert_eq!(kind(fleet.store.remove_node(nobody, at(1)).await), NotFound);
    assert_eq!(kind(fleet.store.set_capacity(nobody, 1).await), NotFound);
}

pub(crate) async fn two_agents_with_one_key_are_noticed(fresh: &Fresh) {
    let fleet = Fleet::open(&fresh.database).await;
    let machine = fleet.node(1).await;
    let boot = |byte: u8| BootId::from_bytes([byte; 16]);
    let note = async |byte: u8, second| fleet.store.note_boot(machine, boot(byte), at(second)).await.unwrap().0;
    assert_eq!(
        [note(1, 1).await, note(1, 2).await, note(2, 3).await],
        [BootNews::Another, BootNews::Same, BootNews::Another]
    );
    assert_eq!(fleet.store.node(machine).await.unwrap().duplicated_at, None, "an agent may be started again");
    let before = fleet.store.revision().await.unwrap();
    assert_eq!(note(1, 4).await, BootNews::Returned);
    let node = fleet.store.node(machine).await.unwrap();
    assert_eq!((node.boot_id, node.duplicated_at), (Some(boot(1)), Some(at(4))));
    assert_eq!(fleet.changes_since(before).await.nodes, [node], "every replica hears of it");
    let before = fleet.store.revision().await.unwrap();
    assert_eq!(note(1, 5).await, BootNews::Same);
    assert_eq!(fleet.store.revision().await.unwrap(), before);
    assert_eq!(kind(fleet.store.note_boot(MachineId::from_bytes([9; 16]), boot(1), at(6)).await), NotFound);
}
