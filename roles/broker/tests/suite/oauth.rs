// SPDX-License-Identifier: Apache-2.0
//! The token exchange.

use serde_json::json;

use crate::support::{Answer, Broker};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

async fn broker() -> Broker {
    Broker::start_with(|config| {
        let computed = config.credentials.get_mut(&"computed".parse().unwrap()).unwrap();
        computed.oauth_field = Some("password".to_owned());
    })
    .await
}

async fn exchange(broker: &Broker, pairs: &[(&str, &str)]) -> Answer {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    broker.send("POST", "/oauth/token", &["Content-Type: application/x-www-form-urlencoded"], &body).await
}

fn error(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["error"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_token_is_exchanged_for_a_credential_that_is_one() {
    let broker = broker().await;
    let token = broker.bare_token(&json!({}));
    let pairs =
        [("grant_type", GRANT), ("subject_token_type", JWT), ("subject_token", &token), ("audience", "computed")];
    let answer = exchange(&broker, &pairs).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let body = answer.json();
    assert_eq!(
        (&body["token_type"], &body["issued_token_type"]),
        (&json!("Bearer"), &json!("urn:ietf:params:oauth:token-type:access_token"))
    );
    assert!(body["access_token"].as_str().unwrap().starts_with("secret of "));
    assert!((890..=900).contains(&body["expires_in"].as_u64().unwrap()), "{body}");
}

#[tokio::test]
async fn nothing_else_is() {
    let broker = broker().await;
    let (good, organization) = (broker.bare_token(&json!({})), broker.issuer.audience().to_string());
    let wrong = broker.bare_token(&json!({"aud": organization}));
    let pairs = |token: &str, audience: &str| {
        [("grant_type", GRANT), ("subject_token_type", JWT), ("subject_token", token), ("audience", audience)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    for (token, audience, expected) in [
        (good.as_str(), "cache-rw", (400, "invalid_target")),
        (&good, "nothing-like-it", (400, "invalid_target")),
        (&good, "https://bank.example", (400, "invalid_target")),
        (&wrong, "computed", (400, "invalid_request")),
        ("a.b.c", "computed", (400, "invalid_request")),
    ] {
        let owned = pairs(token, audience);
        let borrowed: Vec<(&str, &str)> = owned.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let answer = exchange(&broker, &borrowed).await;
        assert_eq!(error(&answer), (expected.0, expected.1.to_owned()), "{audience}: {answer:?}");
        assert!(!answer.body.contains(&good), "no token is repeated");
    }
    let json = broker.send("POST", "/oauth/token", &["Content-Type: application/json"], "{}").await;
    assert_eq!(error(&json), (400, "invalid_request".to_owned()));
    let unpermitted = Broker::start_with(|config| {
        let computed = config.credentials.get_mut(&"computed".parse().unwrap()).unwrap();
        computed.oauth_field = Some("password".to_owned());
        let nobody = crate::support::permit("nobody", "principal has group_id && principal.group_id == \"x\"");
        std::fs::write(&config.policies.files[0], nobody).unwrap();
    })
    .await;
    let token = unpermitted.bare_token(&json!({}));
    let owned = pairs(&token, "computed");
    let borrowed: Vec<(&str, &str)> = owned.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(error(&exchange(&unpermitted, &borrowed).await), (400, "invalid_target".to_owned()));
}
