// SPDX-License-Identifier: Apache-2.0
//! The operator's side.

use serde_json::{Value, json};

use crate::support::{Broker, eventually};

#[tokio::test]
async fn an_operator_sees_and_ends_what_was_given_out() {
    let broker = Broker::start().await;
    let identity = broker.issuer.identity();
    let lease = broker.issue("cache-rw", &[&broker.token()], "").await.lease();
    let shown = broker.operator("GET", &format!("/v1/leases/{lease}"), "").await.json();
    assert_eq!((&shown["credential"], &shown["provider"]), (&json!("cache-rw"), &json!("cache")));
    assert!(shown["owner"].as_str().unwrap().contains(&identity.instance_id.to_string()), "{shown}");
    assert!(shown["account"].as_str().unwrap().starts_with("cress_"), "{shown}");
    let listed = async |query: &str| {
        let answer = broker.operator("GET", &format!("/v1/leases?{query}"), "").await;
        answer.json()["items"].as_array().map(Vec::len).ok_or(answer)
    };
    assert_eq!(listed("credential=cache-rw&status=active").await.unwrap(), 1);
    assert_eq!(listed(&format!("instance={}", identity.instance_id)).await.unwrap(), 1);
    assert_eq!(listed("instance=another").await.unwrap(), 0);
    assert_eq!(listed("status=lost").await.unwrap_err().status, 400);
    assert_eq!(listed("colour=blue").await.unwrap_err().status, 400);
    let missing = broker.operator("GET", "/v1/leases/ffffffff-ffff-4fff-bfff-ffffffffffff", "").await;
    assert_eq!(missing.refusal(), (404, "not-found".to_owned()));

    let revoked = broker.operator("POST", "/v1/leases/revoke", &json!({"credential": "cache-rw"}).to_string()).await;
    assert_eq!(revoked.json(), json!({"leases": 1}));
    eventually("the account to go", async || broker.target.state().accounts.is_empty().then_some(())).await;
    let both = json!({"credential": "cache-rw", "provider": "cache"}).to_string();
    assert_eq!(broker.operator("POST", "/v1/leases/revoke", &both).await.status, 400);
}

#[tokio::test]
async fn the_leases_of_an_ended_instance_go_at_once() {
    let broker = Broker::start().await;
    let other = "00000000-0000-4000-8000-000000000001";
    let mine = broker.issue("cache-rw", &[&broker.token()], "").await.json();
    let theirs = broker.issue("cache-rw", &[&broker.token_with(&json!({"salad_instance_id": other}))], "").await.json();
    let ended = json!({"issuer": broker.issuer.issuer(), "instances": [other, "unknown"]});
    let told = broker.operator("POST", "/v1/instances/ended", &ended.to_string()).await;
    assert_eq!(told.json(), json!({"leases": 1}));
    let account = |answer: &Value| answer["credential"]["username"].as_str().unwrap().to_owned();
    eventually("the account to go", async || {
        let accounts: Vec<String> = broker.target.state().accounts.iter().map(ToString::to_string).collect();
        assert!(accounts.contains(&account(&mine)));
        (!accounts.contains(&account(&theirs))).then_some(())
    })
    .await;
    // Ids of another issuer are others.
    let id = broker.issuer.identity().instance_id;
    let stranger = json!({"issuer": "https://stranger.test", "instances": [id]});
    assert_eq!(
        broker.operator("POST", "/v1/instances/ended", &stranger.to_string()).await.json(),
        json!({"leases": 0})
    );
}

#[tokio::test]
async fn a_target_that_is_away_is_told_of() {
    let broker = Broker::start().await;
    broker.issue("cache-rw", &[&broker.token()], "").await.lease();
    assert_eq!(broker.operator("GET", "/v1/targets/stuck", "").await.json(), json!({"items": []}));
    broker.target.state().is_away = true;
    broker.operator("POST", "/v1/leases/revoke", &json!({"provider": "cache"}).to_string()).await;
    let stuck = eventually("the target to be told of", async || {
        let stuck = broker.operator("GET", "/v1/targets/stuck", "").await.json();
        stuck["items"].as_array().filter(|items| !items.is_empty()).map(|items| items[0].clone())
    })
    .await;
    assert_eq!((&stuck["provider"], &stuck["due"]), (&json!("cache"), &json!(1)), "{stuck}");
    assert!(stuck["last_error"].as_str().unwrap().contains("it is away"), "{stuck}");
    broker.target.state().is_away = false;
    eventually("the account to go", async || broker.target.state().accounts.is_empty().then_some(())).await;
}
