// SPDX-License-Identifier: Apache-2.0
//! Servers that the settings list: nodes that come back, one by one.

use cress_provider::ProviderErrorKind;
use cress_testkit::redis::{Accounts, Flavour, RedisServer};

use super::site::{REFERENCE, Site, accounts, addresses, eventually, maintained, names, works};

fn two(accounts: Accounts) -> Vec<RedisServer> {
    (0..2).map(|_| RedisServer::start(Flavour::Redis, accounts)).collect()
}

fn site(servers: &[RedisServer], persistence: &str) -> Site {
    Site::new(&format!("nodes = {}\npersistence = '{persistence}'\ntimeout_seconds = 1", addresses(servers)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_lost_its_accounts_gets_them_from_the_other() {
    let mut servers = two(Accounts::ConfigFile);
    let site = site(&servers, "none");
    let mut made = Vec::new();
    for _ in 0..300 {
        made.push(site.issue().await);
    }
    let all: Vec<_> = made.iter().map(|(account, _)| *account).collect();
    maintained(&site, &servers, &all).await;
    for place in [0, 1, 0] {
        servers[place].restart();
        assert_eq!(accounts(&servers[place]).len(), 0);
        maintained(&site, &servers, &all).await;
        assert!(works(&servers[place], &made[0].1).await && works(&servers[place], &made[299].1).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_was_just_started_believes_most_nodes() {
    let mut servers = two(Accounts::ConfigFile);
    let (account, issued) = site(&servers, "none").issue().await;
    servers[1].restart();
    let another = site(&servers, "none");
    // As the lease engine does: by this the provider learns whose accounts there are.
    assert_eq!(another.provider.accounts(account.deployment()).await.unwrap(), [account]);
    maintained(&another, &servers, &[account]).await;
    assert!(works(&servers[1], &issued).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_an_account_that_was_ended_long_ago_loses_it_and_does_not_spread_it() {
    let mut servers = two(Accounts::Aclfile);
    let site = site(&servers, "aclfile");
    let (kept, _) = site.issue().await;
    maintained(&site, &servers, &[kept]).await;
    // As if the node had been away, forgotten, and put back from a backup.
    let stale = site.grant().account;
    servers[1].command(&["ACL", "SETUSER", &stale.to_string(), "on", "nopass", "~*", "+@all"]);
    servers[1].command(&["ACL", "SAVE"]);
    servers[1].restart();
    assert!(accounts(&servers[1]).contains(&stale.to_string()));
    maintained(&site, &servers, &[kept]).await;
    servers[1].restart();
    assert_eq!(accounts(&servers[1]), names(&[kept]), "nor is it in its file any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_account_is_made_while_a_node_that_serves_is_away() {
    let mut servers = two(Accounts::ConfigFile);
    let site = site(&servers, "none");
    servers[1].stop();
    let grant = site.grant();
    let error = site.credential.issue(&grant).await.unwrap_err();
    assert_eq!(error.kind(), ProviderErrorKind::Unavailable);
    assert!(error.to_string().contains(&servers[1].address()), "{error}");
    assert_eq!(site.provider.revoke(&grant.account).await.unwrap_err().kind(), ProviderErrorKind::Unavailable);
    servers[1].restart_stopped();
    eventually(async || site.provider.revoke(&grant.account).await.map_err(|error| error.to_string())).await;
    assert!(servers.iter().all(|server| accounts(server).is_empty()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_is_noticed_and_used_again_when_it_does_not() {
    let mut servers = vec![RedisServer::start(Flavour::Redis, Accounts::ConfigFile)];
    let site = site(&servers, "none");
    let (account, _) = site.issue().await;
    servers[0].pause();
    let error = site.provider.revoke(&account).await.unwrap_err();
    assert_eq!(error.kind(), ProviderErrorKind::Unavailable, "{error}");
    servers[0].resume();
    eventually(async || site.provider.revoke(&account).await.map_err(|error| error.to_string())).await;
    assert_eq!(accounts(&servers[0]).len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_root_password_is_read_again() {
    let server = RedisServer::start(Flavour::Redis, Accounts::ConfigFile);
    let site = Site::new(&format!("nodes = ['{}']", server.address()));
    site.issue().await;
    // The commands of one connection: afterwards the test's own password is another one too.
    server.command(&["ACL", "SETUSER", "default", "resetpass", ">another", "nopass"]);
    server.command(&["CLIENT", "KILL", "USER", "default"]);
    server.command(&["ACL", "SETUSER", "default", "resetpass", ">another"]);
    let refused = eventually(async || match site.credential.issue(&site.grant()).await {
        Err(error) => Ok(error),
        Ok(_) => Err("it is still let in".to_owned()),
    })
    .await;
    assert_eq!(refused.kind(), ProviderErrorKind::Unavailable);
    assert!(!refused.to_string().contains("another"), "{refused}");
    site.secrets.set(REFERENCE, Some("another"));
    let (account, _) = site.issue_at_last().await;
    site.provider.revoke(&account).await.unwrap();
}
