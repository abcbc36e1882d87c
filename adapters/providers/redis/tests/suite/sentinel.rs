// SPDX-License-Identifier: Apache-2.0
//! A failover that Sentinels see to.

use cress_provider::ProviderErrorKind;
use cress_testkit::redis::{Accounts, MASTER_NAME, SentinelSetup};

use super::site::{Site, addresses, eventually, field, maintained, works};

async fn failover(accounts: Accounts, persistence: &str) {
    let mut setup = SentinelSetup::start(accounts);
    let site = Site::new(&format!(
        "topology = 'sentinel'\nsentinels = {}\nmaster = '{MASTER_NAME}'\npersistence = '{persistence}'\ntimeout_seconds = 2",
        addresses(&setup.sentinels)
    ));
    let (kept, kept_issued) = site.issue().await;
    let (ended, _) = site.issue().await;
    assert_eq!(field(&kept_issued, "master"), MASTER_NAME);
    assert!(field(&kept_issued, "sentinels").contains(&setup.sentinels[0].address()));
    for server in &setup.servers {
        assert!(works(server, &kept_issued).await);
    }

    let old = setup.master_port();
    let place = setup.servers.iter().position(|server| server.port() == old).unwrap();
    setup.servers[place].kill();
    setup.wait_for_failover(old);
    let (made_meanwhile, issued_meanwhile) = site.issue_at_last().await;
    let error = site.provider.revoke(&ended).await.unwrap_err();
    assert_eq!(error.kind(), ProviderErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains(&setup.servers[place].address()), "{error}");

    setup.servers[place].restart_stopped();
    eventually(async || site.provider.revoke(&ended).await.map_err(|error| error.to_string())).await;
    maintained(&site, &setup.servers, &[kept, made_meanwhile]).await;
    for server in &setup.servers {
        assert!(works(server, &kept_issued).await && works(server, &issued_meanwhile).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_in_files_of_their_own_survive_a_failover() {
    failover(Accounts::Aclfile, "aclfile").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_in_configuration_files_survive_a_failover() {
    failover(Accounts::ConfigFile, "rewrite").await;
}
