// SPDX-License-Identifier: Apache-2.0
//! What control publishes to everyone.

use cress_tests::{Up, get, send};
use serde_json::json;

#[test]
fn the_key_set_is_public_cacheable_and_holds_two_public_keys() {
    let up = Up::new();
    let stack = up.start(&["--instances", "0"]);
    let answer = get(&stack.endpoints.jwks, &[]).unwrap();
    assert_eq!(answer.status, 200);
    let cache = answer.header("cache-control").unwrap();
    let age: u32 = cache.split("max-age=").nth(1).unwrap().split(',').next().unwrap().trim().parse().unwrap();
    assert!(age <= 3_600, "{cache}");
    let set = answer.json();
    let keys = set["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 2);
    for key in keys {
        let mut members: Vec<&str> = key.as_object().unwrap().keys().map(String::as_str).collect();
        members.sort_unstable();
        assert_eq!(members, ["crv", "kid", "kty", "use", "x", "y"]);
        assert_eq!((&key["kty"], &key["crv"], &key["use"]), (&json!("EC"), &json!("P-256"), &json!("sig")));
    }
    let etag = answer.header("etag").unwrap();
    let unchanged = get(&stack.endpoints.jwks, &[&format!("If-None-Match: {etag}")]).unwrap();
    assert_eq!((unchanged.status, unchanged.body.as_str()), (304, ""));
    assert_eq!(get(&stack.endpoints.jwks, &["If-None-Match: \"other\""]).unwrap().status, 200);
    assert_eq!(send("HEAD", &stack.endpoints.jwks, &[], "").unwrap().status, 200);
    let refused = send("POST", &stack.endpoints.jwks, &[], "{}").unwrap();
    assert_eq!((refused.status, refused.header("content-type")), (405, Some("application/problem+json")));
}

#[test]
fn discovery_names_what_really_signs() {
    let up = Up::new();
    let stack = up.start(&["--instances", "0"]);
    let control = &stack.endpoints.control;
    let document = get(&format!("{control}/.well-known/openid-configuration"), &[]).unwrap().json();
    assert_eq!(document["issuer"], json!(control));
    assert_eq!(document["jwks_uri"], json!(stack.endpoints.jwks));
    assert_eq!(document["id_token_signing_alg_values_supported"], json!(["ES256"]));
    assert_eq!(get(&format!("{control}/healthz"), &[]).unwrap().status, 200);
    assert_eq!(get(&format!("{control}/readyz"), &[]).unwrap().status, 200);
    let absent = get(&format!("{control}/metrics"), &[]).unwrap();
    assert_eq!((absent.status, absent.header("content-type")), (404, Some("application/problem+json")));
}
