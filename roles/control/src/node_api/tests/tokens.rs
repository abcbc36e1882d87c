// SPDX-License-Identifier: Apache-2.0
use std::collections::HashSet;
use std::time::Duration;

use cress_api::node_protocol::TokenRefusal;
use cress_domain::{Audience, Clock};
use cress_jose::JwkSet;
use cress_token::{AudienceRule, KeySet, Rules, verify};
use tonic::Code;

use super::world::{ISSUER, World, eventually, node_key, request};

const GROUP: &str = r#"{"replicas":1,"command":["a"],"allowed_audiences":["https://broker.test"],
    "token_ttl_seconds":120,"extra_claims":{"team":"vision"}}"#;

fn refusal(refusal: TokenRefusal) -> Result<String, i32> {
    Err(refusal.into())
}

#[tokio::test]
async fn tokens_are_for_instances_that_are_placed_on_the_node_that_asks() {
    let world = World::new().await;
    let (node, neighbour) = (world.node().await, world.node().await);
    let group = world.group(GROUP).await;
    let (mine, theirs, ended) =
        (world.place(&node, group).await, world.place(&neighbour, group).await, world.place(&node, group).await);
    world.end(ended).await;
    let asked = [
        (mine.to_string(), ""),
        (mine.to_string(), "https://broker.test"),
        (mine.to_string(), "https://elsewhere.test"),
        (mine.to_string(), "a b"),
        (theirs.to_string(), ""),
        (ended.to_string(), ""),
        (mine.to_string().to_uppercase(), ""),
        (String::new(), ""),
    ];
    let results = world.issue(&node, &asked).await.unwrap();
    let facts = world.fleet.assignment(node.machine, mine).unwrap().group;
    let organization: Audience = facts.organization_id.into();
    for (result, audience) in results.iter().zip([organization, "https://broker.test".parse().unwrap()]) {
        let token = result.as_ref().unwrap();
        let keys = KeySet::new(&JwkSet::parse(world.ring.current().body.as_ref()).unwrap());
        let rules = Rules::for_workloads(ISSUER.parse().unwrap(), AudienceRule::OneOf(vec![audience]));
        let claims = verify(token, &keys, &rules, world.clock.now()).unwrap();
        let workload = claims.workload().unwrap();
        assert_eq!((workload.machine_id, workload.instance_id), (node.machine, Some(mine)));
        assert_eq!((workload.container_group_id, &workload.container_group_name), (group, &facts.name));
        assert_eq!(claims.claim("team").unwrap(), "vision");
        assert!(verify(token, &keys, &rules, world.clock.now() + Duration::from_secs(300)).is_err());
    }
    let refusals = [
        refusal(TokenRefusal::Audience),
        refusal(TokenRefusal::Malformed),
        refusal(TokenRefusal::NotPlaced),
        refusal(TokenRefusal::NotPlaced),
        refusal(TokenRefusal::Malformed),
        refusal(TokenRefusal::Malformed),
    ];
    assert_eq!(results[2..], refusals);
    assert_eq!(world.issue(&neighbour, &asked[..1]).await.unwrap(), [refusal(TokenRefusal::NotPlaced)]);
}

#[tokio::test]
async fn a_batch_has_a_limit_and_each_token_its_own_id() {
    let world = World::new().await;
    let node = world.node().await;
    let group = world.group(GROUP).await;
    let instance = world.place(&node, group).await.to_string();
    // Duplicates beyond all audiences of what is placed are refused; of one more it may just have ended.
    assert_eq!(world.issue(&node, &vec![(instance.clone(), ""); 34]).await.unwrap().len(), 34);
    let refused = world.issue(&node, &vec![(instance.clone(), ""); 35]).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
    for _ in 1..60 {
        world.place(&node, group).await;
    }
    let batch = vec![(instance.clone(), ""); 1_000];
    let tokens = world.issue(&node, &batch).await.unwrap();
    let ids: HashSet<String> = tokens
        .iter()
        .map(|token| {
            let payload = cress_jose::JwsParts::split(token.as_ref().unwrap()).unwrap().payload().to_vec();
            serde_json::from_slice::<serde_json::Value>(&payload).unwrap()["jti"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(ids.len(), 1_000);
    let too_many = vec![(instance, ""); 1_001];
    assert_eq!(world.issue(&node, &too_many).await.unwrap_err().code(), Code::InvalidArgument);
    assert!(world.issue(&node, &[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn nothing_is_signed_once_the_store_is_lost() {
    let world = World::new().await;
    let node = world.node().await;
    let instance = world.place(&node, world.group(GROUP).await).await.to_string();
    world.database.close().await;
    assert!(world.issue(&node, &[(instance.clone(), "")]).await.unwrap()[0].is_ok());
    // Of a node that is not known here nobody can say any more that it is none.
    let newcomer = world.unknown(&node);
    assert_eq!(world.issue(&newcomer, &[]).await.unwrap_err().code(), Code::Unavailable);

    world.clock.advance(Duration::from_secs(31));
    let refused = world.issue(&node, &[(instance, "")]).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert!(refused.message().contains("signs nothing"), "{}", refused.message());
}

#[tokio::test]
async fn a_ring_that_lost_its_store_signs_nothing() {
    let world = World::new().await;
    let node = world.node().await;
    let instance = world.place(&node, world.group(GROUP).await).await.to_string();
    let asked = [(instance, "")];
    world.clock.advance(cress_keyring::Settings::workload().stale_max() + Duration::from_secs(1));
    // The fleet's view follows by itself; nobody advances the ring here.
    eventually("followed", async || world.issue(&node, &asked).await.is_ok()).await;
    assert_eq!(world.issue(&node, &asked).await.unwrap(), [refusal(TokenRefusal::NoSigningKey)]);
    world.ring.advance().await.unwrap();
    assert!(world.issue(&node, &asked).await.unwrap()[0].is_ok());
}

#[tokio::test]
async fn few_batches_of_a_node_are_signed_at_once() {
    let world = World::new().await;
    let (node, neighbour) = (world.node().await, world.node().await);
    let batches = world.fleet.batches(node.machine).unwrap();
    let taken = batches.acquire_many(2).await.unwrap();
    let waiting = world.issue(&node, &[]);
    tokio::pin!(waiting);
    tokio::select! {
        answer = &mut waiting => panic!("there was no turn: {answer:?}"),
        answer = world.issue(&neighbour, &[]) => assert!(answer.unwrap().is_empty()),
    }
    drop(taken);
    assert!(waiting.await.unwrap().is_empty());
    let _taken = batches.acquire_many(2).await.unwrap();
    assert_eq!(world.issue(&node, &[]).await.unwrap_err().code(), Code::ResourceExhausted);
}

/// Nobody is told a time, or gets anything with one in it, while the clock is far off the database's.
#[tokio::test]
async fn with_a_wrong_clock_nothing_is_signed_and_nobody_admitted() {
    let world = World::new().await;
    let node = world.node().await;
    let group = world.group(r#"{"replicas":1,"command":["a"]}"#).await;
    let instance = world.place(&node, group).await;
    let mut stream = world.stream(&node).await.unwrap();
    stream.begin().await;
    let compare = |servers| world.fleet.clock_trust().note(world.clock.now(), servers, Duration::from_secs(60));
    let now = world.clock.now();
    compare(now + Duration::from_secs(3_600));
    let asked = [(instance.to_string(), "")];
    let (_, secret) = world.join_token(Duration::from_secs(600), None).await;
    let refused = [
        world.issue(&node, &asked).await.unwrap_err(),
        stream.end().await,
        world.stream(&node).await.map(drop).unwrap_err(),
        world.enrol(&secret, &node_key()).await.unwrap_err(),
        world.renew(&node, request(&node.key)).await.unwrap_err(),
    ];
    for status in refused {
        assert_eq!(status.code(), Code::Unavailable, "{status:?}");
        assert!(status.message().contains("behind that of the database's server"), "{status:?}");
    }
    compare(now);
    assert!(world.issue(&node, &asked).await.unwrap()[0].is_ok());
    world.enrol(&secret, &node_key()).await.unwrap();
}
