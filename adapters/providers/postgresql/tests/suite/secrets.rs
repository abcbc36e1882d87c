// SPDX-License-Identifier: Apache-2.0
//! Passwords: what of them the server sees, and what happens when the broker's own changes.

use cress_provider::ProviderErrorKind;
use cress_testkit::postgres::{Postgres, Version};

use crate::site::{Site, VERSIONS, ask_for_passwords, text};
use crate::tenant::{Tenant, is_refused};

#[tokio::test]
async fn the_server_is_told_a_verifier_and_never_the_password() {
    for version in VERSIONS {
        let server = Box::leak(Box::new(Postgres::start_with(version, &["log_statement=all"])));
        ask_for_passwords(server);
        let site = Site::at(server, "");
        let (grant, issued) = site.issue().await;
        assert!(Tenant::connect(&issued).await.unwrap().is_alive().await);
        let stored = site.sql(&format!("SELECT rolpassword FROM pg_authid WHERE rolname = '{}'", grant.account));
        assert!(stored.starts_with("SCRAM-SHA-256$4096:"), "{stored}");
        let log = server.log();
        assert!(log.contains("CREATE ROLE") && !log.contains(&text(&issued, "password")));
        site.revoke(&grant).await;
    }
}

#[tokio::test]
async fn a_password_of_the_broker_that_was_changed_is_read_anew() {
    let site = Site::new(Version::V18);
    let (grant, _) = site.issue().await;
    site.sql(&format!("ALTER ROLE {} PASSWORD 'changed'", site.broker));
    site.sql(&format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{}'", site.broker));
    let mut refused = None;
    // Connections that were made before are found broken one by one.
    for _ in 0..10 {
        refused = site.provider.revoke(&grant.account).await.err().or(refused);
    }
    let refused = refused.expect("the old password to be refused");
    assert_eq!(refused.kind(), ProviderErrorKind::Unavailable);
    assert!(refused.to_string().contains("28P01") && !refused.to_string().contains("root-secret"), "{refused}");
    site.secrets.set("env:BROKER", "changed");
    site.revoke(&grant).await;
    assert!(!site.has_role(&grant));
}

#[tokio::test]
async fn an_expired_password_lets_nobody_in_though_nobody_revoked_it() {
    let site = Site::new(Version::V15);
    let mut grant = site.grant();
    grant.expires_at = site.now() - std::time::Duration::from_secs(5);
    let issued = site.credential.issue(&grant).await.unwrap();
    assert!(is_refused(&Tenant::connect(&issued).await));
    site.revoke(&grant).await;
}
