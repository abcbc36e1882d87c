// SPDX-License-Identifier: Apache-2.0
//! New configurations, good and bad, while requests go on.

use crate::support::{Broker, eventually};

#[tokio::test]
async fn a_good_one_is_taken_and_a_bad_one_is_not() {
    let broker = Broker::start().await;
    let token = broker.token();
    let lease = broker.issue("cache-rw", &[&token], "").await.lease();
    assert_eq!(broker.target.state().built, 2);
    broker.reload(|config| {
        let computed = config.credentials[&"computed".parse().unwrap()].clone();
        config.credentials.insert("another".parse().unwrap(), computed);
    });
    eventually("the new credential", async || {
        (broker.issue("another", &[&token], "").await.status == 201).then_some(())
    })
    .await;
    assert_eq!(broker.target.state().built, 2, "targets that did not change are kept");

    let failed = async |count: usize| {
        let line = format!("broker_reloads_failed_total {count}");
        eventually("a refused configuration", async || broker.metrics().await.contains(&line).then_some(())).await;
    };
    broker.reload(|config| config.drain_seconds = 601);
    failed(1).await;
    broker.reload(|config| {
        config.drain_seconds = 10;
        config.providers.get_mut(&"cache".parse().unwrap()).unwrap().kind = "unknown".to_owned();
    });
    failed(2).await;
    assert_eq!(broker.issue("another", &[&token], "").await.status, 201);

    broker.reload(|config| {
        let cache = config.providers.get_mut(&"cache".parse().unwrap()).unwrap();
        cache.kind = "memory".to_owned();
        cache.settings.insert("note".to_owned(), "changed".into());
    });
    eventually("the provider to be built anew", async || (broker.target.state().built > 2).then_some(())).await;
    let renewed = broker.send("POST", &format!("/v1/leases/{lease}/renew"), &[&token], "").await;
    assert_eq!(renewed.status, 200, "{renewed:?}");
}

#[tokio::test]
async fn a_credential_that_is_taken_out_is_given_no_more_and_ends() {
    let broker = Broker::start().await;
    let token = broker.token();
    broker.issue("cache-rw", &[&token], "").await.lease();
    broker.reload(|config| {
        config.credentials.remove(&"cache-rw".parse().unwrap());
    });
    eventually("it to be taken out", async || {
        (broker.issue("cache-rw", &[&token], "").await.status == 403).then_some(())
    })
    .await;
    let revoked = broker.operator("POST", "/v1/leases/revoke", "{\"credential\":\"cache-rw\"}").await;
    assert!(revoked.json()["leases"].as_u64() >= Some(1), "{revoked:?}");
    eventually("the account to go", async || broker.target.state().accounts.is_empty().then_some(())).await;
}

#[tokio::test]
async fn it_stops_in_order_and_another_goes_on_with_its_leases() {
    let broker = Broker::start().await;
    broker.issue("cache-rw", &[&broker.token()], "").await.lease();
    broker.shutdown.request();
    assert_eq!(broker.shutdown.drain().await, cress_service::shutdown::Drained::Complete);
    assert_eq!(broker.shutdown.failed_task(), None);
    assert_eq!(broker.target.state().accounts.len(), 1, "what was given out outlives the process");
}
