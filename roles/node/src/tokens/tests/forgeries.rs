// SPDX-License-Identifier: Apache-2.0
//! Answers of control that must not reach an instance.

use cress_domain::{Audience, MachineId, OrganizationId, Secret};
use cress_testkit::{TestIssuer, forge};
use serde_json::{Map, Value, json};

use super::control::Control;
use super::rig::{Rig, audience, kind, seconds, settle};
use crate::tokens::{InstanceIdentity, IssuedToken, Refusal, SourceError};

type Results = Vec<Result<IssuedToken, Refusal>>;
type Forge = Box<dyn Fn(&Control, &InstanceIdentity, &Audience) -> String + Send + Sync>;

fn token(text: String) -> IssuedToken {
    IssuedToken { jwt: Secret::new(text) }
}

/// A good token whose claims are changed before it is signed.
fn claims(change: impl Fn(&mut Map<String, Value>) + Send + Sync + 'static) -> Forge {
    Box::new(move |control, identity, audience| {
        let payload = control.payload(identity, audience, control.clock.control_time());
        let mut claims: Map<String, Value> = serde_json::from_slice(&payload).unwrap();
        change(&mut claims);
        control.issuer.lock().unwrap().sign_claims(claims)
    })
}

/// A good token for an identity that is changed.
fn identity(change: impl Fn(&mut InstanceIdentity) + Send + Sync + 'static) -> Forge {
    Box::new(move |control, identity, audience| {
        let mut other = identity.clone();
        change(&mut other);
        control.sign_for(&other, Some(audience), control.clock.control_time()).jwt.expose().clone()
    })
}

/// A good token that is damaged.
fn damaged(damage: impl Fn(&Control, &str) -> String + Send + Sync + 'static) -> Forge {
    Box::new(move |control, identity, audience| {
        let good = control.sign_for(identity, Some(audience), control.clock.control_time());
        damage(control, good.jwt.expose())
    })
}

/// A good token whose times lie this far from control's.
fn shifted(seconds: i64) -> Forge {
    claims(move |claims| {
        for name in ["iat", "nbf", "exp"] {
            let time = claims[name].as_i64().unwrap();
            claims.insert(name.to_owned(), json!(time + seconds));
        }
    })
}

fn forgeries() -> Vec<(&'static str, Forge)> {
    let other = "11111111-2222-3333-4444-555555555555";
    let set =
        |name: &'static str, value: Value| claims(move |claims| drop(claims.insert(name.to_owned(), value.clone())));
    let without = |name: &'static str| claims(move |claims| drop(claims.remove(name)));
    vec![
        (
            "another instance",
            identity(|identity| identity.instance_id = "5d8a1b0e-3c5f-4b21-9e0c-0a4f3b6f1c2d".parse().unwrap()),
        ),
        ("another machine", identity(|identity| identity.machine_id = MachineId::from_bytes([9; 16]))),
        (
            "another group",
            identity(|identity| identity.container_group_id = "5d8a1b0e-3c5f-4b21-9e0c-0a4f3b6f1c2d".parse().unwrap()),
        ),
        ("another group's name", identity(|identity| identity.container_group_name = "other".parse().unwrap())),
        ("another organization", identity(|identity| identity.organization_id = OrganizationId::from_bytes([9; 16]))),
        ("another organization's name", identity(|identity| identity.organization_name = "other".parse().unwrap())),
        ("another subject", set("sub", json!(other))),
        ("no instance", without("salad_instance_id")),
        ("no subject", without("sub")),
        ("no token id", without("jti")),
        ("no start", without("nbf")),
        ("no audience", without("aud")),
        ("another audience", set("aud", json!("https://other.example"))),
        (
            "a second audience",
            claims(|claims| {
                let asked = claims["aud"].clone();
                claims.insert("aud".to_owned(), json!([asked, "https://other.example"]));
            }),
        ),
        ("another issuer's name", set("iss", json!("https://other.example"))),
        (
            "another issuer's key",
            Box::new(|control, identity, audience| {
                let payload = control.payload(identity, audience, control.clock.control_time());
                TestIssuer::new().sign(&payload)
            }),
        ),
        (
            "a life of a day",
            claims(|claims| {
                let issued_at = claims["iat"].as_i64().unwrap();
                claims.insert("exp".to_owned(), json!(issued_at + 86_400));
            }),
        ),
        ("a life that is over", shifted(-301)),
        ("a life that is nearly over", shifted(-296)),
        ("a life that begins later", shifted(60)),
        ("a turned bit in the signature", damaged(|_, jwt| forge::with_signature_bit_turned(jwt, 40))),
        ("no signature", damaged(|_, jwt| forge::without_signature(jwt))),
        ("the algorithm none", damaged(|_, jwt| forge::alg_none(jwt))),
        (
            "HS256 with the public key",
            damaged(|control, jwt| forge::hs256_with_public_key(jwt, &control.issuer.lock().unwrap())),
        ),
        ("another payload", damaged(|_, jwt| forge::with_payload(jwt, br#"{"sub":"me"}"#))),
        ("a second spelling", damaged(|_, jwt| forge::with_stray_bits(jwt))),
        ("nothing", Box::new(|_, _, _| String::new())),
        ("JSON in the token", damaged(|_, jwt| format!(r#"{jwt}","x":""#))),
    ]
}

#[tokio::test(start_paused = true)]
async fn no_forged_answer_is_served_and_a_good_one_heals() {
    for (name, forge) in forgeries() {
        let rig = Rig::start();
        let (identity, tokens) = rig.open(&["reports"]);
        let reports = audience("reports");
        let forged = identity.clone();
        rig.control.tamper(move |control, requests, results| {
            for (request, result) in requests.iter().zip(results) {
                let audience = request.audience.clone().unwrap_or_else(|| forged.organization_id.into());
                *result = Ok(token(forge(control, &forged, &audience)));
            }
        });
        for wait in 0..20 {
            for audience in [None, Some(&reports)] {
                let answer = kind(&tokens.token(audience));
                assert!(answer == "pending" || answer == "unavailable", "{name}: {answer} after {wait} s");
            }
            seconds(1).await;
        }
        assert_eq!(kind(&tokens.token(None)), "unavailable", "{name}");
        assert!(rig.cache.metrics().rejected.get() >= 6, "{name} was not counted");
        assert_eq!(rig.cache.metrics().fetched.get(), 0, "{name}");
        rig.control.be_honest();
        seconds(6).await;
        rig.default_claims(&identity, &tokens);
        rig.verified(&tokens.token(Some(&reports)), &reports);
    }
}

#[tokio::test(start_paused = true)]
async fn a_forged_successor_leaves_the_good_token_in_place() {
    let rig = Rig::start();
    let (identity, tokens) = rig.open_ready(&[]).await;
    rig.control.tamper(|_, _, results| {
        results.iter_mut().for_each(|result| *result = Ok(token("a.b.c".to_owned())));
    });
    for _ in 0..290 {
        seconds(1).await;
        rig.default_claims(&identity, &tokens);
    }
}

#[tokio::test(start_paused = true)]
async fn swapped_results_reach_nobody() {
    let rig = Rig::start();
    rig.control.tamper(|_, _, results| results.reverse());
    let instances = [rig.open(&[]), rig.open(&[])];
    settle().await;
    for (_, tokens) in &instances {
        assert_eq!(kind(&tokens.token(None)), "pending");
    }
    assert_eq!(rig.cache.metrics().rejected.get(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_another_length_is_no_answer() {
    let changes: [fn(&mut Results); 2] =
        [|results| results.truncate(1), |results| results.push(Ok(token("a.b.c".to_owned())))];
    for change in changes {
        let rig = Rig::start();
        rig.control.tamper(move |_, _, results| change(results));
        let instances = [rig.open(&[]), rig.open(&[])];
        settle().await;
        for (_, tokens) in &instances {
            assert_eq!(kind(&tokens.token(None)), "unavailable");
        }
        assert_eq!(rig.cache.metrics().rejected.get(), 0);
        assert!(rig.cache.metrics().calls_failed.get() >= 1);
    }
    let mismatch = SourceError::Mismatch { asked: 2, answered: 1 };
    assert_eq!(mismatch.to_string(), "expected an answer for each of 2 requests, got 1");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_not_known_yet_is_waited_for() {
    let rig = Rig::start();
    let (identity, first) = rig.open_ready(&[]).await;
    rig.control.issuer.lock().unwrap().add_key("test-2");
    let (_, second) = rig.open(&[]);
    settle().await;
    assert_eq!(kind(&second.token(None)), "pending");
    rig.send_keys();
    settle().await;
    assert_eq!(kind(&second.token(None)), "ready");
    rig.default_claims(&identity, &first);
    assert_eq!(rig.control.asked(), 3, "the first instance's token is as good as before");
}

#[tokio::test(start_paused = true)]
async fn a_revoked_key_takes_its_tokens_with_it_at_once() {
    let rig = Rig::start();
    let (identity, tokens) = rig.open_ready(&["reports"]).await;
    let reports = audience("reports");
    tokens.settled_token(Some(&reports)).await;
    rig.control.issuer.lock().unwrap().add_key("test-2");
    rig.send_keys();
    settle().await;
    assert_eq!(rig.default_claims(&identity, &tokens).kid().as_str(), "test-1");
    rig.control.issuer.lock().unwrap().drop_key("test-1");
    rig.send_keys();
    assert_eq!(kind(&tokens.token(None)), "pending");
    assert_eq!(kind(&tokens.token(Some(&reports))), "pending");
    tokens.settled_token(None).await;
    assert_eq!(rig.default_claims(&identity, &tokens).kid().as_str(), "test-2");
    rig.verified(&tokens.token(Some(&reports)), &reports);
}

#[tokio::test(start_paused = true)]
async fn an_empty_key_set_is_not_taken() {
    let rig = Rig::start();
    let (identity, tokens) = rig.open_ready(&[]).await;
    rig.cache.set_keys("https://issuer.test".parse().unwrap(), cress_token::KeySet::default());
    for _ in 0..600 {
        seconds(1).await;
        rig.default_claims(&identity, &tokens);
    }
}
