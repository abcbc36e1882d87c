// SPDX-License-Identifier: Apache-2.0
//! The suite that every provider passes, through a wire that can be cut.

use async_trait::async_trait;
use cress_domain::{AccountName, Timestamp};
use cress_provider::conformance::{self, Cut, Session, TestTarget, Use};
use cress_provider::{Credential, Issued, Provider};
use cress_testkit::TcpProxy;
use cress_testkit::postgres::{Postgres, Version};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Row, raw_sql};
use tokio::sync::Mutex;

use crate::site::{Site, ask_for_passwords, quoted};
use crate::tenant::{Tenant, is_refused};

/// Who may do what on the server, one line each.
const STATE: &str = "\
SELECT 'role ' || rolname || ' ' || (to_jsonb(r) - 'oid' - 'rolpassword' - 'rolname') FROM pg_roles r UNION ALL
SELECT 'member ' || m.member::regrole || ' of ' || m.roleid::regrole || ' ' || m.admin_option FROM pg_auth_members m UNION ALL
SELECT 'setting ' || s.setrole::regrole || ' ' || s.setconfig::text FROM pg_db_role_setting s WHERE setrole <> 0 UNION ALL
SELECT 'dependency ' || d.refobjid::regrole || ' ' || d.classid::regclass || ' ' || d.objid || ' ' || d.deptype::text FROM pg_shdepend d
    WHERE d.refclassid = 'pg_authid'::regclass AND d.classid <> 'pg_auth_members'::regclass UNION ALL
SELECT 'table ' || oid::regclass || ' ' || relowner::regrole || ' ' || coalesce(relacl::text, '') FROM pg_class WHERE relnamespace = 'app'::regnamespace";

struct Target {
    site: Site,
    wire: TcpProxy,
    /// The superuser, looking.
    superuser: Mutex<PgConnection>,
}

impl Target {
    async fn new(version: Version) -> Self {
        let server: &'static Postgres = Box::leak(Box::new(Postgres::start(version)));
        ask_for_passwords(server);
        let wire = TcpProxy::to(server.port());
        let limits = "connect_timeout_seconds = 1\nstatement_timeout_seconds = 1\nlock_timeout_seconds = 1";
        let site = Site::through(server, wire.port(), limits);
        let superuser = PgConnection::connect(&server.url(&site.database)).await.expect("a superuser");
        Self { site, wire, superuser: Mutex::new(superuser) }
    }

    async fn sql(&self, statement: String) -> Result<Vec<String>, String> {
        let mut superuser = self.superuser.lock().await;
        let rows =
            raw_sql(AssertSqlSafe(statement)).fetch_all(&mut *superuser).await.map_err(|error| error.to_string())?;
        rows.iter().map(|row| row.try_get(0).map_err(|error| error.to_string())).collect()
    }
}

#[async_trait]
impl TestTarget for Target {
    fn provider(&self) -> &dyn Provider {
        self.site.provider.as_ref()
    }

    fn credential(&self) -> &dyn Credential {
        self.site.credential.as_ref()
    }

    fn root_secrets(&self) -> Vec<String> {
        vec!["root-secret-of-the-broker".to_owned()]
    }

    async fn attempt(&self, issued: &Issued) -> Result<Use, String> {
        match Tenant::connect(issued).await {
            Ok(mut tenant) => {
                tenant.run("INSERT INTO app.orders VALUES (1)").await.map_err(|error| error.to_string())?;
                Ok(Use::Works)
            }
            refused => {
                assert!(is_refused(&refused));
                Ok(Use::Refused)
            }
        }
    }

    async fn trespass(&self, issued: &Issued) -> Result<bool, String> {
        let mut tenant = Tenant::connect(issued).await.map_err(|error| error.to_string())?;
        let mut could = false;
        for forbidden in [
            "SELECT * FROM app.salaries",
            "CREATE ROLE intruder",
            "ALTER ROLE CURRENT_USER CREATEROLE",
            "SET ROLE postgres",
            &format!("SET ROLE {}", self.site.broker),
            &format!("GRANT {} TO PUBLIC", quoted(&self.site.group)),
            "SET ROLE NONE; ALTER ROLE CURRENT_USER VALID UNTIL 'infinity'",
            "CREATE DATABASE theirs",
        ] {
            could |= tenant.run(forbidden).await.is_ok();
        }
        Ok(could)
    }

    async fn state(&self) -> Result<Vec<String>, String> {
        self.sql(STATE.to_owned()).await
    }

    async fn open_session(&self, issued: &Issued) -> Result<Option<Box<dyn Session>>, String> {
        let tenant = Tenant::connect(issued).await.map_err(|error| error.to_string())?;
        Ok(Some(Box::new(Open(tenant))))
    }

    async fn end_of(&self, account: &AccountName) -> Result<Option<Timestamp>, String> {
        let query = format!(
            "SELECT (extract(epoch FROM rolvaliduntil) * 1000000)::bigint::text FROM pg_roles WHERE rolname = '{account}'"
        );
        let end = self.sql(query).await?;
        let end = end.first().ok_or("expected the account to be there")?;
        Ok(Some(Timestamp::from_unix_microseconds(end.parse().map_err(|error| format!("{error}"))?)))
    }

    async fn make_account(&self, name: &str) -> Result<(), String> {
        self.sql(format!("CREATE ROLE {} LOGIN PASSWORD 'x'", quoted(name))).await.map(|_| ())
    }

    async fn remove_account(&self, name: &str) -> Result<(), String> {
        self.sql(format!("DROP ROLE {}", quoted(name))).await.map(|_| ())
    }

    async fn cut(&self, how: Cut) -> Result<bool, String> {
        match how {
            Cut::Broken => self.wire.cut(),
            Cut::Silent => self.wire.hold(),
        }
        Ok(true)
    }

    async fn mend(&self) -> Result<(), String> {
        self.wire.mend();
        Ok(())
    }
}

struct Open(Tenant);

#[async_trait]
impl Session for Open {
    async fn is_alive(&mut self) -> bool {
        self.0.is_alive().await
    }
}

async fn conforms(version: Version) {
    let target = Target::new(version).await;
    let outcome = conformance::run(&target, target.site.clock.as_ref(), target.site.random.as_ref()).await;
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

#[tokio::test]
async fn version_15_conforms() {
    conforms(Version::V15).await;
}

#[tokio::test]
async fn version_18_conforms() {
    conforms(Version::V18).await;
}
