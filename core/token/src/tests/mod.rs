// SPDX-License-Identifier: Apache-2.0
//! Tests of the whole way from a text to verified claims.

mod accepted;
mod inspection;
mod oracle;
mod refused;

use cress_domain::Timestamp;
use cress_testkit::TestIssuer;
use serde_json::{Map, Value};

use crate::{AudienceRule, Claims, KeySet, Rejection, Rules, Verified, verify};

const NOW: Timestamp = Timestamp::from_unix_seconds(1_743_101_446);

/// The rules that the test issuer's tokens satisfy.
fn rules(issuer: &TestIssuer) -> Rules {
    Rules::for_workloads(issuer.issuer().clone(), AudienceRule::OneOf(vec![issuer.audience().clone()]))
}

fn check(issuer: &TestIssuer, token: &str, rules: &Rules) -> Result<Verified<Claims>, Rejection> {
    verify(token, &KeySet::new(&issuer.jwks()), rules, NOW)
}

/// The code of the refusal, or nothing.
fn code(outcome: Result<Verified<Claims>, Rejection>) -> Option<&'static str> {
    outcome.err().map(|rejection| rejection.code())
}

/// The issuer's claims with some changed; null removes one.
fn changed(issuer: &TestIssuer, changes: &Value) -> Map<String, Value> {
    let mut claims = issuer.claims(NOW);
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.remove(name);
        } else {
            claims.insert(name.clone(), value.clone());
        }
    }
    claims
}
