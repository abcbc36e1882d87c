// SPDX-License-Identifier: Apache-2.0
//! Every node of a Cluster is kept right through failovers and restarts.

use cress_provider::{Operation, ProviderErrorKind};
use cress_testkit::redis::{Accounts, ClusterSetup, Flavour, RedisServer};

use super::site::{Site, accounts, addresses, eventually, maintained, names, works};

fn site(setup: &ClusterSetup, persistence: &str) -> Site {
    let nodes = addresses(&setup.servers[..3]);
    Site::new(&format!("topology = 'cluster'\nnodes = {nodes}\npersistence = '{persistence}'\ntimeout_seconds = 2"))
}

async fn works_at_all<'a>(servers: impl IntoIterator<Item = &'a RedisServer>, issued: &cress_provider::Issued) -> bool {
    for server in servers {
        if !works(server, issued).await {
            return false;
        }
    }
    true
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_takes_no_account_and_a_node_that_lost_all_gets_them_back() {
    let mut setup = ClusterSetup::start(Flavour::Redis, Accounts::ConfigFile);
    let site = site(&setup, "none");
    let (kept, kept_issued) = site.issue().await;
    let (ended, ended_issued) = site.issue().await;
    assert!(works_at_all(&setup.servers, &kept_issued).await);

    setup.servers[0].kill();
    setup.wait_for_masters(1, 3, 0);
    assert!(works_at_all(&setup.servers[1..], &kept_issued).await, "the promoted replica had it before");
    let (made_meanwhile, issued_meanwhile) = site.issue_at_last().await;
    assert!(works_at_all(&setup.servers[1..], &issued_meanwhile).await);

    let error = site.provider.revoke(&ended).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ProviderErrorKind::Unavailable, Operation::Revoke));
    assert!(error.to_string().contains(&setup.servers[0].address()), "{error}");
    for server in &setup.servers[1..] {
        assert!(!works(server, &ended_issued).await, "it is over wherever that can be");
    }

    setup.servers[0].restart_stopped();
    eventually(async || site.provider.revoke(&ended).await.map_err(|error| error.to_string())).await;
    maintained(&site, &setup.servers, &[kept, made_meanwhile]).await;
    assert!(works_at_all(&setup.servers, &kept_issued).await);
    assert!(
        works_at_all(&setup.servers, &issued_meanwhile).await,
        "the same password, which nobody but the workload knows"
    );
    assert!(!works(&setup.servers[0], &ended_issued).await);
    let listed = site.provider.accounts(site.deployment).await.unwrap();
    assert_eq!(names(&listed), names(&[kept, made_meanwhile]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_comes_back_with_a_revoked_account_loses_it() {
    let mut setup = ClusterSetup::start(Flavour::Redis, Accounts::Aclfile);
    let site = site(&setup, "aclfile");
    let (kept, kept_issued) = site.issue().await;
    let (ended, ended_issued) = site.issue().await;
    site.provider.maintain().await.unwrap();
    let replica = (0..6).find(|place| !setup.masters(0).contains(place)).unwrap();
    setup.servers[replica].kill();
    eventually(async || match site.provider.revoke(&ended).await {
        Err(error) if error.to_string().contains(&setup.servers[replica].address()) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;

    setup.servers[replica].restart_stopped();
    assert!(accounts(&setup.servers[replica]).contains(&ended.to_string()), "it is in the node's file");
    // Even before the broker tries again: what remains at the others says that it is being ended.
    eventually(async || {
        let maintained = site.provider.maintain().await;
        match works(&setup.servers[replica], &ended_issued).await {
            false => Ok(()),
            true => Err(format!("it still works; {maintained:?}")),
        }
    })
    .await;
    assert!(works(&setup.servers[replica], &kept_issued).await);
    eventually(async || site.provider.revoke(&ended).await.map_err(|error| error.to_string())).await;
    maintained(&site, &setup.servers, &[kept]).await;
}
