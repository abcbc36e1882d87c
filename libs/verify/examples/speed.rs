// SPDX-License-Identifier: Apache-2.0
//! How fast tokens are verified, beside the bare signature check: `cargo run --release -p cress-verify --example speed`.

#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use cress_testkit::{RsaKey, TestIssuer};
use cress_verify::{Algorithm, Clock, Settings, SystemClock, TrustedIssuer, Verifier};

const TOKENS: usize = 500;
const ROUNDS: usize = 40;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let clock = Arc::new(SystemClock::new());
    let issuer = TestIssuer::new();
    let tokens: Vec<String> = (0..TOKENS).map(|_| issuer.token(clock.now())).collect();
    let issuers = || vec![TrustedIssuer::new(issuer.rules(), issuer.jwks())];
    let rsa = RsaKey::generate("rsa-1");
    let rsa_tokens: Vec<String> =
        (0..TOKENS).map(|_| rsa.sign(&issuer.claims(clock.now()), &[("typ", "JWT")])).collect();
    let rsa_issuers = || {
        let mut rules = issuer.rules();
        rules.algorithms = vec![Algorithm::Rs256];
        vec![TrustedIssuer::new(rules, rsa.jwks())]
    };
    let rsa_key = rsa.jwks().keys().first().ok_or("no key")?.verification_key()?;
    let rsa_parts: Vec<(&str, Vec<u8>)> = rsa_tokens.iter().filter_map(|token| signature(token)).collect();
    let key = issuer.jwks().keys().first().ok_or("no key")?.verification_key()?;
    let parts: Vec<(&str, Vec<u8>)> = tokens.iter().filter_map(|token| signature(token)).collect();

    let (mut bare, mut first, mut again) = (0.0_f64, 0.0_f64, 0.0_f64);
    let (mut rsa_bare, mut rsa_first) = (0.0_f64, 0.0_f64);
    for _ in 0..ROUNDS {
        bare = bare.max(rate(&parts, |(message, signature)| key.verify(message.as_bytes(), signature).is_ok()));
        let verifier = Verifier::start(issuers(), &Settings::default(), clock.clone())?;
        first = first.max(rate(&tokens, |token| matches!(verifier.try_verify(token), Some(Ok(_)))));
        let known: Vec<&str> = tokens.iter().map(String::as_str).cycle().take(100_000).collect();
        known.iter().for_each(|token| drop(verifier.try_verify(token)));
        again = again.max(rate(&known, |token| matches!(verifier.try_verify(token), Some(Ok(_)))));
        let check = |(message, signature): &(&str, Vec<u8>)| rsa_key.verify(message.as_bytes(), signature).is_ok();
        rsa_bare = rsa_bare.max(rate(&rsa_parts, check));
        let verifier = Verifier::start(rsa_issuers(), &Settings::default(), clock.clone())?;
        rsa_first = rsa_first.max(rate(&rsa_tokens, |token| matches!(verifier.try_verify(token), Some(Ok(_)))));
    }
    println!("a token has {} characters", tokens.first().map_or(0, String::len));
    println!("bare ES256 check      {bare:>12.0}/s");
    println!("token seen first      {first:>12.0}/s  {:.1} % of the bare check", first / bare * 100.0);
    println!("bare RS256 check      {rsa_bare:>12.0}/s");
    println!("RS256 seen first      {rsa_first:>12.0}/s  {:.1} % of the bare check", rsa_first / rsa_bare * 100.0);
    println!("token seen before     {again:>12.0}/s  {:.0} times the bare check", again / bare);
    Ok(())
}

/// Signing input and signature of a token, as the bare check takes them.
fn signature(token: &str) -> Option<(&str, Vec<u8>)> {
    let jws = cress_jose::JwsParts::split(token).ok()?;
    let (signing_input, _) = token.rsplit_once('.')?;
    Some((signing_input, jws.signature().to_vec()))
}

#[expect(clippy::disallowed_methods, reason = "a measurement of real time")]
fn rate<T>(items: &[T], mut check: impl FnMut(&T) -> bool) -> f64 {
    let started = Instant::now();
    let good = items.iter().filter(|item| black_box(check(item))).count();
    assert_eq!(good, items.len(), "a good token was refused");
    items.len() as f64 / started.elapsed().as_secs_f64()
}
