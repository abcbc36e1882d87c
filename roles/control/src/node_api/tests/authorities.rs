// SPDX-License-Identifier: Apache-2.0
use std::time::Duration;

use cress_api::node_protocol::control_update::Update;
use tonic::Code;

use super::recovery::recover;
use super::world::{World, eventually, request};

const DAY: Duration = Duration::from_secs(24 * 3_600);

#[tokio::test]
async fn nodes_hear_of_an_authority_before_it_signs_and_follow_it() {
    let world = World::new().await;
    let replica = world.replica().await;
    let node = world.node().await;
    let mut stream = replica.stream(&node).await.unwrap();
    let told = |update| match update {
        Ok(Update::Authorities(authorities)) => authorities.authorities_pem.matches("BEGIN").count(),
        other => panic!("{other:?}"),
    };
    assert_eq!(told(stream.next().await), 1);
    world.ca.rotate().await.unwrap();
    // The other replica looks for itself.
    let heard = loop {
        if let update @ Ok(Update::Authorities(_)) = stream.next().await {
            break told(update);
        }
    };
    assert_eq!(heard, 2);

    let old = world.ca.fingerprint().unwrap();
    world.clock.advance(DAY);
    world.ca.step().await.unwrap();
    assert_ne!(world.ca.fingerprint().unwrap(), old);
    for control in [&world, &replica] {
        eventually("a certificate by the new authority", async || control.try_channel().await.is_ok()).await;
    }
    // A certificate by the new authority is as good as one by the old one.
    world.renew(&node, request(&node.key)).await.unwrap();
    replica.stream(&node).await.unwrap().begin().await;
}

#[tokio::test]
async fn certificates_of_a_retired_authority_are_refused_and_keys_still_count() {
    let world = World::new().await;
    let node = world.node().await;
    world.stream(&node).await.unwrap().begin().await;
    let old = world.ca.list()[0].fingerprint;
    world.ca.rotate().await.unwrap();
    world.ca.retire(old).await.unwrap();
    // The server's certificate follows in a moment.
    eventually("a certificate by the new authority", async || world.try_channel().await.is_ok()).await;
    let refused = world.stream(&node).await.err().map(|status| status.code());
    assert!(!matches!(refused, None | Some(Code::PermissionDenied)), "{refused:?}");
    let certificate = recover(&world, node.machine, &node.key).await.unwrap();
    world.take(&node.identity, &node.key, &certificate.chain_pem);
    world.stream(&node).await.unwrap().begin().await;
}
