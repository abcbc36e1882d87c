// SPDX-License-Identifier: Apache-2.0
use std::time::Duration;

use cress_api::node_protocol::EnrolRequest;
use tonic::Code;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::world::{World, certificate, node_key, request};

const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test]
async fn a_certificate_says_what_control_decides() {
    let world = World::new().await;
    let (_, secret) = world.join_token(HOUR, None).await;
    let enrolled = world.enrol(&secret, &node_key()).await.unwrap();
    let issued = enrolled.certificate.unwrap();
    let der = certificate(&issued.chain_pem);
    let (_, parsed) = X509Certificate::from_der(&der).unwrap();
    let names = &parsed.subject_alternative_name().unwrap().unwrap().value.general_names;
    let urn = format!("urn:cress:node:{}", enrolled.machine_id);
    assert!(matches!(names.as_slice(), [GeneralName::URI(uri)] if *uri == urn), "{names:?}");
    let usage = parsed.extended_key_usage().unwrap().unwrap().value;
    assert!(usage.client_auth && !usage.server_auth && !usage.any);
    assert!(!parsed.is_ca());
    use cress_domain::Clock;
    let now = world.clock.now().unix_seconds();
    assert_eq!(parsed.validity().not_before.timestamp(), now - 3_600);
    assert_eq!(parsed.validity().not_after.timestamp(), now + 24 * 3_600);
    assert_eq!(issued.not_after, (now + 24 * 3_600) * 1_000_000);
    assert_eq!(issued.control_time, world.clock.now().unix_microseconds());
    let authority = certificate(&issued.authorities_pem);
    assert_eq!(cress_service::tls::fingerprint(&authority), world.ca.fingerprint().unwrap());
}

#[tokio::test]
async fn the_same_key_may_ask_again_and_no_other() {
    let world = World::new().await;
    let (_, secret) = world.join_token(HOUR, None).await;
    let key = node_key();
    let first = world.enrol(&secret, &key).await.unwrap();
    let again = world.enrol(&secret, &key).await.unwrap();
    assert_eq!(first.machine_id, again.machine_id);
    let (one, other) = (first.certificate.unwrap().chain_pem, again.certificate.unwrap().chain_pem);
    let serial = |pem: &str| X509Certificate::from_der(&certificate(pem)).unwrap().1.raw_serial().to_vec();
    assert_ne!(serial(&one), serial(&other));

    let refused = world.enrol(&secret, &node_key()).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert!(refused.message().contains("good for one"), "{}", refused.message());
    assert_eq!(world.store.nodes().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_join_token_that_is_over_enrols_nobody() {
    let world = World::new().await;
    let (expired, secret_of_expired) = world.join_token(HOUR, None).await;
    let (revoked, secret_of_revoked) = world.join_token(2 * HOUR, None).await;
    use cress_domain::Clock;
    world.store.revoke_join_token(revoked, world.clock.now()).await.unwrap();
    world.clock.advance(HOUR);
    assert_ne!(expired, revoked);
    for (secret, words) in
        [(secret_of_expired, "has expired"), (secret_of_revoked, "was revoked"), ("a".repeat(43), "no such join token")]
    {
        let refused = world.enrol(&secret, &node_key()).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated);
        assert!(refused.message().contains(words), "{}", refused.message());
        assert!(!refused.message().contains(&secret));
    }
    assert!(world.store.nodes().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_malformed_wish_is_refused_before_the_token_is_used() {
    let world = World::new().await;
    let (_, secret) = world.join_token(HOUR, Some(3)).await;
    let key = node_key();
    let good = || EnrolRequest {
        join_token: secret.clone(),
        certificate_signing_request: request(&key),
        node_name: "node".into(),
        capacity: 50,
    };
    let cases = [
        EnrolRequest { join_token: format!("{secret}="), ..good() },
        EnrolRequest { join_token: String::new(), ..good() },
        EnrolRequest { certificate_signing_request: Vec::new(), ..good() },
        EnrolRequest { node_name: String::new(), ..good() },
        EnrolRequest { node_name: "a\nb".into(), ..good() },
        EnrolRequest { node_name: "a".repeat(256), ..good() },
        EnrolRequest { capacity: 10_001, ..good() },
    ];
    for (index, case) in cases.into_iter().enumerate() {
        let refused = world.enrol_with(case).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "case {index}: {refused}");
    }
    let huge = EnrolRequest { node_name: "a".repeat(40 << 10), ..good() };
    assert_eq!(world.enrol_with(huge).await.unwrap_err().code(), Code::OutOfRange);
    world.enrol_with(good()).await.unwrap();
    // The join token caps what the node announces.
    assert_eq!(world.store.nodes().await.unwrap()[0].capacity, 3);
}

#[tokio::test]
async fn who_fails_too_often_waits() {
    let world = World::new().await;
    for _ in 0..10 {
        assert_eq!(world.enrol(&"a".repeat(43), &node_key()).await.unwrap_err().code(), Code::Unauthenticated);
    }
    let (_, secret) = world.join_token(HOUR, None).await;
    let key = node_key();
    assert_eq!(world.enrol(&secret, &key).await.unwrap_err().code(), Code::ResourceExhausted);
    world.clock.advance(Duration::from_secs(60));
    world.enrol(&secret, &key).await.unwrap();
}

#[tokio::test]
async fn a_certificate_is_renewed_for_the_same_key() {
    let world = World::new().await;
    let node = world.node().await;
    let first = node.identity.not_after().unwrap();
    world.clock.advance(20 * HOUR);
    world.renew(&node, request(&node.key)).await.unwrap();
    assert_eq!(node.identity.not_after().unwrap(), first + 20 * HOUR);
    assert_eq!(world.store.node(node.machine).await.unwrap().certificate_not_after, first + 20 * HOUR);

    let refused = world.renew(&node, request(&node_key())).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
}

#[tokio::test]
async fn a_banned_node_gets_no_certificate() {
    let world = World::new().await;
    let node = world.node().await;
    use cress_domain::Clock;
    world.store.ban_node(node.machine, world.clock.now()).await.unwrap();
    // Even before the view of the fleet has followed.
    assert_eq!(world.renew(&node, request(&node.key)).await.unwrap_err().code(), Code::PermissionDenied);
    let (_, secret) = world.join_token(HOUR, None).await;
    let refused = world.enrol(&secret, &node.key).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert!(refused.message().contains("banned"), "{}", refused.message());
}

#[tokio::test]
async fn who_renews_too_often_waits() {
    let world = World::new().await;
    let (node, neighbour) = (world.node().await, world.node().await);
    for _ in 0..4 {
        world.renew(&node, request(&node.key)).await.unwrap();
    }
    assert_eq!(world.renew(&node, request(&node.key)).await.unwrap_err().code(), Code::ResourceExhausted);
    world.renew(&neighbour, request(&neighbour.key)).await.unwrap();
}

#[tokio::test]
async fn failures_of_control_are_no_refusals() {
    let world = World::new().await;
    assert!(world.enrol(&"a".repeat(43), &node_key()).await.is_err());
    assert!(world.counted().contains("control_enrolments_total{outcome=\"refused\"} 1"), "{}", world.counted());
    world.database.close().await;
    let failed = world.enrol(&"a".repeat(43), &node_key()).await.unwrap_err();
    assert_eq!(failed.code(), Code::Unavailable);
    let counted = world.counted();
    assert!(counted.contains("control_enrolments_total{outcome=\"failed\"} 1"), "{counted}");
    assert!(counted.contains("control_enrolments_total{outcome=\"refused\"} 1"), "{counted}");
}
