// SPDX-License-Identifier: Apache-2.0
//! What survives when a server is killed.

use cress_provider::ProviderErrorKind;
use cress_testkit::redis::{Accounts, Flavour, RedisServer};

use super::site::{Site, accounts, eventually, works};

async fn survives(flavour: Flavour, kept_in: Accounts, persistence: &str) {
    let mut server = RedisServer::start(flavour, kept_in);
    let site = Site::new(&format!("nodes = ['{}']\npersistence = '{persistence}'", server.address()));
    let (kept, kept_issued) = site.issue().await;
    let (ended, ended_issued) = site.issue().await;
    site.provider.maintain().await.unwrap();

    site.provider.revoke(&ended).await.unwrap();
    // At once: a revocation that was reported as done is on the disk.
    server.kill();
    server.restart_stopped();
    assert!(works(&server, &kept_issued).await, "{persistence}");
    assert!(!works(&server, &ended_issued).await, "{persistence}");
    let later = site.grant().expires_at;
    eventually(async || site.provider.extend(&kept, later).await.map_err(|error| error.to_string())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_on_the_disk_survive_and_revoked_ones_do_not() {
    survives(Flavour::Redis, Accounts::Aclfile, "aclfile").await;
    survives(Flavour::Redis, Accounts::ConfigFile, "rewrite").await;
    survives(Flavour::Valkey, Accounts::Aclfile, "aclfile").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn new_accounts_come_to_the_disk_by_themselves() {
    let server = RedisServer::start(Flavour::Redis, Accounts::Aclfile);
    let site = Site::new(&format!("nodes = ['{}']\npersistence = 'aclfile'", server.address()));
    let (account, _) = site.issue().await;
    let file = server.directory().join("users.acl");
    eventually(async || {
        let written = std::fs::read_to_string(&file).unwrap();
        if written.contains(&account.to_string()) { Ok(()) } else { Err(written) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_in_memory_is_told_to_be_gone_after_a_restart() {
    let mut server = RedisServer::start(Flavour::Redis, Accounts::ConfigFile);
    let site = Site::new(&format!("nodes = ['{}']", server.address()));
    let (account, issued) = site.issue().await;
    server.kill();
    server.restart_stopped();
    assert!(!works(&server, &issued).await);
    let error = site.provider.extend(&account, site.grant().expires_at).await.unwrap_err();
    assert_eq!(error.kind(), ProviderErrorKind::Gone, "{error}");
    site.provider.revoke(&account).await.unwrap();
    let (account, issued) = site.issue().await;
    assert!(works(&server, &issued).await);
    assert_eq!(accounts(&server).len(), 1);
    site.provider.revoke(&account).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_that_cannot_be_written_stays_due() {
    let server = RedisServer::start(Flavour::Redis, Accounts::ConfigFile);
    // There is no aclfile to write.
    let site = Site::new(&format!("nodes = ['{}']\npersistence = 'aclfile'", server.address()));
    let (account, issued) = site.issue().await;
    let error = site.provider.revoke(&account).await.unwrap_err();
    assert!(error.to_string().contains("ACL file"), "{error}");
    assert!(!works(&server, &issued).await, "it is ended all the same");
    assert!(site.provider.maintain().await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_revocations_at_once_share_the_writing() {
    let server = RedisServer::start(Flavour::Redis, Accounts::Aclfile);
    let site = Site::new(&format!("nodes = ['{}']\npersistence = 'aclfile'", server.address()));
    let grants: Vec<_> = (0..500).map(|_| site.grant()).collect();
    let made = futures_util::future::join_all(grants.iter().map(|grant| site.credential.issue(grant))).await;
    assert!(made.iter().all(Result::is_ok));
    assert_eq!(accounts(&server).len(), grants.len());
    let ended = futures_util::future::join_all(grants.iter().map(|grant| site.provider.revoke(&grant.account))).await;
    assert!(ended.iter().all(Result::is_ok));
    assert_eq!(accounts(&server).len(), 0);
    assert!(!std::fs::read_to_string(server.directory().join("users.acl")).unwrap().contains("cress_"));
    let saves = server.command(&["INFO", "commandstats"]);
    let saves =
        saves.lines().find_map(|line| line.strip_prefix("cmdstat_acl|save:calls=")).unwrap().split(',').next().unwrap();
    assert!(saves.parse::<usize>().unwrap() < grants.len() / 10, "{saves} times for {} revocations", grants.len());
}
