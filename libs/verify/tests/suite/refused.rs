// SPDX-License-Identifier: Apache-2.0
//! Every wrong token through the verifier, and the rules of several issuers.

use std::sync::Arc;
use std::time::Duration;

use cress_testkit::{MockClock, TestIssuer, bad_tokens, forge};
use cress_verify::{Algorithm, AudienceRule, Clock, Settings, TrustedIssuer, Verifier};

use crate::support::{code, start, start_with, verify};

#[tokio::test]
async fn wrong_tokens_are_refused_each_by_its_name() {
    let issuer = TestIssuer::new();
    let (verifier, clock) = start(&issuer, issuer.jwks());
    let good = issuer.token(clock.now());
    assert_eq!(verify(&verifier, &good).await, "accepted");
    for bad in bad_tokens(&issuer) {
        let error = verifier.verify(&bad.token).await.expect_err(&bad.name);
        assert_eq!(error.code(), bad.code, "{}: {error}", bad.name);
        assert!(!error.is_temporary());
        assert!(verifier.verify_cached(&bad.token).is_none(), "{} was remembered", bad.name);
        assert_eq!(verifier.try_verify(&bad.token), Some(Err(error)));
    }
    assert_eq!(verifier.cached_tokens(), 1);
    assert_eq!(verify(&verifier, &good).await, "accepted");
}

#[tokio::test]
async fn each_issuers_tokens_are_checked_by_its_own_rules() {
    let clock = Arc::new(MockClock::default());
    let (first, second) =
        (TestIssuer::with_issuer("https://first.test"), TestIssuer::with_issuer("https://second.test"));
    let mut strict = second.rules();
    strict.claim_rules.push("salad_workload_name=other".parse().unwrap());
    let issuers = |second_rules| {
        vec![TrustedIssuer::new(first.rules(), first.jwks()), TrustedIssuer::new(second_rules, second.jwks())]
    };
    let start = |issuers| Verifier::start(issuers, &Settings::default(), clock.clone()).unwrap();
    let (lax, strict) = (start(issuers(second.rules())), start(issuers(strict)));
    let now = clock.now();
    for (token, expected_lax, expected_strict) in [
        (first.token(now), "accepted", "accepted"),
        (second.token(now), "accepted", "claim-rule-failed"),
        (TestIssuer::with_issuer("https://third.test").token(now), "issuer-unknown", "issuer-unknown"),
        // Both call their key test-1: a stolen name does not help.
        (TestIssuer::with_issuer("https://first.test").token(now), "signature-invalid", "signature-invalid"),
        (first.sign(br#"{"exp":1743101746}"#), "issuer-unknown", "issuer-unknown"),
        (first.sign_claims(second.claims(now)), "signature-invalid", "signature-invalid"),
    ] {
        assert_eq!(verify(&lax, &token).await, expected_lax);
        assert_eq!(verify(&strict, &token).await, expected_strict);
    }
}

#[tokio::test]
async fn algorithms_are_pinned() {
    let issuer = TestIssuer::new();
    let clock = Arc::new(MockClock::default());
    for (algorithms, expected) in [
        (vec![Algorithm::Es256], "accepted"),
        (vec![Algorithm::Rs256, Algorithm::Es256], "accepted"),
        (vec![Algorithm::Rs256, Algorithm::EdDsa], "algorithm-not-allowed"),
        (vec![], "algorithm-not-allowed"),
    ] {
        let mut rules = issuer.rules();
        rules.algorithms = algorithms;
        let verifier = start_with(TrustedIssuer::new(rules.clone(), issuer.jwks()), clock.clone());
        assert_eq!(verify(&verifier, &issuer.token(clock.now())).await, expected, "{:?}", rules.algorithms);
        let forged = forge::with_header(&issuer.token(clock.now()), r#"{"alg":"RS256","kid":"test-1"}"#);
        assert_ne!(verify(&verifier, &forged).await, "accepted");
    }
}

#[tokio::test]
async fn audiences_are_checked_for_each_verifier() {
    let issuer = TestIssuer::new();
    let clock = Arc::new(MockClock::default());
    let broker: cress_verify::Audience = "https://broker.example".parse().unwrap();
    let own = issuer.audience().clone();
    let (plain, for_broker) = (issuer.token(clock.now()), issuer.token_for(&broker, clock.now()));
    for (audiences, expected) in [
        (AudienceRule::OneOf(vec![own.clone()]), ["accepted", "audience-mismatch"]),
        (AudienceRule::OneOf(vec![broker.clone()]), ["audience-mismatch", "accepted"]),
        (AudienceRule::OneOf(vec![own, broker]), ["accepted", "accepted"]),
        (AudienceRule::OneOf(Vec::new()), ["audience-mismatch", "audience-mismatch"]),
        (AudienceRule::Any, ["accepted", "accepted"]),
    ] {
        let mut rules = issuer.rules();
        rules.audiences = audiences;
        let verifier = start_with(TrustedIssuer::new(rules, issuer.jwks()), clock.clone());
        assert_eq!([verify(&verifier, &plain).await, verify(&verifier, &for_broker).await], expected);
    }
}

#[tokio::test]
async fn without_a_cache_every_token_is_checked_each_time() {
    let issuer = TestIssuer::new();
    let clock = Arc::new(MockClock::default());
    let mut settings = Settings::default();
    settings.cached_tokens_max = 0;
    let issuers = vec![TrustedIssuer::new(issuer.rules(), issuer.jwks())];
    let verifier = Verifier::start(issuers, &settings, clock.clone()).unwrap();
    let token = issuer.token(clock.now());
    assert_eq!(code(verifier.verify(&token).await), "accepted");
    assert!(verifier.verify_cached(&token).is_none());
    clock.advance(Duration::from_secs(331));
    assert_eq!(code(verifier.verify(&token).await), "expired");
}

#[tokio::test]
async fn nothing_secret_is_shown() {
    let issuer = TestIssuer::new();
    let (verifier, clock) = start(&issuer, issuer.jwks());
    let token = issuer.token(clock.now());
    verifier.verify(&token).await.unwrap();
    assert_eq!(format!("{verifier:?}"), r#"Verifier { issuers: ["https://issuer.test"], .. }"#);
}
