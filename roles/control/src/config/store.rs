// SPDX-License-Identifier: Apache-2.0
//! Where control keeps its data, and how it uses the database.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use cress_service::secret_source::SecretSource;
use cress_store::{DatabaseOptions, DatabaseUrl, DatabaseUrlError, Migrations, Network};
use schemars::JsonSchema;
use serde::Deserialize;

use super::ConfigError;
use super::check::in_range;

const CONNECTIONS: RangeInclusive<u32> = DatabaseOptions::CONNECTIONS_MIN..=DatabaseOptions::CONNECTIONS_MAX;
/// Up to a year, for who replays the past.
const CLOCK_APART_SECONDS: RangeInclusive<u32> = 1..=366 * 24 * 3_600;
/// Verifiers allow clocks no more than this either, as a rule, and replicas each other five minutes.
const CLOCK_APART_SECONDS_DEFAULT: u32 = 60;
/// The database's file in the data directory, where nothing else is configured.
const DATABASE_FILE: &str = "control.db";

/// Where control keeps its data.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    /// The database: `sqlite:<path of a file>`, or `postgres://<user>@<host>:<port>/<database>` with the parameters `sslmode`,
    /// `sslrootcert`, `sslcert` and `sslkey`, or `host` and `user` for a Unix socket. A SQLite file in the data directory by default.
    #[schemars(extend("writeOnly" = true))]
    pub url: Option<String>,
    /// Where the password of a PostgreSQL user comes from: `file:<path>`, `env:<variable>` or `credential:<name>` (systemd's). Better
    /// than a password in the URL, which stands in this file.
    // Hidden, since who mistakes this for the place of the password itself must not see it in an error.
    #[schemars(with = "Option<String>", extend("writeOnly" = true))]
    pub password_from: Option<SecretSource>,
    /// Connections to a PostgreSQL server at most, of this process: 3 to 500; 10 by default.
    pub connections_max: u32,
    /// Says that nobody can read along or answer in the server's place on the way to PostgreSQL: without it, only TLS with a checked
    /// certificate (`sslmode=verify-full`) is used beyond this machine.
    pub private_network: bool,
    /// By how many seconds this machine's clock may differ from that of the PostgreSQL server, 1 to 31,622,400; 60 by default. Beyond that
    /// control does not start, and one that runs signs nothing and admits no node until the clocks agree.
    pub clock_apart_seconds_max: u32,
    /// Whether the start brings the tables of an older cress up to date. By default it does with SQLite, which one process uses. With
    /// PostgreSQL it does not, since other replicas may still run the older cress: `cress admin store migrate --apply` does it when
    /// none does. An empty database is always set up.
    pub migrate_at_start: Option<bool>,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            url: None,
            password_from: None,
            connections_max: DatabaseOptions::default().connections_max,
            private_network: false,
            clock_apart_seconds_max: CLOCK_APART_SECONDS_DEFAULT,
            migrate_at_start: None,
        }
    }
}

/// A database's URL may hold a password.
impl fmt::Debug for Store {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Store")
            .field("url", &self.url.as_ref().map(|_| ".."))
            .field("password_from", &self.password_from)
            .field("connections_max", &self.connections_max)
            .field("private_network", &self.private_network)
            .field("clock_apart_seconds_max", &self.clock_apart_seconds_max)
            .field("migrate_at_start", &self.migrate_at_start)
            .finish()
    }
}

impl Store {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        in_range("store.connections_max", CONNECTIONS, self.connections_max)?;
        in_range("store.clock_apart_seconds_max", CLOCK_APART_SECONDS, self.clock_apart_seconds_max)?;
        let Some(url) = &self.url else {
            return if self.password_from.is_some() { Err(ConfigError::StorePassword) } else { Ok(()) };
        };
        let url: DatabaseUrl = url.parse()?;
        if self.password_from.is_some() && (url.file().is_some() || url.has_password()) {
            return Err(ConfigError::StorePassword);
        }
        self.options(&url).check(&url).map_err(ConfigError::StoreNetwork)
    }

    /// Where the database is, without the password that [`Store::password_from`] names.
    pub(crate) fn location(&self, data_dir: &Path) -> Result<DatabaseUrl, DatabaseUrlError> {
        match &self.url {
            Some(url) => url.parse(),
            None => Ok(DatabaseUrl::sqlite(data_dir.join(DATABASE_FILE))),
        }
    }

    /// By how much this machine's clock may differ from the database's.
    pub(crate) fn clock_apart_max(&self) -> Duration {
        Duration::from_secs(self.clock_apart_seconds_max.into())
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
