// SPDX-License-Identifier: Apache-2.0
//! The same token to `cress-token` and to jsonwebtoken. What ours accepts the other must accept too; where ours alone refuses, the reason
//! is one of those in which it is meant to be stricter.
//!
//! The first byte says what the rest is: a whole token, the payload of a signed one, or header and payload of a signed one with a line
//! feed between them. Signed ones reach what lies behind the signature.
#![no_main]

use std::sync::LazyLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use cress_domain::Timestamp;
use cress_testkit::{TestIssuer, forge};
use cress_token::{AudienceRule, KeySet, Rejection, Rules, verify};
use jsonwebtoken as oracle;
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};

const ISSUER: &str = "https://issuer.test";
const LEEWAY_SECONDS: u64 = 30;

/// Where ours alone refuses, and why it is meant to:
/// - `token-too-long`, `token-malformed`: one spelling of each token (canonical base64url, no repeated members, no `crit`), within limits;
/// - `key-id-missing`, `key-id-malformed`, `key-unknown`: the key is chosen by its id, while here the other library was given the key;
/// - `type-not-allowed`: a token for another purpose (RFC 8725 section 3.11);
/// - `claims-malformed`, `claim-repeated`, `claim-type`: one meaning of each claim, the registered ones of the type that RFC 7519 says;
/// - `issued-in-future`: the other library does not look at `iat`;
/// - `issuer-mismatch`: the other library takes a list of issuers;
/// - `expired`, `not-yet-valid`: to the fraction of a second, the other library rounds.
const STRICTER: &[&str] = &[
    "token-too-long",
    "token-malformed",
    "key-id-missing",
    "key-id-malformed",
    "key-unknown",
    "type-not-allowed",
    "claims-malformed",
    "claim-repeated",
    "claim-type",
    "issued-in-future",
    "issuer-mismatch",
    "expired",
    "not-yet-valid",
];

struct Both {
    issuer: TestIssuer,
    signing: EcdsaKeyPair,
    keys: KeySet,
    rules: Rules,
    oracle_key: oracle::DecodingKey,
    validation: oracle::Validation,
}

static BOTH: LazyLock<Both> = LazyLock::new(|| {
    let issuer = TestIssuer::with_issuer(ISSUER);
    let pkcs8 = issuer.signing_key().to_pkcs8().expect("the private key");
    let signing = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.expose()).expect("the same key");
    let audiences = ["one", "two"].map(|audience| audience.parse().expect("an audience")).to_vec();
    let rules = Rules::new(ISSUER.parse().expect("an issuer"), AudienceRule::OneOf(audiences));
    let set: oracle::jwk::JwkSet = serde_json::from_str(&issuer.jwks_json()).expect("a key set");
    let oracle_key = oracle::DecodingKey::from_jwk(set.find("test-1").expect("the key")).expect("a key");
    let mut validation = oracle::Validation::new(oracle::Algorithm::ES256);
    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&["one", "two"]);
    validation.leeway = LEEWAY_SECONDS;
    validation.validate_nbf = true;
    Both { keys: KeySet::new(&issuer.jwks()), issuer, signing, rules, oracle_key, validation }
});

fuzz_target!(|data: &[u8]| {
    let Some((kind, rest)) = data.split_first() else { return };
    let Some(token) = token(*kind, rest) else { return };
    let begun = oracle::get_current_timestamp();
    let now = Timestamp::from_unix_seconds(i64::try_from(begun).expect("a time of this era"));
    let ours = verify(&token, &BOTH.keys, &BOTH.rules, now);
    let theirs = oracle::decode::<Map<String, Value>>(&token, &BOTH.oracle_key, &BOTH.validation);
    if oracle::get_current_timestamp() != begun {
        // The clock went on between the two.
        return;
    }
    match (&ours, &theirs) {
        (Ok(_), Err(error)) => panic!("accepted, while jsonwebtoken refuses it: {error}: {token}"),
        (Err(rejection), Ok(_)) if !is_stricter(rejection) => {
            panic!("refused ({}), while jsonwebtoken accepts it: {token}", rejection.code());
        }
        _ => {}
    }
});

fn is_stricter(rejection: &Rejection) -> bool {
    STRICTER.contains(&rejection.code())
}

fn token(kind: u8, rest: &[u8]) -> Option<String> {
    match kind {
        b't' => std::str::from_utf8(rest).ok().map(str::to_owned),
        b'p' => BOTH.issuer.signing_key().sign(rest).ok(),
        b'h' => {
            let end = rest.iter().position(|byte| *byte == b'\n')?;
            let (header, payload) = rest.split_at(end);
            let input = format!("{}.{}", forge::encode(header), forge::encode(payload.get(1..)?));
            let signature = BOTH.signing.sign(&SystemRandom::new(), input.as_bytes()).ok()?;
            Some(format!("{input}.{}", forge::encode(signature.as_ref())))
        }
        _ => None,
    }
}
