// SPDX-License-Identifier: Apache-2.0
//! Who is heard, and who is not.

use cress_testkit::TestIssuer;
use serde_json::json;

use crate::support::Broker;

#[tokio::test]
async fn a_token_is_for_this_broker_of_a_trusted_issuer_and_good() {
    let broker = Broker::start().await;
    let organization = broker.issuer.audience().to_string();
    let signed = |issuer: &TestIssuer, changes| {
        let mut claims = issuer.claims(cress_domain::Timestamp::from_unix_seconds(1_000));
        claims.insert("aud".to_owned(), "https://broker.test".into());
        format!("Authorization: Bearer {}", issuer.sign_claims(cress_testkit::with_changes(claims, &changes)))
    };
    let stranger = TestIssuer::with_issuer("https://stranger.test");
    let forger = TestIssuer::new();
    for (what, headers, expected) in [
        ("nothing", vec![], (401, "token-missing")),
        ("two", vec![broker.token(), broker.token()], (400, "authorization-repeated")),
        ("no token", vec!["Authorization: Bearer".to_owned()], (400, "authorization-malformed")),
        ("an organization's", vec![broker.token_with(&json!({"aud": organization}))], (401, "audience-mismatch")),
        (
            "another service's",
            vec![broker.token_with(&json!({"aud": "https://broker.test/"}))],
            (401, "audience-mismatch"),
        ),
        ("nobody's", vec![broker.token_with(&json!({"aud": null}))], (401, "claim-missing")),
        ("a stranger's", vec![signed(&stranger, json!({}))], (401, "issuer-mismatch")),
        ("an old one", vec![broker.token_with(&json!({"iat": 1_000, "nbf": 1_000, "exp": 1_300}))], (401, "expired")),
        ("a forged one", vec![signed(&forger, json!({"exp": 4_000_000_000_u64}))], (401, "signature-invalid")),
        (
            "one of nobody",
            vec![broker.token_with(&json!({"sub": null, "salad_instance_id": null, "salad_machine_id": null}))],
            (401, "identity-missing"),
        ),
        ("a wrongly typed one", vec![broker.token_with(&json!({"salad_instance_id": ["a"]}))], (401, "claim-type")),
        (
            "one with a control character",
            vec![broker.token_with(&json!({"salad_instance_id": "a\u{0}"}))],
            (401, "claim-type"),
        ),
        ("an empty one", vec![broker.token_with(&json!({"salad_instance_id": ""}))], (401, "claim-type")),
    ] {
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        let answer = broker.issue("cache-rw", &headers, "").await;
        assert_eq!(answer.refusal(), (expected.0, expected.1.to_owned()), "{what}: {answer:?}");
        assert!(answer.header("www-authenticate").unwrap().starts_with("Bearer realm=\"broker\""), "{what}");
    }
    assert!(broker.target.state().grants.is_empty());
    let metrics = broker.metrics().await;
    assert!(metrics.contains(r#"broker_refusals_total{reason="audience-mismatch"} 2"#), "{metrics}");
}

#[tokio::test]
async fn an_organizations_token_passes_only_where_that_is_said_and_for_its_own() {
    let issuer = TestIssuer::new();
    let own = issuer.audience().to_string();
    let broker = Broker::start_with(|config| {
        let issuer = config.issuers.get_mut("test").unwrap();
        issuer.accept_organization_audience = true;
        issuer.organizations = vec![own.parse().unwrap()];
    })
    .await;
    let other = "00000000-0000-4000-8000-000000000001";
    for (changes, status) in [
        (json!({"aud": own}), 201),
        (json!({"aud": "https://broker.test"}), 201),
        (json!({"aud": other}), 401),
        (json!({"aud": [own, other]}), 201),
        // Its own organization is another than the token is for.
        (json!({"aud": own, "salad_organization_id": other}), 401),
        (json!({"aud": other, "salad_organization_id": other}), 401),
        (json!({"aud": "https://bank.example"}), 401),
        (json!({"aud": null}), 401),
    ] {
        let answer = broker.issue("computed", &[&broker.token_with(&changes)], "").await;
        assert_eq!(answer.status, status, "{changes}: {answer:?}");
    }
}

#[tokio::test]
async fn who_asks_too_often_is_told_when_to_come_again() {
    let broker = Broker::start_with(|config| {
        (config.rates.instance_per_second, config.rates.instance_burst) = (1, 2);
    })
    .await;
    let token = broker.token();
    let ask = async || broker.send("GET", "/v1/credentials", &[&token], "").await;
    while ask().await.status == 200 {}
    let refused = ask().await;
    assert_eq!(refused.refusal(), (429, "too-many-requests".to_owned()));
    assert_eq!(refused.header("retry-after"), Some("1"));
    // Another token of the same instance is the same instance's.
    let same = broker.send("GET", "/v1/credentials", &[&broker.token()], "").await;
    assert_eq!(same.status, 429);
    let other = broker.token_with(&json!({"salad_instance_id": "00000000-0000-4000-8000-000000000001"}));
    assert_eq!(broker.send("GET", "/v1/credentials", &[&other], "").await.status, 200);
}

#[tokio::test]
async fn what_anyone_may_read_needs_no_token_and_nothing_else_is_there() {
    let broker = Broker::start().await;
    for path in ["/healthz", "/readyz", "/openapi.json", "/.well-known/oauth-authorization-server"] {
        assert_eq!(broker.send("GET", path, &[], "").await.status, 200, "{path}");
    }
    let metadata = broker.send("GET", "/.well-known/oauth-authorization-server", &[], "").await.json();
    assert_eq!(metadata["issuer"], broker.started.url);
    assert_eq!(metadata["token_endpoint"], format!("{}/oauth/token", broker.started.url));
    assert_eq!(broker.send("GET", "/v1/nothing", &[], "").await.refusal(), (404, "not-found".to_owned()));
    let wrong = broker.send("PUT", "/v1/leases", &[&broker.token()], "").await;
    assert_eq!((wrong.refusal(), wrong.header("allow")), ((405, "method-not-allowed".to_owned()), Some("GET, HEAD")));
    assert_eq!(broker.send("GET", "/metrics", &[], "").await.status, 404);
}
