// SPDX-License-Identifier: Apache-2.0
//! `jsonwebtoken` as the oracle: both libraries agree on times, issuers, audiences and types.

use cress_domain::Timestamp;
use cress_testkit::TestIssuer;
use jsonwebtoken as oracle;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::{AudienceRule, KeySet, Rules, verify};

const ISSUER: &str = "https://issuer.test";

/// The oracle with rules as near to ours as it has them.
fn accepts(issuer: &TestIssuer, token: &str) -> bool {
    let jwks: oracle::jwk::JwkSet = serde_json::from_str(&issuer.jwks_json()).unwrap();
    let mut validation = oracle::Validation::new(oracle::Algorithm::ES256);
    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&["one", "two"]);
    validation.leeway = 30;
    validation.validate_nbf = true;
    let key = oracle::DecodingKey::from_jwk(jwks.find("test-1").unwrap()).unwrap();
    oracle::decode::<Map<String, Value>>(token, &key, &validation).is_ok()
}

fn we_accept(issuer: &TestIssuer, token: &str, now: u64) -> bool {
    let audiences = ["one", "two"].map(|audience| audience.parse().unwrap()).to_vec();
    let rules = Rules::new(ISSUER.parse().unwrap(), AudienceRule::OneOf(audiences));
    let now = Timestamp::from_unix_seconds(i64::try_from(now).unwrap());
    verify(token, &KeySet::new(&issuer.jwks()), &rules, now).is_ok()
}

/// Seconds from now, never within 4 s of a limit, so that the oracle's clock may go on meanwhile.
fn offset() -> impl Strategy<Value = i64> {
    (-20_i64..20).prop_map(|steps| steps * 10 + 5)
}

fn audience() -> impl Strategy<Value = Value> {
    let name = || prop_oneof![Just("one"), Just("two"), Just("three"), Just("")];
    prop_oneof![
        4 => name().prop_map(Value::from),
        4 => prop::collection::vec(name(), 0..3).prop_map(Value::from),
        1 => Just(json!(1)),
        1 => Just(json!([1])),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn both_agree_on_claims(
        exp in prop::option::weighted(0.9, offset()),
        nbf in prop::option::of(offset()),
        iss in prop::option::weighted(0.9, prop_oneof![4 => Just(ISSUER), 1 => Just("https://other.test")]),
        aud in prop::option::weighted(0.9, audience()),
        fraction in any::<bool>(),
    ) {
        let issuer = TestIssuer::with_issuer(ISSUER);
        let now = oracle::get_current_timestamp();
        let time = |offset: i64| {
            let seconds = i64::try_from(now).unwrap() + offset;
            if fraction { json!(seconds as f64 + 0.25) } else { json!(seconds) }
        };
        let claims = [
            ("exp", exp.map(time)), ("nbf", nbf.map(time)), ("iss", iss.map(Value::from)), ("aud", aud),
        ];
        let claims: Map<String, Value> =
            claims.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
        let token = issuer.sign_claims(claims.clone());
        prop_assert_eq!(we_accept(&issuer, &token, now), accepts(&issuer, &token), "{:?}", claims);
    }

    #[test]
    fn no_claims_make_the_check_panic(
        values in prop::collection::hash_map(
            prop_oneof![Just("iss"), Just("exp"), Just("nbf"), Just("iat"), Just("aud"), Just("sub"), Just("jti")],
            prop_oneof![
                any::<f64>().prop_map(Value::from), any::<i64>().prop_map(Value::from), any::<u64>().prop_map(Value::from),
                "\\PC{0,80}".prop_map(Value::from), Just(json!(ISSUER)), Just(json!(["one"])), Just(json!({"a": []})),
            ],
            0..8,
        ),
        now in any::<i64>(),
    ) {
        let issuer = TestIssuer::with_issuer(ISSUER);
        let claims = values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let rules = Rules::for_workloads(ISSUER.parse().unwrap(), AudienceRule::Any);
        let now = Timestamp::from_unix_microseconds(now);
        let _ = verify(&issuer.sign_claims(claims), &KeySet::new(&issuer.jwks()), &rules, now);
    }
}
