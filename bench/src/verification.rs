// SPDX-License-Identifier: Apache-2.0
//! Verifying on one core: bare signatures, jsonwebtoken, and `cress-verify` with tokens that it has and has not seen; ES256 and
//! RS256.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cress_domain::Clock;
use cress_jose::{JwkSet, SigningKey};
use cress_service::SystemClock;
use cress_testkit::RsaKey;
use cress_verify::{Algorithm, AudienceRule, Rules, Settings, TrustedIssuer, Verifier};
use jsonwebtoken::{DecodingKey, Validation};
use serde_json::{Map, Value, json};

use crate::cores;
use crate::report::{Report, Target};

const ISSUER: &str = "https://issuer.example";
const AUDIENCE: &str = "2c3573b6-88de-4067-821f-1af088bd9c6a";
/// Each is seen once where a first look is measured, so these are some seconds' worth.
const TOKENS: usize = 60_000;
/// Signing with RS256 takes thirty times as long.
const RSA_TOKENS: usize = 4_000;
/// How often these are seen first, each time by a verifier of its own: of the rounds the best counts.
const RSA_ROUNDS: usize = 20;

pub(crate) fn run(report: &mut Report, seconds: u64) -> anyhow::Result<()> {
    cores::tie_thread(cores::SERVER)?;
    let key = SigningKey::generate("bench".parse()?)?;
    let sign = |claims: &Map<String, Value>| Ok(key.sign(Value::from(claims.clone()).to_string().as_bytes())?);
    let tokens = tokens(TOKENS, sign)?;
    let time = Duration::from_secs(seconds);
    report.section("Verification, one core");

    let bare = bare(&key, &tokens, time)?;
    report.figure("aws-lc-rs, ES256 alone", bare, "tokens/s", Target::None);
    let keys = JwkSet::new(vec![key.public_jwk()])?;
    let peer = peer(&keys, jsonwebtoken::Algorithm::ES256, &tokens, time)?;
    report.figure("jsonwebtoken", peer, "tokens/s", Target::None);

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (first, again) = runtime.block_on(async { ours(&keys, &tokens, time).await })?;
    report.figure("cress-verify, first seen", first, "tokens/s", Target::None);
    report.figure("cress-verify, seen before", again, "tokens/s", Target::None);
    report.figure("first seen / ES256 alone", first / bare, "x", Target::AtLeast(0.88));
    report.figure("first seen / jsonwebtoken", first / peer, "x", Target::AtLeast(1.0));
    report.figure("seen before / first seen", again / first, "x", Target::AtLeast(100.0));
    rsa(report, &runtime, time)
}

/// The same with the keys that clusters and forges sign with.
fn rsa(report: &mut Report, runtime: &tokio::runtime::Runtime, time: Duration) -> anyhow::Result<()> {
    let key = RsaKey::generate("bench-rsa");
    let tokens = tokens(RSA_TOKENS, |claims| Ok(key.sign(claims, &[("typ", "JWT")])))?;
    let keys = key.jwks();
    report.section("Verification with RS256 and 2048 bits, one core");

    let public = keys.keys().first().context("a key")?.verification_key()?;
    let parts = parts(&tokens)?;
    let verify = |(message, signature): &(&[u8], Vec<u8>)| public.verify(message, signature).is_ok();
    let bare = rate(&parts, time, verify)?;
    report.figure("aws-lc-rs, RS256 alone", bare, "tokens/s", Target::None);
    let peer = peer(&keys, jsonwebtoken::Algorithm::RS256, &tokens, time)?;
    report.figure("jsonwebtoken, RS256", peer, "tokens/s", Target::None);
    let first = runtime.block_on(async {
        let mut first = 0.0_f64;
        for _ in 0..RSA_ROUNDS {
            let verifier = verifier(&keys, Algorithm::Rs256)?;
            first = first.max(rate_of_one_pass(&tokens, |token| matches!(verifier.try_verify(token), Some(Ok(_))))?);
        }
        anyhow::Ok(first)
    })?;
    report.figure("cress-verify, RS256, first seen", first, "tokens/s", Target::None);
    report.figure("first seen / RS256 alone", first / bare, "x", Target::None);
    report.figure("first seen / jsonwebtoken", first / peer, "x", Target::None);
    Ok(())
}

fn tokens(count: usize, sign: impl Fn(&Map<String, Value>) -> anyhow::Result<String>) -> anyhow::Result<Vec<String>> {
    let now = SystemClock::new().now().unix_seconds();
    (0..count)
        .map(|index| {
            let claims = json!({
                "sub": "d2d83275-b10a-c957-8f1c-89666a05dc79", "jti": format!("87659e43-19b0-4338-b3cc-{index:012}"),
                "salad_machine_id": "d2d83275-b10a-c957-8f1c-89666a05dc79",
                "salad_instance_id": "5d8a1b0e-3c5f-4b21-9e0c-0a4f3b6f1c2d",
                "salad_workload_id": "215f0bf7-c4c2-4457-85c5-71cd0819def7",
                "salad_workload_name": "rxlab-demo-jwt-authentication",
                "salad_organization_id": AUDIENCE, "salad_organization_name": "rxlab",
                "aud": AUDIENCE, "exp": now + 3_000, "iss": ISSUER, "iat": now, "nbf": now,
            });
            sign(claims.as_object().context("claims")?)
        })
        .collect()
}

fn bare(key: &SigningKey, tokens: &[String], time: Duration) -> anyhow::Result<f64> {
    let jwk = serde_json::to_value(key.public_jwk())?;
    let coordinate = |name: &str| -> anyhow::Result<Vec<u8>> {
        base64url(jwk.get(name).and_then(|value| value.as_str()).context("a coordinate")?)
    };
    let point = [vec![4], coordinate("x")?, coordinate("y")?].concat();
    let public = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).context("a public key")?;
    let verify = |(message, signature): &(&[u8], Vec<u8>)| public.verify_sig(message, signature).is_ok();
    rate(&parts(tokens)?, time, verify)
}

/// Signed message and signature of each.
fn parts(tokens: &[String]) -> anyhow::Result<Vec<(&[u8], Vec<u8>)>> {
    let parts = tokens.iter().map(|token| {
        let (message, signature) = token.rsplit_once('.').context("a token")?;
        Ok((message.as_bytes(), base64url(signature)?))
    });
    parts.collect()
}

fn peer(keys: &JwkSet, algorithm: jsonwebtoken::Algorithm, tokens: &[String], time: Duration) -> anyhow::Result<f64> {
    let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_value(serde_json::to_value(keys.keys().first())?)?;
    let decoding = DecodingKey::from_jwk(&jwk)?;
    let mut validation = Validation::new(algorithm);
    validation.set_audience(&[AUDIENCE]);
    validation.set_issuer(&[ISSUER]);
    let verify = |token: &String| jsonwebtoken::decode::<serde_json::Map<_, _>>(token, &decoding, &validation).is_ok();
    rate(tokens, time, verify)
}

/// A full cache of the default size is part of what a first look costs.
fn verifier(keys: &JwkSet, algorithm: Algorithm) -> anyhow::Result<Verifier> {
    let mut rules = Rules::for_workloads(ISSUER.parse()?, AudienceRule::OneOf(vec![AUDIENCE.parse()?]));
    rules.algorithms = vec![algorithm];
    let issuers = vec![TrustedIssuer::new(rules, keys.clone())];
    Ok(Verifier::start(issuers, &Settings::default(), Arc::new(SystemClock::new()))?)
}

async fn ours(keys: &JwkSet, tokens: &[String], time: Duration) -> anyhow::Result<(f64, f64)> {
    let first_seen = verifier(keys, Algorithm::Es256)?;
    let first = rate_of_one_pass(tokens, |token| matches!(first_seen.try_verify(token), Some(Ok(_))))?;
    let known = tokens.get(..1_000).context("enough tokens")?;
    let seen_before = verifier(keys, Algorithm::Es256)?;
    for token in known {
        seen_before.verify(token).await?;
    }
    let again = rate(known, time, |token| seen_before.verify_cached(token).is_some())?;
    Ok((first, again))
}

/// How many of these are verified in a second, one after the other, over and over.
fn rate<T>(items: &[T], time: Duration, verify: impl Fn(&T) -> bool) -> anyhow::Result<f64> {
    let started = Instant::now();
    let (mut count, mut good) = (0_u64, 0_u64);
    while started.elapsed() < time {
        for item in items.iter().cycle().skip(usize::try_from(count)? % items.len()).take(1_000) {
            good += u64::from(verify(black_box(item)));
            count += 1;
        }
    }
    let elapsed = started.elapsed().as_secs_f64();
    ensure!(count == good, "expected {count} good tokens, got {good}");
    #[expect(clippy::cast_precision_loss, reason = "figures of a benchmark have three digits")]
    Ok(count as f64 / elapsed)
}

/// How many of these are verified in a second, each once.
fn rate_of_one_pass<T>(items: &[T], verify: impl Fn(&T) -> bool) -> anyhow::Result<f64> {
    let started = Instant::now();
    let good = items.iter().filter(|item| verify(black_box(item))).count();
    let elapsed = started.elapsed().as_secs_f64();
    ensure!(items.len() == good, "expected {} good tokens, got {good}", items.len());
    #[expect(clippy::cast_precision_loss, reason = "figures of a benchmark have three digits")]
    Ok(good as f64 / elapsed)
}

fn base64url(text: &str) -> anyhow::Result<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).context("base64url")
}
