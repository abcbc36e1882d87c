// SPDX-License-Identifier: Apache-2.0
//! Join tokens: one key each, and no node locked out because an answer got lost.

use cress_domain::{JoinTokenId, Timestamp};
use cress_store::StoreErrorKind::{Conflict, NotFound};
use cress_store::control::{
    JoinOutcome, JoinRefusal, JoinRequest, JoinTokenState, JoinTokenUse, NewJoinToken, NodeRecord, NodeState,
    TOMBSTONE_LIFE,
};
use cress_store::{KeyFingerprint, SecretHash};

use crate::support::{Fleet, Fresh, at, kind};

async fn join(fleet: &Fleet, request: &JoinRequest, now: Timestamp) -> Result<NodeRecord, JoinRefusal> {
    match fleet.store.join_node(request, now).await.unwrap() {
        JoinOutcome::Joined(node) => Ok(node),
        JoinOutcome::Refused(refusal) => Err(refusal),
    }
}

pub(crate) async fn a_token_enrols_one_key(fresh: &Fresh) {
    let fleet = Fleet::open(&fresh.database).await;
    let (id, secret) = fleet.token(at(600)).await;
    let before = fleet.store.revision().await.unwrap();
    assert_eq!(join(&fleet, &fleet.request(secret, 1), at(600)).await, Err(JoinRefusal::Expired));
    let unknown = SecretHash::from_bytes([0; 32]);
    assert_eq!(join(&fleet, &fleet.request(unknown, 1), at(0)).await, Err(JoinRefusal::Unknown));
    assert_eq!(fleet.store.revision().await.unwrap(), before, "a refusal changes nothing");

    let request = fleet.request(secret, 1);
    let node = join(&fleet, &request, at(599)).await.unwrap();
    assert_eq!((node.machine_id, node.key_fingerprint), (request.new_machine_id, request.key_fingerprint));
    assert_eq!((node.state, node.enrolled_at, node.name.as_str()), (NodeState::Active, at(599), "node-1"));
    assert_eq!(&fleet.changes_since(before).await.nodes[..], std::slice::from_ref(&node));
    assert_eq!(join(&fleet, &fleet.request(secret, 2), at(599)).await, Err(JoinRefusal::Used));
    let used_by = Some(JoinTokenUse { machine_id: node.machine_id, key_fingerprint: node.key_fingerprint });
    let token = async || fleet.store.join_tokens().await.unwrap()[0].clone();
    assert_eq!((token().await.state, token().await.used_by), (JoinTokenState::Used, used_by));

    let again = NewJoinToken {
        id,
        secret_hash: SecretHash::from_bytes([5; 32]),
        expires_at: at(9),
        capacity_max: None,
        organizations: None,
    };
    assert_eq!(kind(fleet.store.create_join_token(&again).await), Conflict);
    let again = NewJoinToken { id: JoinTokenId::from_bytes([5; 16]), secret_hash: secret, ..again };
    assert_eq!(kind(fleet.store.create_join_token(&again).await), Conflict);

    let (id, secret) = fleet.token(at(700)).await;
    fleet.store.revoke_join_token(id, at(0)).await.unwrap();
    assert_eq!(join(&fleet, &fleet.request(secret, 3), at(1)).await, Err(JoinRefusal::Revoked));
    assert_eq!(fleet.store.join_tokens().await.unwrap()[1].state, JoinTokenState::Revoked);
    assert_eq!(kind(fleet.store.revoke_join_token(JoinTokenId::from_bytes([9; 16]), at(0)).await), NotFound);
    let first = token().await;
    fleet.store.revoke_join_token(first.id, at(2)).await.unwrap();
    let revoked = token().await;
    assert_eq!((revoked.state, revoked.used_by), (JoinTokenState::Revoked, used_by), "whom it enrolled stays known");
    assert_eq!(join(&fleet, &request, at(3)).await, Err(JoinRefusal::Revoked));
    let long_after = at(700) + TOMBSTONE_LIFE;
    fleet.store.prune(long_after).await.unwrap();
    assert_eq!(fleet.store.join_tokens().await.unwrap().len(), 1, "the one that just reached its age stays");
}

pub(crate) async fn a_lost_answer_is_given_again(fresh: &Fresh) {
    let fleet = Fleet::open(&fresh.database).await;
    let (id, secret) = fleet.token(at(600)).await;
    let first = join(&fleet, &fleet.request(secret, 1), at(0)).await.unwrap();
    let mut request = fleet.request(secret, 1);
    request.certificate_not_after = at(90_000);
    let second = join(&fleet, &request, at(10)).await.unwrap();
    assert_eq!(second, NodeRecord { certificate_not_after: at(90_000), ..first.clone() });
    // Just past the token's end it still is the same node's; an hour later it is nobody's.
    assert!(join(&fleet, &request, at(600 + 3_599)).await.is_ok());
    assert_eq!(join(&fleet, &request, at(600 + 3_600)).await, Err(JoinRefusal::Expired));
    assert_eq!(join(&fleet, &fleet.request(secret, 2), at(601)).await, Err(JoinRefusal::Used));
    assert_eq!(fleet.store.nodes().await.unwrap().len(), 1);

    fleet.store.revoke_join_token(id, at(20)).await.unwrap();
    assert_eq!(join(&fleet, &request, at(21)).await, Err(JoinRefusal::Revoked));
    assert!(fleet.store.node(first.machine_id).await.is_ok(), "the node stays a member");
}

pub(crate) async fn a_known_key_keeps_its_machine_id(fresh: &Fresh) {
    let fleet = Fleet::open(&fresh.database).await;
    let machine = fleet.node(1).await;
    let (_, secret) = fleet.token(at(600)).await;
    let node = join(&fleet, &fleet.request(secret, 1), at(5)).await.unwrap();
    assert_eq!((node.machine_id, node.enrolled_at), (machine, at(0)));
    assert_eq!(join(&fleet, &fleet.request(secret, 2), at(5)).await, Err(JoinRefusal::Used));
}

pub(crate) async fn a_removed_node_needs_a_new_token(fresh: &Fresh) {
    let fleet = Fleet::open(&fresh.database).await;
    let (_, secret) = fleet.token(at(600)).await;
    let node = join(&fleet, &fleet.request(secret, 1), at(0)).await.unwrap();
    fleet.store.remove_node(node.machine_id, at(1)).await.unwrap();
    assert_eq!(join(&fleet, &fleet.request(secret, 1), at(2)).await, Err(JoinRefusal::Used));
    let (_, secret) = fleet.token(at(600)).await;
    let back = join(&fleet, &fleet.request(secret, 1), at(3)).await.unwrap();
    assert_ne!(back.machine_id, node.machine_id);
}

pub(crate) async fn a_banned_key_never_returns(fresh: &Fresh) {
    let fleet = Fleet::open(&fresh.database).await;
    let (_, first) = fleet.token(at(600)).await;
    let node = join(&fleet, &fleet.request(first, 1), at(0)).await.unwrap();
    fleet.store.ban_node(node.machine_id, at(1)).await.unwrap();
    let (_, second) = fleet.token(at(600)).await;
    let refused = Err(JoinRefusal::Banned);
    assert_eq!(join(&fleet, &fleet.request(first, 1), at(2)).await, refused, "with its old token");
    assert_eq!(join(&fleet, &fleet.request(second, 1), at(2)).await, refused, "with a new token");
    fleet.store.remove_node(node.machine_id, at(3)).await.unwrap();
    assert_eq!(join(&fleet, &fleet.request(second, 1), at(4)).await, refused, "after its removal");
    let other = join(&fleet, &fleet.request(second, 2), at(4)).await.unwrap();
    assert_eq!(other.key_fingerprint, KeyFingerprint::from_bytes([2; 32]), "the token is still good for another key");
}

pub(crate) async fn capacity_is_capped(fresh: &Fresh) {
    let fleet = Fleet::open(&fresh.database).await;
    let (_, secret) = fleet.token(at(600)).await;
    let request = JoinRequest { capacity: 80, ..fleet.request(secret, 1) };
    let node = join(&fleet, &request, at(0)).await.unwrap();
    assert_eq!((node.capacity, node.capacity_max), (50, Some(50)));

    let before = fleet.store.revision().await.unwrap();
    assert_eq!(fleet.store.set_capacity(node.machine_id, 90).await.unwrap(), before, "nothing to write");
    let after = fleet.store.set_capacity(node.machine_id, 30).await.unwrap();
    assert_eq!(fleet.changes_since(before).await.nodes[0].capacity, 30);
    assert_eq!(fleet.store.revision().await.unwrap(), after);
}

pub(crate) async fn a_token_says_whose_instances_its_node_may_run(fresh: &Fresh) {
    let fleet = Fleet::open(&fresh.database).await;
    let bounded = |byte: u8, organizations| NewJoinToken {
        id: JoinTokenId::from_bytes([byte; 16]),
        secret_hash: SecretHash::from_bytes([byte; 32]),
        expires_at: at(900),
        capacity_max: None,
        organizations,
    };
    let only_one = Some([fleet.organization].into());
    fleet.store.create_join_token(&bounded(1, only_one.clone())).await.unwrap();
    fleet.store.create_join_token(&bounded(2, None)).await.unwrap();
    assert_eq!(fleet.store.join_tokens().await.unwrap()[0].organizations, only_one);
    let join = async |byte: u8| {
        let request = fleet.request(SecretHash::from_bytes([byte; 32]), 7);
        let JoinOutcome::Joined(node) = fleet.store.join_node(&request, at(1)).await.unwrap() else { panic!() };
        node
    };
    assert_eq!(join(1).await.organizations, only_one);
    let before = fleet.store.revision().await.unwrap();
    assert_eq!(join(2).await.organizations, None, "another join token has other bounds");
    let told = fleet.changes_since(before).await.nodes;
    assert_eq!(told.iter().map(|node| &node.organizations).collect::<Vec<_>>(), [&None]);
}

/// It may be asked with again for a while, since its answer may have got lost; but the younger one's bounds count by then.
pub(crate) async fn an_older_token_does_not_undo_the_bounds_of_a_younger_one(fresh: &Fresh) {
    let fleet = Fleet::open(&fresh.database).await;
    let token = |byte: u8, capacity_max, organizations| NewJoinToken {
        id: JoinTokenId::from_bytes([byte; 16]),
        secret_hash: SecretHash::from_bytes([byte; 32]),
        expires_at: at(900),
        capacity_max,
        organizations,
    };
    let only_one = Some([fleet.organization].into());
    fleet.store.create_join_token(&token(1, None, None)).await.unwrap();
    fleet.store.create_join_token(&token(2, Some(3), only_one.clone())).await.unwrap();
    let join = async |byte: u8| {
        let request = fleet.request(SecretHash::from_bytes([byte; 32]), 7);
        join(&fleet, &JoinRequest { capacity: 80, ..request }, at(1)).await.unwrap()
    };
    assert_eq!(join(1).await.capacity, 80);
    for token in [2, 1, 2] {
        let node = join(token).await;
        assert_eq!((node.capacity, node.capacity_max, &node.organizations), (3, Some(3), &only_one), "{token}");
    }
}
