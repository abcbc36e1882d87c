// SPDX-License-Identifier: Apache-2.0
use std::time::Duration;

use cress_api::node_protocol::enrolment_client::EnrolmentClient;
use cress_api::node_protocol::{Certificate, RecoverRequest, recovery_statement};
use cress_domain::{Clock, MachineId};
use cress_service::SystemRandom;
use rcgen::{KeyPair, SigningKey};
use tonic::{Code, Status};

use super::world::{Node, World, node_key, request};

const THIRTY_HOURS: Duration = Duration::from_secs(30 * 3_600);

/// Recovers over a connection of its own; the proof is over the binding that `over` makes of the connection's.
async fn recover_over(
    world: &World,
    machine: MachineId,
    key: &KeyPair,
    over: impl FnOnce([u8; 32]) -> [u8; 32],
) -> Result<Certificate, Status> {
    let (channel, binding) = world.bound_channel().await;
    let proof = key.sign(&recovery_statement(&over(binding), machine)).unwrap();
    let certificate_signing_request = request(key);
    let request = RecoverRequest { machine_id: machine.to_string(), certificate_signing_request, proof };
    let recovered = EnrolmentClient::new(channel).recover(request).await?;
    Ok(recovered.into_inner().certificate.unwrap())
}

pub(super) async fn recover(world: &World, machine: MachineId, key: &KeyPair) -> Result<Certificate, Status> {
    recover_over(world, machine, key, |binding| binding).await
}

async fn refused(world: &World, node: &Node) -> Status {
    recover(world, node.machine, &node.key).await.unwrap_err()
}

#[tokio::test]
async fn a_node_that_slept_beyond_its_certificate_proves_its_key() {
    let world = World::new().await;
    let node = world.node().await;
    world.clock.advance(THIRTY_HOURS);
    assert!(world.stream(&node).await.is_err(), "its certificate is over");
    let certificate = recover(&world, node.machine, &node.key).await.unwrap();
    let until = world.clock.now() + Duration::from_secs(24 * 3_600);
    assert_eq!(certificate.not_after / 1_000_000, until.unix_seconds());
    assert_eq!(world.store.node(node.machine).await.unwrap().certificate_not_after, until);
    world.take(&node.identity, &node.key, &certificate.chain_pem);
    let _ = world.waker.refreshed().await;
    world.stream(&node).await.unwrap().begin().await;
    assert!(world.counted().contains("control_enrolments_total{outcome=\"recovered\"} 1"), "{}", world.counted());
}

#[tokio::test]
async fn a_proof_is_good_on_its_own_connection_alone() {
    let world = World::new().await;
    let node = world.node().await;
    let (_, seen) = world.bound_channel().await;
    let replayed = recover_over(&world, node.machine, &node.key, |_| seen).await.unwrap_err();
    assert_eq!(replayed.code(), Code::Unauthenticated, "{replayed}");
    // A proof for one machine id is none for another.
    let (channel, binding) = world.bound_channel().await;
    let proof = node.key.sign(&recovery_statement(&binding, MachineId::from_bytes([9; 16]))).unwrap();
    let certificate_signing_request = request(&node.key);
    let request = RecoverRequest { machine_id: node.machine.to_string(), certificate_signing_request, proof };
    let refused = EnrolmentClient::new(channel).recover(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated, "{refused}");
}

#[tokio::test]
async fn strangers_learn_nothing_of_who_is_a_member() {
    let world = World::new().await;
    let (node, banned) = (world.node().await, world.node().await);
    world.store.ban_node(banned.machine, world.clock.now()).await.unwrap();
    let _ = world.waker.refreshed().await;
    let mut answers = Vec::new();
    for machine in [node.machine, banned.machine, MachineId::generate(&SystemRandom)] {
        let refused = recover(&world, machine, &node_key()).await.unwrap_err();
        answers.push((refused.code(), refused.message().to_owned()));
    }
    assert_eq!(answers[0].0, Code::PermissionDenied);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
}

#[tokio::test]
async fn who_is_banned_or_removed_recovers_nothing() {
    let world = World::new().await;
    let (banned, removed) = (world.node().await, world.node().await);
    world.store.ban_node(banned.machine, world.clock.now()).await.unwrap();
    world.store.remove_node(removed.machine, world.clock.now()).await.unwrap();
    // Even before the view of the fleet has followed.
    let status = refused(&world, &banned).await;
    assert!(status.code() == Code::PermissionDenied && status.message().contains("banned"), "{status}");
    assert_eq!(refused(&world, &removed).await.code(), Code::PermissionDenied);
    let _ = world.waker.refreshed().await;
    assert!(refused(&world, &banned).await.message().contains("banned"));
    assert!(refused(&world, &removed).await.message().contains("new join token"));
}

#[tokio::test]
async fn recoveries_are_paced() {
    let world = World::new().await;
    let (node, neighbour) = (world.node().await, world.node().await);
    for _ in 0..4 {
        recover(&world, node.machine, &node.key).await.unwrap();
    }
    assert_eq!(refused(&world, &node).await.code(), Code::ResourceExhausted);
    for _ in 0..10 {
        assert!(recover(&world, node.machine, &node_key()).await.is_err());
    }
    // One address fails too often; that holds up nobody who enrols, and no member behind the same address.
    let stranger = recover(&world, node.machine, &node_key()).await.unwrap_err();
    assert_eq!(stranger.code(), Code::ResourceExhausted, "{stranger}");
    world.node().await;
    recover(&world, neighbour.machine, &neighbour.key).await.unwrap();
    world.clock.advance(Duration::from_secs(60));
    let stranger = recover(&world, node.machine, &node_key()).await.unwrap_err();
    assert_eq!(stranger.code(), Code::PermissionDenied, "{stranger}");
}
