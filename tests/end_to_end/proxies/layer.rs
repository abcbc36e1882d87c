// SPDX-License-Identifier: Apache-2.0
//! The table, through the tower layer of `cress-verify`: the service checks for itself, with no proxy in front of it. It has the same
//! verdicts about tokens. Paths, identity headers and the size of requests are not the layer's: its service reads claims, not headers.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Json, Router};
use cress_testkit::TestIssuer;
use cress_tests::send;
use cress_verify::http::{BearerLayer, VerifiedToken};
use cress_verify::{AudienceRule, Rules, Settings, SystemClock, TrustedIssuer, Verifier};
use serde_json::{Map, Value};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::table::{self, Case, Outcome, RULE};

const HOUR: Duration = Duration::from_hours(1);
/// A proxy bounds a request's headers by far less than hyper does, which takes this one.
const TOO_LARGE_FOR_PROXIES: &str = "a header of 200 kB";

#[test]
fn the_tower_layer_answers_as_the_table_says() {
    let issuer = TestIssuer::new();
    let runtime = Runtime::new().unwrap();
    let address = runtime.block_on(serve(&issuer));
    let cases = table::cases(&issuer);
    let wrong: Vec<String> = cases.iter().filter_map(|case| wrong(address, case)).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// A service that tells the claims that the layer hands it.
async fn serve(issuer: &TestIssuer) -> SocketAddr {
    let audience = AudienceRule::OneOf(vec![issuer.audience().clone()]);
    // The rules of the configuration that `cress config emit authz` writes.
    let mut rules = Rules::new(issuer.issuer().clone(), audience);
    rules.lifetime_max = Some(HOUR);
    let issuers = vec![TrustedIssuer::new(rules, issuer.jwks())];
    let verifier = Verifier::start(issuers, &Settings::default(), Arc::new(SystemClock::new())).unwrap();
    let layer = BearerLayer::new(verifier).require(RULE.parse().unwrap());
    let router = Router::new().fallback(claims).layer(layer);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async { axum::serve(listener, router).await });
    address
}

async fn claims(Extension(token): Extension<VerifiedToken>) -> Json<Map<String, Value>> {
    Json(token.as_map().clone())
}

/// What is wrong with the answer to a case.
fn wrong(address: SocketAddr, case: &Case) -> Option<String> {
    let headers: Vec<&str> = case.headers.iter().map(String::as_str).collect();
    let answer = send("GET", &format!("http://{address}{}", case.target), &headers, "");
    let got = match &answer {
        Err(_) => Outcome::RefusedSomehow,
        Ok(answer) if answer.status == 200 => Outcome::Passes(table::told(answer.json().as_object().unwrap())),
        Ok(answer) => Outcome::Refused(answer.status),
    };
    let taken = Outcome::Passes(case.told.clone());
    let expected = if case.name == TOO_LARGE_FOR_PROXIES { &taken } else { &case.expected };
    let challenged = answer.is_ok_and(|answer| answer.status != 401 || answer.header("WWW-Authenticate").is_some());
    let is_right = got.satisfies(expected) && (challenged || got == Outcome::RefusedSomehow);
    (!is_right).then(|| format!("{}: expected {expected:?}, got {got:?}, challenged: {challenged}", case.name))
}
