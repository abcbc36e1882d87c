// SPDX-License-Identifier: Apache-2.0
//! Leases: their owners renew and end them, and nobody else can tell that they are there.

use serde_json::json;

use crate::support::{Broker, eventually, permit};

const OTHER: &str = "00000000-0000-4000-8000-000000000001";

#[tokio::test]
async fn an_owner_lists_renews_and_ends() {
    let broker = Broker::start().await;
    let token = broker.token();
    let issued = broker.issue("cache-rw", &[&token], r#"{"ttl_seconds":60}"#).await;
    let lease = issued.lease();
    let listed = broker.send("GET", "/v1/leases", &[&token], "").await.json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(
        (&listed["items"][0]["lease_id"], &listed["items"][0]["credential"], &listed["items"][0]["status"]),
        (&json!(lease), &json!("cache-rw"), &json!("active"))
    );
    let renew = format!("/v1/leases/{lease}/renew");
    let renewed = broker.send("POST", &renew, &[&token], "").await;
    assert_eq!((renewed.status, &renewed.json()["renewable"]), (200, &json!(true)), "{renewed:?}");
    assert!(renewed.json()["expires_at"].as_str() > issued.json()["expires_at"].as_str());
    let headers = [token.as_str(), "Content-Type: application/json"];
    let longer = broker.send("POST", &renew, &headers, r#"{"ttl_seconds":3601}"#).await;
    assert_eq!(longer.refusal(), (400, "ttl-out-of-bounds".to_owned()));

    let ended = broker.send("DELETE", &format!("/v1/leases/{lease}"), &[&token], "").await;
    assert_eq!((ended.status, ended.body.as_str()), (204, ""), "{ended:?}");
    eventually("the account to go", async || broker.target.state().accounts.is_empty().then_some(())).await;
    let again = broker.send("DELETE", &format!("/v1/leases/{lease}"), &[&token], "").await;
    assert_eq!(again.refusal(), (404, "lease-not-found".to_owned()));
    assert_eq!(broker.send("POST", &renew, &[&token], "").await.refusal(), (404, "lease-not-found".to_owned()));
}

#[tokio::test]
async fn nobody_else_can_tell_that_a_lease_is_there() {
    let broker = Broker::start().await;
    let lease = broker.issue("cache-rw", &[&broker.token()], "").await.lease();
    let none = "ffffffff-ffff-4fff-bfff-ffffffffffff";
    for changes in [
        json!({"salad_instance_id": OTHER}),
        json!({"salad_instance_id": OTHER, "salad_organization_id": OTHER, "aud": "https://broker.test"}),
        // Of no instance: its replicas own what they ask for themselves.
        json!({"salad_instance_id": null}),
    ] {
        let token = broker.token_with(&changes);
        let of = |id: &str| [("POST", format!("/v1/leases/{id}/renew")), ("DELETE", format!("/v1/leases/{id}"))];
        for ((method, path), (_, absent)) in of(&lease).into_iter().zip(of(none)) {
            let (theirs, nobodys) =
                (broker.send(method, &path, &[&token], "").await, broker.send(method, &absent, &[&token], "").await);
            assert_eq!(theirs.refusal(), (404, "lease-not-found".to_owned()), "{changes}");
            assert_eq!(theirs.body, nobodys.body);
        }
        let listed = broker.send("GET", "/v1/leases", &[&token], "").await.json();
        assert_eq!(listed["items"], json!([]), "{changes}");
    }
    assert_eq!(broker.target.state().accounts.len(), 1, "it is still there");
    assert_eq!(broker.send("DELETE", &format!("/v1/leases/{lease}"), &[], "").await.status, 401);
}

#[tokio::test]
async fn policies_are_asked_again_at_each_renewal() {
    let broker = Broker::start().await;
    let token = broker.token();
    let lease = broker.issue("cache-rw", &[&token], "").await.lease();
    broker.write_policies(&permit("nobody", "principal has organization_id && principal.organization_id == \"x\""));
    let renew = format!("/v1/leases/{lease}/renew");
    eventually("the new policies", async || {
        let renewed = broker.send("POST", &renew, &[&token], "").await;
        (renewed.refusal() == (403, "credential-not-permitted".to_owned())).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_is_computed_cannot_be_renewed() {
    let broker = Broker::start().await;
    let token = broker.token();
    let issued = broker.issue("computed", &[&token], "").await;
    assert_eq!(issued.json()["renewable"], false);
    let renewed = broker.send("POST", &format!("/v1/leases/{}/renew", issued.lease()), &[&token], "").await;
    assert_eq!(renewed.refusal(), (409, "lease-not-renewable".to_owned()));
}
