// SPDX-License-Identifier: Apache-2.0
use std::time::Duration;

use cress_api::node_protocol::IssueTokensRequest;
use cress_domain::{Clock, MachineId};
use cress_service::SystemRandom;
use cress_service::tls::Identity;
use rcgen::{ExtendedKeyUsagePurpose, KeyPair};
use tonic::{Code, Status};

use super::world::{Node, World, node_key, params, request};
use crate::ca::test_support::{foreign, sign};

const HOUR: Duration = Duration::from_secs(3_600);

/// How an empty batch is answered: nothing else than the certificate matters for it. None if there is no connection at all.
async fn call(world: &World, node: &Node) -> Option<Result<(), Status>> {
    let channel = world.channel(&node.identity).await.ok()?;
    let mut client = cress_api::node_protocol::fleet_client::FleetClient::new(channel);
    let answer = client.issue_tokens(IssueTokensRequest { requests: Vec::new() }).await;
    match answer {
        // TLS 1.3 tells a client of its refused certificate after the handshake.
        Err(status)
            if matches!(status.code(), Code::Unavailable | Code::Unknown | Code::Internal | Code::Cancelled) =>
        {
            None
        }
        answer => Some(answer.map(drop)),
    }
}

fn code(answer: Option<Result<(), Status>>) -> Option<Code> {
    answer.map(|result| result.map_or_else(|status| status.code(), |()| Code::Ok))
}

#[tokio::test]
async fn only_control_makes_certificates_that_name_a_node() {
    let world = World::new().await;
    let member = world.node().await;
    assert_eq!(code(call(&world, &member).await), Some(Code::Ok));

    let own = format!("urn:cress:node:{}", member.machine);
    let stranger = format!("urn:cress:node:{}", MachineId::generate(&SystemRandom));
    let copy = || KeyPair::from_pem(&member.key.serialize_pem()).unwrap();
    for (names, key, expected) in [
        (vec![own.as_str()], copy(), Code::Ok),
        (vec![], copy(), Code::Unauthenticated),
        (vec![own.as_str(), own.as_str()], copy(), Code::Unauthenticated),
        (vec!["urn:cress:node:"], copy(), Code::Unauthenticated),
        (vec!["urn:cress:broker:2c3573b6-88de-4067-821f-1af088bd9c6a"], copy(), Code::Unauthenticated),
        (vec![stranger.as_str()], copy(), Code::PermissionDenied),
        (vec![own.as_str()], node_key(), Code::PermissionDenied),
    ] {
        let der = sign(&world.ca, &params(&world, &names), &key);
        let node = Node::with_certificate(&world, der, key, member.machine);
        assert_eq!(code(call(&world, &node).await), Some(expected), "{names:?}");
    }

    let (key, authority) = (copy(), foreign(world.clock.now()));
    let der = authority.sign(&params(&world, &[&own]), &key);
    let impostor = Node::with_certificate(&world, der, key, member.machine);
    assert_eq!(code(call(&world, &impostor).await), None);
}

#[tokio::test]
async fn a_certificate_for_another_purpose_opens_nothing() {
    let world = World::new().await;
    let member = world.node().await;
    let key = KeyPair::from_pem(&member.key.serialize_pem()).unwrap();
    let mut params = params(&world, &[&format!("urn:cress:node:{}", member.machine)]);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let der = sign(&world.ca, &params, &key);
    let node = Node::with_certificate(&world, der, key, member.machine);
    assert_eq!(code(call(&world, &node).await), None);
}

#[tokio::test]
async fn without_a_certificate_one_may_enrol_and_nothing_else() {
    let world = World::new().await;
    let nobody = Node { key: node_key(), identity: Identity::none(), machine: MachineId::from_bytes([0; 16]) };
    assert_eq!(code(call(&world, &nobody).await), Some(Code::Unauthenticated));
    assert_eq!(world.stream(&nobody).await.err().map(|status| status.code()), Some(Code::Unauthenticated));
    let refused = world.renew(&nobody, request(&nobody.key)).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert!(refused.message().contains("enrol"), "{}", refused.message());
}

#[tokio::test]
async fn a_certificate_ends_on_open_connections_too() {
    let world = World::new().await;
    let member = world.node().await;
    let mut client = world.fleet_client(&member).await;
    let empty = || IssueTokensRequest { requests: Vec::new() };
    client.issue_tokens(empty()).await.unwrap();
    let mut stream = world.stream(&member).await.unwrap();
    stream.begin().await;

    world.clock.advance(24 * HOUR + Duration::from_secs(1));
    assert_eq!(client.issue_tokens(empty()).await.unwrap_err().code(), Code::Unauthenticated);
    assert_eq!(stream.end().await.code(), Code::Unauthenticated);
    assert_eq!(code(call(&world, &member).await), None);
}
