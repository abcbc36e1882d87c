// SPDX-License-Identifier: Apache-2.0
//! How accounts end, whatever they have done, and wherever an earlier attempt was cut off.

use std::time::Duration;

use cress_provider::{Grant, ProviderErrorKind};
use cress_testkit::TcpProxy;
use cress_testkit::postgres::{Postgres, Version};

use crate::site::{Site, VERSIONS, ask_for_passwords, quoted, shared, text};
use crate::tenant::{Tenant, is_refused};

/// What a tenant may leave behind in a database, outside of its group.
const LEAVINGS: &str = "\
SET ROLE NONE;
CREATE SCHEMA \"o\"\"wn; --\";
CREATE TABLE \"o\"\"wn; --\".kept (id INT);
INSERT INTO \"o\"\"wn; --\".kept VALUES (7);
CREATE FUNCTION app.f() RETURNS INT LANGUAGE sql AS 'SELECT 1';
ALTER FUNCTION app.f() SET SCHEMA \"o\"\"wn; --\";
CREATE TABLE app.left_behind (id INT);
CREATE TYPE app.mood AS ENUM ('calm');
GRANT SELECT ON app.left_behind TO PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC;
SELECT lo_create(0)";

const LEFT_BEHIND: &str =
    "SELECT relowner::regrole FROM pg_class WHERE relname IN ('kept', 'left_behind') ORDER BY relname";

#[tokio::test]
async fn a_role_that_did_all_it_could_is_gone_and_its_work_belongs_to_the_group() {
    for version in VERSIONS {
        let site = Site::new(version);
        let other = other_database(&site);
        let (grant, issued) = site.issue().await;
        let mut tenant = Tenant::connect(&issued).await.unwrap();
        tenant.must("CREATE TABLE app.of_the_group (id INT)").await;
        tenant.must(LEAVINGS).await;
        tenant.must("ALTER ROLE SESSION_USER PASSWORD 'of-my-own'; ALTER ROLE SESSION_USER SET role = 'none'").await;
        let mut elsewhere = Tenant::connect_to(&issued_with(&issued, "of-my-own"), &other).await.unwrap();
        elsewhere.must(LEAVINGS).await;
        // Its own row, and a table of its own, held by a transaction that never ends.
        tenant.must("BEGIN; LOCK TABLE app.left_behind; ALTER ROLE SESSION_USER PASSWORD 'again'").await;

        site.revoke(&grant).await;

        assert!(!site.has_role(&grant) && !tenant.is_alive().await && !elsewhere.is_alive().await);
        let owner = quoted(&site.group);
        for database in [&site.database, &other] {
            let owners = site.server.sql(database, LEFT_BEHIND);
            assert_eq!(owners.lines().collect::<Vec<_>>(), [&owner, &owner], "{version:?} {database}");
            assert_eq!(site.server.sql(database, "SELECT id FROM \"o\"\"wn; --\".kept").trim(), "7");
        }
        assert!(is_refused(&Tenant::connect(&issued_with(&issued, "of-my-own")).await));
    }
}

/// Another database, open to the group and to the broker.
fn other_database(site: &Site) -> String {
    let name = format!("{}_other", site.database);
    site.server.sql("postgres", &format!("CREATE DATABASE {name}"));
    site.server.sql("postgres", &format!("GRANT CREATE ON DATABASE {name} TO {}", quoted(&site.group)));
    site.server.sql(&name, &format!("CREATE SCHEMA app; GRANT USAGE, CREATE ON SCHEMA app TO {}", quoted(&site.group)));
    name
}

fn issued_with(issued: &cress_provider::Issued, password: &str) -> cress_provider::Issued {
    let url = text(issued, "url").replace(&text(issued, "password"), password);
    let mut changed = issued.clone();
    changed.fields.insert("url".to_owned(), cress_provider::FieldValue::Secret(url.into()));
    changed
}

#[tokio::test]
async fn a_call_whose_answer_is_lost_at_any_step_is_made_good_by_the_next() {
    for version in VERSIONS {
        let server = shared(version);
        let wire = TcpProxy::to(server.port());
        let site = Site::through(server, wire.port(), "");
        for step in
            ["ALTER ROLE", "NOLOGIN", "TO CURRENT_USER", "pg_shdepend", "pg_namespace", "REASSIGN OWNED", "DROP ROLE"]
        {
            let (grant, issued) = site.issue().await;
            Tenant::connect(&issued).await.unwrap().must("SET ROLE NONE; CREATE TABLE app.left_behind (id INT)").await;
            wire.lose_answer_to(step);
            let cut_off = site.provider.revoke(&grant.account).await.unwrap_err();
            assert_eq!(cut_off.kind(), ProviderErrorKind::Unavailable, "{step}: {cut_off}");
            assert!(wire.has_lost_answer(), "{step}");
            site.revoke(&grant).await;
            assert!(!site.has_role(&grant), "{step}");
            site.sql("DROP TABLE app.left_behind");
        }
    }
}

#[tokio::test]
async fn a_creation_whose_answer_is_lost_leaves_nothing_after_its_revocation_and_can_be_made_again() {
    for version in VERSIONS {
        let server = shared(version);
        let wire = TcpProxy::to(server.port());
        let site = Site::through(server, wire.port(), "");
        let grant = site.grant();
        for again in [false, true] {
            wire.lose_answer_to("CREATE ROLE");
            let cut_off = site.credential.issue(&grant).await.unwrap_err();
            assert_eq!(cut_off.kind(), ProviderErrorKind::Unavailable, "{cut_off}");
            if again {
                let issued = site.credential.issue(&grant).await.unwrap();
                assert!(Tenant::connect(&issued).await.unwrap().is_alive().await);
            }
            site.revoke(&grant).await;
            assert!(!site.has_role(&grant));
        }
    }
}

/// The server goes on with a statement that nobody waits for any more.
#[tokio::test]
async fn a_creation_that_nobody_waits_for_does_not_come_after_its_revocation() {
    for version in VERSIONS {
        let server = Box::leak(Box::new(Postgres::start(version)));
        ask_for_passwords(server);
        let site = Site::at(server, "");
        let mut superuser = superuser(&site).await;
        superuser.must("BEGIN; LOCK TABLE pg_authid IN SHARE MODE").await;
        let grant = site.grant();
        let forgotten = tokio::time::timeout(Duration::from_millis(500), site.credential.issue(&grant)).await;
        assert!(forgotten.is_err(), "expected the creation to wait");
        let provider = std::sync::Arc::clone(&site.provider);
        let revocation = tokio::spawn(async move { until_revoked(provider.as_ref(), &grant).await });
        superuser.must("COMMIT").await;
        let grant = revocation.await.unwrap();
        assert!(!site.has_role(&grant));
        assert_eq!(site.sql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT WHERE%CREATE ROLE%' AND state = 'active'"), "0");
    }
}

async fn until_revoked(provider: &dyn cress_provider::Provider, grant: &Grant) -> Grant {
    for _ in 0..100 {
        if provider.revoke(&grant.account).await.is_ok() {
            return grant.clone();
        }
    }
    panic!("it was never revoked")
}

async fn superuser(site: &Site) -> Tenant {
    let url = site.server.url(&site.database);
    let mut fields = std::collections::BTreeMap::new();
    fields.insert("url".to_owned(), cress_provider::FieldValue::Text(url));
    fields.insert("database".to_owned(), cress_provider::FieldValue::Text(site.database.clone()));
    Tenant::connect(&cress_provider::Issued { fields, expires_at: None }).await.unwrap()
}

#[tokio::test]
async fn a_tenant_cannot_hold_another_one_fast_by_granting_it_something() {
    for version in VERSIONS {
        let site = Site::new(version);
        let ((held, held_issued), (holder, issued)) = (site.issue().await, site.issue().await);
        let mut tenant = Tenant::connect(&issued).await.unwrap();
        let grants = format!(
            "SET ROLE NONE; CREATE TABLE app.bait (id INT); GRANT ALL ON app.bait TO {0} WITH GRANT OPTION",
            held.account
        );
        tenant.must(&grants).await;
        // What lies in a schema can only be given to who may make things there, and the group may not.
        tenant.must(&format!("CREATE SCHEMA trap; GRANT ALL ON SCHEMA trap TO {}", held.account)).await;
        // What may be passed on is taken back in the name of its owner alone.
        let passed_on = format!(
            "CREATE TABLE app.of_the_group (id INT); GRANT ALL ON app.of_the_group TO {} WITH GRANT OPTION",
            held.account
        );
        tenant.must(&format!("SET ROLE {}; {passed_on}", quoted(&site.group))).await;
        let trapped = "SET ROLE NONE; CREATE FUNCTION trap.f() RETURNS INT LANGUAGE sql AS 'SELECT 1'; \
            GRANT SELECT ON app.bait, app.of_the_group TO PUBLIC";
        Tenant::connect(&held_issued).await.unwrap().must(trapped).await;
        site.revoke(&held).await;
        assert!(!site.has_role(&held) && site.has_role(&holder) && tenant.is_alive().await);
        let group = quoted(&site.group).replace('\'', "''");
        assert_eq!(site.sql(&format!("SELECT has_schema_privilege('{group}'::regrole, 'trap', 'CREATE')")), "f");
        site.revoke(&holder).await;
    }
}

#[tokio::test]
async fn what_only_a_superuser_can_take_back_is_told_and_lets_nobody_in() {
    for version in VERSIONS {
        let site = Site::new(version);
        let (grant, issued) = site.issue().await;
        let mut tenant = Tenant::connect(&issued).await.unwrap();
        site.sql(&format!("GRANT SELECT ON app.salaries TO {}", grant.account));
        let error = site.provider.revoke(&grant.account).await.unwrap_err();
        assert_eq!(error.kind(), ProviderErrorKind::Refused);
        assert!(error.to_string().contains(&site.database) && error.to_string().contains("DROP OWNED BY"), "{error}");
        assert!(!tenant.is_alive().await && is_refused(&Tenant::connect(&issued).await));
        site.sql(&format!("DROP OWNED BY {}", grant.account));
        site.revoke(&grant).await;
        assert!(!site.has_role(&grant));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_slips_in_while_the_door_is_shut() {
    for version in VERSIONS {
        let site = Site::new(version);
        let (grant, issued) = site.issue().await;
        let number = site.sql(&format!("SELECT oid FROM pg_roles WHERE rolname = '{}'", grant.account));
        let knocking: Vec<_> = (0..4).map(|_| tokio::spawn(knock(issued.clone()))).collect();
        while site.sessions_of(&grant.account.to_string()) == "0" {
            tokio::task::yield_now().await;
        }
        site.revoke(&grant).await;
        assert_eq!(site.sql(&format!("SELECT count(*) FROM pg_stat_activity WHERE usesysid = {number}")), "0");
        for each in knocking {
            for mut tenant in each.await.unwrap() {
                assert!(!tenant.is_alive().await);
            }
        }
    }
}

/// Connects and keeps the last connections, until it is let in no more.
async fn knock(issued: cress_provider::Issued) -> std::collections::VecDeque<Tenant> {
    let mut kept = std::collections::VecDeque::new();
    loop {
        match Tenant::connect(&issued).await {
            Ok(tenant) => kept.push_back(tenant),
            // There are connections enough for now.
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("53300") => {}
            refused => {
                assert!(is_refused(&refused));
                return kept;
            }
        }
        if kept.len() > 3 {
            kept.pop_front();
        }
    }
}

#[tokio::test]
async fn a_transaction_of_another_one_on_the_same_table_delays_the_handing_over_and_nothing_else() {
    let site = Site::new(Version::V18);
    let ((grant, issued), (other, other_issued)) = (site.issue().await, site.issue().await);
    Tenant::connect(&issued)
        .await
        .unwrap()
        .must("SET ROLE NONE; CREATE TABLE app.shared (id INT); GRANT ALL ON app.shared TO PUBLIC")
        .await;
    let mut holder = Tenant::connect(&other_issued).await.unwrap();
    holder.must("BEGIN; LOCK TABLE app.shared IN SHARE MODE").await;
    let error = site.provider.revoke(&grant.account).await.unwrap_err();
    assert_eq!(error.kind(), ProviderErrorKind::Unavailable, "{error}");
    assert!(is_refused(&Tenant::connect(&issued).await));
    holder.must("COMMIT").await;
    site.revoke(&grant).await;
    site.revoke(&other).await;
    assert_eq!(site.sql("SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relname = 'shared'"), site.group);
}
