// SPDX-License-Identifier: Apache-2.0
//! Where the broker keeps its data, and the keys that protect what is secret there.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::Path;

use cress_keyring::KeyEncryptionKeySource;
use cress_service::secret_source::SecretSource;
use cress_store::{DatabaseOptions, DatabaseUrl, Migrations, Network};
use schemars::JsonSchema;
use serde::Deserialize;

use super::ConfigError;
use super::check::{in_range, value};

const CONNECTIONS: RangeInclusive<u32> = DatabaseOptions::CONNECTIONS_MIN..=DatabaseOptions::CONNECTIONS_MAX;
/// The database's file in the data directory, where nothing else is configured.
const DATABASE_FILE: &str = "broker.db";
/// Key-encryption keys: the one that seals, and those that it replaced.
const KEYS_MAX: usize = 16;

/// Where the broker keeps its data.
#[derive(Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    /// The database: `sqlite:<path of a file>`, or `postgres://<user>@<host>:<port>/<database>` as for control, which may share it. A SQLite
    /// file in the data directory by default.
    #[schemars(extend("writeOnly" = true))]
    pub url: Option<String>,
    /// Where the password of a PostgreSQL user comes from: `file:<path>`, `env:<variable>` or `credential:<name>` (systemd's).
    // Hidden, since who mistakes this for the place of the password itself must not see it in an error.
    #[schemars(with = "Option<String>", extend("writeOnly" = true))]
    pub password_from: Option<SecretSource>,
    /// Connections to a PostgreSQL server at most, of this process: 3 to 500; 10 by default.
    pub connections_max: u32,
    /// Says that nobody can read along or answer in the server's place on the way to PostgreSQL: without it, only TLS with a checked
    /// certificate (`sslmode=verify-full`) is used beyond this machine.
    pub private_network: bool,
    /// Whether the start brings the tables of an older cress up to date. By default it does with SQLite and does not with PostgreSQL,
    /// since other replicas may still run the older cress. An empty database is always set up.
    pub migrate_at_start: Option<bool>,
}

/// The keys that protect secrets at rest.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct KeyEncryption {
    /// The id of the key that seals what is written from now on. That of the first of `keys` by default; the others only open what
    /// was sealed with them.
    pub active: Option<String>,
    /// Where keys come from, each one of `file:<path>`, `env:<variable>` and `credential:<name>` (systemd's). With SQLite and
    /// none given, one is made in the file `<data_dir>.kek` beside the data directory; keep it out of the backups of the latter.
    // Hidden, since who mistakes this for the place of the key itself must not see it in an error.
    #[schemars(with = "Vec<String>", extend("writeOnly" = true))]
    pub keys: Vec<KeyEncryptionKeySource>,
}

impl Default for Store {
    fn default() -> Self {
        let connections_max = DatabaseOptions::default().connections_max;
        Self { url: None, password_from: None, connections_max, private_network: false, migrate_at_start: None }
    }
}

/// A database's URL may hold a password.
impl fmt::Debug for Store {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Store {
    pub(super) fn check(&self, data_dir: &Path) -> Result<(), ConfigError> {
        in_range("store.connections_max", CONNECTIONS, self.connections_max)?;
        let url = self.location(data_dir)?;
        if self.password_from.is_some() && (url.file().is_some() || url.has_password()) {
            let reason = "expected a store.url of a PostgreSQL server, without a password in it";
            return Err(value("store.password_from", reason));
        }
        let wrong = |error| value("store.url", format!("{error} with store.private_network"));
        self.options(&url).check(&url).map_err(wrong)
    }

    /// Where the database is, without the password that `password_from` names.
    pub(crate) fn location(&self, data_dir: &Path) -> Result<DatabaseUrl, ConfigError> {
        match &self.url {
            Some(url) => url.parse().map_err(|error: cress_store::DatabaseUrlError| value("store.url", error)),
            None => Ok(DatabaseUrl::sqlite(data_dir.join(DATABASE_FILE))),
        }
    }

    /// How it is used.
    pub(crate) fn options(&self, url: &DatabaseUrl) -> DatabaseOptions {
        let migrate = self.migrate_at_start.unwrap_or(url.file().is_some());
        DatabaseOptions {
            connections_max: self.connections_max,
            network: if self.private_network { Network::Private } else { Network::Untrusted },
            migrations: if migrate { Migrations::Apply } else { Migrations::Refuse },
        }
    }
}

impl KeyEncryption {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.keys.len() > KEYS_MAX {
            let reason = format!("expected at most {KEYS_MAX} sources, got {}", self.keys.len());
            return Err(value("key_encryption.keys", reason));
        }
        if self.keys.is_empty() && self.active.is_some() {
            let reason = "is missing; key_encryption.active names a key, so list where it comes from";
            return Err(value("key_encryption.keys", reason));
        }
        Ok(())
    }
}
