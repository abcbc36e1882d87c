// SPDX-License-Identifier: Apache-2.0
//! Targets that outlive the broker: a directory, in which each account is a file, and servers of PostgreSQL and Redis with their
//! providers.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use cress_domain::{AccountName, Clock, DeploymentId, Timestamp};
use cress_provider::{
    Capability, Credential, Finding, Footprint, Grant, Issued, Operation, Provider, ProviderError, ProviderErrorKind,
    Renewal, Revocation, Settings, SettingsError,
};
use cress_service::SystemRandom;
use cress_testkit::postgres::Postgres;
use cress_testkit::redis::{PASSWORD, RedisServer};
use cress_testkit::{KnownSecrets, provider_ports};

/// The provider's and the credential's settings, in the directory that parent and child share, for a target that is a server.
const POSTGRESQL: &str = "postgresql.toml";
const REDIS: &str = "redis.toml";
const CREDENTIAL: &str = "credential.toml";

/// A target, and what makes credentials there.
#[derive(Clone)]
pub(super) struct Outside {
    pub(super) provider: Arc<dyn Provider>,
    pub(super) credential: Arc<dyn Credential>,
}

impl Outside {
    /// The server that was set up for this directory, or else the directory itself.
    pub(super) fn at(directory: &Path, clock: Arc<dyn Clock>) -> Self {
        let read = |file: &str| fs::read_to_string(directory.join(file)).ok();
        let settings = |text: &str| Settings::new(toml::from_str(text).unwrap());
        let ports = provider_ports(clock, Arc::new(SystemRandom), &KnownSecrets::new(&[("env:REDIS", PASSWORD)]));
        let provider = match (read(POSTGRESQL), read(REDIS)) {
            (Some(server), _) => cress_provider_postgresql::build(&settings(&server), &ports).unwrap(),
            (_, Some(server)) => cress_provider_redis::build(&settings(&server), &ports).unwrap(),
            _ => {
                let folder = Folder::at(directory);
                return Self { provider: folder.clone(), credential: folder };
            }
        };
        let credential = provider.credential(&settings(&read(CREDENTIAL).unwrap())).unwrap();
        Self { provider, credential }
    }
}

/// Has the directory's target be this server, with what the provider's README asks an operator for.
pub(super) fn use_postgresql(server: &Postgres, directory: &Path) {
    let database = server.create_database();
    let database = database.rsplit('/').next().unwrap();
    let (broker, group) = (format!("broker_{database}"), format!("group_{database}"));
    server.sql(
        "postgres",
        &format!(
            "CREATE ROLE {broker} LOGIN CREATEROLE; GRANT pg_signal_backend TO {broker}; CREATE ROLE {group} NOLOGIN; \
             GRANT {group} TO {broker} WITH ADMIN OPTION; REVOKE CONNECT ON DATABASE {database} FROM PUBLIC; \
             GRANT CONNECT ON DATABASE {database} TO {group}"
        ),
    );
    let url = server.url(database);
    let port = url.rsplit(':').next().unwrap().split('/').next().unwrap();
    fs::write(directory.join(POSTGRESQL), format!("host = \"127.0.0.1\"\nport = {port}\nuser = \"{broker}\"")).unwrap();
    let credential = format!("role = \"{group}\"\ndatabase = \"{database}\"\nport = {port}\nscram_iterations = 1");
    fs::write(directory.join(CREDENTIAL), credential).unwrap();
}

/// Has the directory's target be this server.
pub(super) fn use_redis(server: &RedisServer, directory: &Path) {
    let settings = format!("password = \"env:REDIS\"\nnodes = [\"{}\"]\npersistence = \"aclfile\"", server.address());
    fs::write(directory.join(REDIS), settings).unwrap();
    fs::write(directory.join(CREDENTIAL), "rules = [\"+@read\", \"-@dangerous\", \"~cache:*\"]").unwrap();
}

/// A directory as a target.
#[derive(Debug)]
struct Folder(PathBuf);

impl Folder {
    fn at(directory: &Path) -> Arc<Self> {
        let accounts = directory.join("accounts");
        fs::create_dir_all(&accounts).unwrap();
        Arc::new(Self(accounts))
    }

    fn file(&self, account: &AccountName) -> PathBuf {
        self.0.join(account.to_string())
    }
}

#[async_trait]
impl Provider for Folder {
    fn kind(&self) -> &'static str {
        "folder"
    }

    fn capability(&self) -> Capability {
        Capability { revocation: Revocation::Immediate, renewal: Renewal::Extends, footprint: Footprint::Account }
    }

    fn credential(&self, _: &Settings) -> Result<Arc<dyn Credential>, SettingsError> {
        Err(SettingsError::new("made by the test itself"))
    }

    async fn check(&self) -> Result<Vec<Finding>, ProviderError> {
        Ok(Vec::new())
    }

    async fn extend(&self, account: &AccountName, _: Timestamp) -> Result<(), ProviderError> {
        match self.file(account).exists() {
            true => Ok(()),
            false => Err(ProviderError::new(ProviderErrorKind::Gone, Operation::Extend, "no such account")),
        }
    }

    async fn revoke(&self, account: &AccountName) -> Result<(), ProviderError> {
        let _absent = fs::remove_file(self.file(account));
        Ok(())
    }

    async fn accounts(&self, deployment: DeploymentId) -> Result<Vec<AccountName>, ProviderError> {
        let files = self.0.read_dir().unwrap().map(|file| file.unwrap().file_name());
        let accounts = files.map(|name| name.to_str().unwrap().parse::<AccountName>().unwrap());
        Ok(accounts.filter(|account| account.deployment() == deployment).collect())
    }
}

#[async_trait]
impl Credential for Folder {
    async fn issue(&self, grant: &Grant) -> Result<Issued, ProviderError> {
        fs::write(self.file(&grant.account), "").unwrap();
        Ok(Issued::new([]))
    }

    async fn check(&self) -> Result<Vec<Finding>, ProviderError> {
        Ok(Vec::new())
    }
}
