// SPDX-License-Identifier: Apache-2.0
//! What an operator is told before anyone asks, and which groups are never given out.

use std::time::Duration;

use cress_provider::{Finding, ProviderErrorKind};
use cress_testkit::postgres::Version;

use crate::site::{Site, VERSIONS, bad, quoted};

#[tokio::test]
async fn a_server_set_up_as_the_readme_says_is_fit() {
    for version in VERSIONS {
        let site = Site::new(version);
        for findings in [site.provider.check().await.unwrap(), site.credential.check().await.unwrap()] {
            assert_eq!(bad(&findings), "", "{version:?}");
            assert!(findings.iter().any(|finding| matches!(finding, Finding::Good(_))));
        }
        assert_eq!(site.sql("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'cress\\_check\\_%'"), "0");
    }
}

#[tokio::test]
async fn a_right_that_is_missing_is_named_with_what_grants_it() {
    for version in VERSIONS {
        let site = Site::new(version);
        let (broker, group) = (&site.broker, quoted(&site.group));
        site.sql(&format!("ALTER ROLE {broker} NOCREATEROLE; REVOKE pg_signal_backend FROM {broker}"));
        let told = bad(&site.provider.check().await.unwrap());
        assert!(told.contains("CREATEROLE") && told.contains("GRANT pg_signal_backend TO"), "{told}");
        assert!(bad(&site.credential.check().await.unwrap()).contains("cannot be made"));

        site.sql(&format!("ALTER ROLE {broker} CREATEROLE; REVOKE {group} FROM {broker}"));
        let told = bad(&site.credential.check().await.unwrap());
        assert!(told.contains("cannot be handed over"), "{told}");
        assert_eq!(told.contains("cannot be made"), version == Version::V18, "{told}");

        site.sql(&format!("REVOKE CONNECT ON DATABASE {} FROM {group}", site.database));
        let told = bad(&site.credential.check().await.unwrap());
        assert!(told.contains("may not connect to") && told.contains("does not let the broker's role in"), "{told}");
    }
}

#[tokio::test]
async fn a_broker_that_is_a_superuser_is_doubtful() {
    let site = Site::new(Version::V18);
    site.sql(&format!("ALTER ROLE {} SUPERUSER", site.broker));
    let findings = site.provider.check().await.unwrap();
    assert!(findings.iter().any(|finding| matches!(finding, Finding::Doubtful(text) if text.contains("superuser"))));
    assert_eq!(bad(&findings), "");
}

#[tokio::test]
async fn groups_that_reach_too_far_are_never_given_out() {
    for version in VERSIONS {
        let site = Site::new(version);
        let group = format!("far_{}", site.database);
        let inner = format!("inner_{}", site.database);
        let database = &site.database;
        site.sql(&format!(
            "CREATE ROLE {group} NOLOGIN; CREATE ROLE {inner} NOLOGIN; GRANT {inner} TO {group}; \
             GRANT {group} TO {} WITH ADMIN OPTION; GRANT CONNECT ON DATABASE {database} TO {group}",
            site.broker
        ));
        for (reach, back) in [
            (format!("ALTER ROLE {group} SUPERUSER"), format!("ALTER ROLE {group} NOSUPERUSER")),
            (format!("ALTER ROLE {group} LOGIN"), format!("ALTER ROLE {group} NOLOGIN")),
            (format!("ALTER ROLE {inner} CREATEROLE"), format!("ALTER ROLE {inner} NOCREATEROLE")),
            (format!("ALTER ROLE {inner} REPLICATION"), format!("ALTER ROLE {inner} NOREPLICATION")),
            (
                format!("GRANT pg_execute_server_program TO {inner}"),
                format!("REVOKE pg_execute_server_program FROM {inner}"),
            ),
            (format!("GRANT pg_monitor TO {inner} WITH ADMIN OPTION"), format!("REVOKE pg_monitor FROM {inner}")),
        ] {
            site.sql(&reach);
            // A new credential has seen nothing yet.
            let credential = site.credential_of(&group);
            let grant = site.grant();
            let error = credential.issue(&grant).await.unwrap_err();
            assert_eq!(error.kind(), ProviderErrorKind::Refused, "{reach}: {error}");
            assert!(!bad(&credential.check().await.unwrap()).is_empty(), "{reach}");
            assert!(!site.has_role(&grant), "{reach}");
            site.sql(&back);
        }
        let grant = site.grant();
        site.credential_of(&group).issue(&grant).await.unwrap();
        site.revoke(&grant).await;
    }
}

#[tokio::test]
async fn a_group_that_changes_is_judged_anew_within_a_minute() {
    let site = Site::new(Version::V15);
    let (grant, _) = site.issue().await;
    site.sql(&format!("ALTER ROLE {} CREATEDB", quoted(&site.group)));
    site.clock.advance(Duration::from_secs(61));
    assert!(site.credential.issue(&site.grant()).await.unwrap_err().to_string().contains("CREATEDB"));
    site.sql(&format!("ALTER ROLE {} NOCREATEDB", quoted(&site.group)));
    site.clock.advance(Duration::from_secs(61));
    let (other, _) = site.issue().await;
    site.revoke(&grant).await;
    site.revoke(&other).await;
}

#[tokio::test]
async fn a_group_that_is_gone_is_told() {
    let site = Site::new(Version::V18);
    let credential = site.credential_of("no such role");
    let error = credential.issue(&site.grant()).await.unwrap_err();
    assert!(error.to_string().contains("no such role"), "{error}");
    assert!(bad(&credential.check().await.unwrap()).contains("CREATE ROLE"));
}
