// SPDX-License-Identifier: Apache-2.0
//! A server with what an operator sets up there, and a provider at it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Once};

use async_trait::async_trait;
use cress_domain::{AccountName, DeploymentId, LeaseId, Random, Secret, Timestamp};
use cress_provider::{
    AssertionError, AssertionSigner, Credential, Finding, Grant, Issued, Ports, Provider, SecretError, SecretReader,
    SecretReference, SecretVersion, Settings, SigningAlgorithm, StoredSecrets, Subject, TokenType,
};
use cress_testkit::postgres::{Postgres, Version};
use cress_testkit::{MockClock, SeededRandom};
use serde_json::{Map, Value};

pub(crate) const VERSIONS: [Version; 2] = [Version::V15, Version::V18];
/// The superuser is let in as before; everyone else needs a password.
const HBA: &str = "host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n";
const PASSWORD: &str = "root-secret-of-the-broker";

/// A database of its own on a server that others may use too, with a group role and a broker's role of its own.
pub(crate) struct Site {
    pub(crate) server: &'static Postgres,
    pub(crate) broker: String,
    pub(crate) group: String,
    pub(crate) database: String,
    pub(crate) deployment: DeploymentId,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) clock: Arc<MockClock>,
    pub(crate) secrets: Arc<Secrets>,
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) credential: Arc<dyn Credential>,
}

/// The server of this version that the tests share, asking for passwords.
pub(crate) fn shared(version: Version) -> &'static Postgres {
    static READY: [Once; 2] = [Once::new(), Once::new()];
    let server = Postgres::shared(version);
    READY[usize::from(version == Version::V18)].call_once(|| ask_for_passwords(server));
    server
}

pub(crate) fn ask_for_passwords(server: &Postgres) {
    server.put("pg_hba.conf", HBA.as_bytes());
    server.sql("postgres", "SELECT pg_reload_conf()");
}

impl Site {
    /// On the shared server.
    pub(crate) fn new(version: Version) -> Self {
        Self::at(shared(version), "")
    }

    /// With more settings of the provider.
    pub(crate) fn at(server: &'static Postgres, settings: &str) -> Self {
        Self::through(server, server.port(), settings)
    }

    /// With a provider that reaches the server at this port.
    pub(crate) fn through(server: &'static Postgres, port: u16, settings: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let (broker, group, database) =
            (format!("broker_{number}"), format!("Group \"{number}\""), format!("db_{number}"));
        set_up(server, &broker, &group, &database);
        let random: Arc<dyn Random> = Arc::new(SeededRandom::new(number.into()));
        let clock = Arc::new(MockClock::new(now(server)));
        let secrets = Arc::new(Secrets::default());
        secrets.set("env:BROKER", PASSWORD);
        let ports = ports(Arc::clone(&clock), Arc::clone(&random), Arc::clone(&secrets));
        let provider = cress_provider_postgresql::build(&provider_settings(port, &broker, settings), &ports);
        let provider = provider.expect("settings of a provider");
        let credential = provider.credential(&credential_settings(&group, &database, server.port()));
        let credential = credential.expect("settings of a credential");
        let deployment = DeploymentId::generate(random.as_ref());
        Self { server, broker, group, database, deployment, random, clock, secrets, provider, credential }
    }

    /// Another credential of the same provider.
    pub(crate) fn credential_of(&self, group: &str) -> Arc<dyn Credential> {
        let settings = credential_settings(group, &self.database, self.server.port());
        self.provider.credential(&settings).expect("settings of a credential")
    }

    pub(crate) fn grant(&self) -> Grant {
        let lease = LeaseId::generate(self.random.as_ref());
        let granted_at = self.now();
        Grant {
            lease,
            account: AccountName::of(self.deployment, lease),
            credential: "orders".parse().expect("a name"),
            subject: Subject {
                issuer: "https://issuer.example".parse().expect("an issuer"),
                subject: None,
                organization_id: None,
                group_id: None,
                instance_id: None,
                machine_id: None,
            },
            granted_at,
            expires_at: granted_at + std::time::Duration::from_secs(900),
            parameters: BTreeMap::new(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        cress_domain::Clock::now(self.clock.as_ref())
    }

    pub(crate) async fn issue(&self) -> (Grant, Issued) {
        let grant = self.grant();
        let issued = self.credential.issue(&grant).await.expect("a credential");
        (grant, issued)
    }

    pub(crate) async fn revoke(&self, grant: &Grant) {
        self.provider.revoke(&grant.account).await.expect("a revocation");
    }

    /// Runs a statement as a superuser in the site's database.
    pub(crate) fn sql(&self, statement: &str) -> String {
        self.server.sql(&self.database, statement).trim().to_owned()
    }

    /// Whether there is such a role.
    pub(crate) fn has_role(&self, grant: &Grant) -> bool {
        self.sql(&format!("SELECT count(*) FROM pg_roles WHERE rolname = '{}'", grant.account)) == "1"
    }

    pub(crate) fn sessions_of(&self, role: &str) -> String {
        self.sql(&format!("SELECT count(*) FROM pg_stat_activity WHERE usename = '{role}'"))
    }
}

/// What the provider's README asks an operator for.
fn set_up(server: &Postgres, broker: &str, group: &str, database: &str) {
    let group = quoted(group);
    server.sql("postgres", &format!("CREATE DATABASE {database}"));
    server.sql(
        "postgres",
        &format!(
            "CREATE ROLE {broker} LOGIN CREATEROLE PASSWORD '{PASSWORD}'; GRANT pg_signal_backend TO {broker}; \
             CREATE ROLE {group} NOLOGIN; GRANT {group} TO {broker} WITH ADMIN OPTION; \
             REVOKE CONNECT ON DATABASE {database} FROM PUBLIC; GRANT CONNECT, CREATE ON DATABASE {database} TO {group}"
        ),
    );
    server.sql(
        database,
        &format!(
            "CREATE SCHEMA app; GRANT USAGE, CREATE ON SCHEMA app TO {group}; CREATE TABLE app.orders (id INT); \
             GRANT SELECT, INSERT ON app.orders TO {group}; CREATE TABLE app.salaries (id INT)"
        ),
    );
}

pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

pub(crate) fn provider_settings(port: u16, broker: &str, more: &str) -> Settings {
    let short = "connect_timeout_seconds = 2\nstatement_timeout_seconds = 5\nlock_timeout_seconds = 2";
    let short = if more.contains("timeout") { "" } else { short };
    let text =
        format!("host = \"127.0.0.1\"\nport = {port}\nuser = \"{broker}\"\npassword = \"env:BROKER\"\n{short}\n{more}");
    Settings::new(toml::from_str(&text).expect("settings"))
}

pub(crate) fn credential_settings(group: &str, database: &str, port: u16) -> Settings {
    let group = toml::Value::String(group.to_owned());
    let text = format!("role = {group}\ndatabase = \"{database}\"\nport = {port}");
    Settings::new(toml::from_str(&text).expect("settings"))
}

/// The server's time: what ends by it has to be made by it.
pub(crate) fn now(server: &Postgres) -> Timestamp {
    let seconds = server.sql("postgres", "SELECT extract(epoch FROM clock_timestamp())::bigint");
    Timestamp::from_unix_seconds(seconds.trim().parse().expect("seconds"))
}

pub(crate) fn text(issued: &Issued, field: &str) -> String {
    match &issued.fields[field] {
        cress_provider::FieldValue::Text(text) => text.clone(),
        cress_provider::FieldValue::Number(number) => number.to_string(),
        cress_provider::FieldValue::Secret(secret) => secret.expose().clone(),
    }
}

/// The findings that are bad, in one text.
pub(crate) fn bad(findings: &[Finding]) -> String {
    let bad = findings.iter().filter_map(|finding| match finding {
        Finding::Bad(text) => Some(text.as_str()),
        _ => None,
    });
    bad.collect::<Vec<_>>().join("\n")
}

pub(crate) fn ports(clock: Arc<MockClock>, random: Arc<dyn Random>, secrets: Arc<Secrets>) -> Ports {
    Ports { clock, random, secrets, signer: Arc::new(Nothing), stored: Arc::new(Nothing) }
}

/// Root secrets that a test changes.
#[derive(Debug, Default)]
pub(crate) struct Secrets(Mutex<BTreeMap<String, String>>);

impl Secrets {
    pub(crate) fn set(&self, reference: &str, value: &str) {
        self.0.lock().unwrap().insert(reference.to_owned(), value.to_owned());
    }
}

impl SecretReader for Secrets {
    fn read(&self, reference: &SecretReference) -> Result<Secret<String>, SecretError> {
        let value = self.0.lock().unwrap().get(reference.as_str()).cloned();
        value.map(Secret::new).ok_or_else(|| SecretError(format!("expected {}", reference.as_str())))
    }
}

/// What this provider has no use for.
struct Nothing;

impl AssertionSigner for Nothing {
    fn issuer(&self) -> &'static str {
        "https://broker.example"
    }

    fn sign(
        &self,
        _: SigningAlgorithm,
        _: TokenType,
        _: &Map<String, Value>,
    ) -> Result<Secret<String>, AssertionError> {
        Err(AssertionError("nothing is signed here".to_owned()))
    }
}

#[async_trait]
impl StoredSecrets for Nothing {
    async fn current(&self, _: &str) -> Result<Option<SecretVersion>, SecretError> {
        Ok(None)
    }
}
