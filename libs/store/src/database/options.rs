// SPDX-License-Identifier: Apache-2.0
//! What an operator may say about how a database is used.

use crate::database_url::{Location, TlsMode};
use crate::{DatabaseUrl, StoreError};

/// How a database is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatabaseOptions {
    /// Connections to a PostgreSQL server at most: [`DatabaseOptions::CONNECTIONS_MIN`] or more. SQLite has its own few.
    pub connections_max: u32,
    /// What is known of the network on the way to a PostgreSQL server.
    pub network: Network,
    /// What happens when tables are older than this program.
    pub migrations: Migrations,
}

/// The network between cress and its database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// Others may read along or answer in the server's place: beyond this machine, only TLS with a checked certificate is used.
    Untrusted,
    /// An operator vouches for it, so that whatever the URL says about TLS is done.
    Private,
}

/// What happens when a module's tables are older than this program. A database without any is always set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Migrations {
    /// They are brought up to date.
    Apply,
    /// The database is refused: other replicas may still run a version that cannot use the new tables.
    Refuse,
}

impl DatabaseOptions {
    /// One connection that writes, one that waits for its turn, and one that reads.
    pub const CONNECTIONS_MIN: u32 = 3;
    /// Of one process; a server seldom allows more in all.
    pub const CONNECTIONS_MAX: u32 = 500;

    /// Refuses a connection that others could read or take over.
    ///
    /// # Errors
    /// [`StoreError`]: permanent, with what to change.
    pub fn check(&self, url: &DatabaseUrl) -> Result<(), StoreError> {
        match url.location() {
            Location::Postgres(address)
                if self.network == Network::Untrusted
                    && address.tls != TlsMode::VerifyFull
                    && !address.host.is_this_machine() =>
            {
                Err(StoreError::permanent(format!(
                    "expected sslmode=verify-full for a database beyond this machine, got sslmode={}; others could read along or answer \
                     in its place: use TLS with a certificate (its authority's file is sslrootcert), or say that the network is private",
                    address.tls.as_str()
                )))
            }
            _ => Ok(()),
        }
    }
}

impl Default for DatabaseOptions {
    fn default() -> Self {
        Self { connections_max: 10, network: Network::Untrusted, migrations: Migrations::Apply }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_could_read_is_refused() {
        let untrusted = DatabaseOptions::default();
        let private = DatabaseOptions { network: Network::Private, ..untrusted };
        for (url, refused) in [
            ("sqlite:/a", false),
            ("postgres://me@db.example/cress", false),
            ("postgres://me@127.0.0.1/cress", false),
            ("postgres:///cress?host=/run/postgresql&user=me", false),
            ("postgres://me@db.example/cress?sslmode=require", true),
            ("postgres://me@10.0.0.1/cress?sslmode=disable", true),
        ] {
            let url: DatabaseUrl = url.parse().unwrap();
            assert_eq!(untrusted.check(&url).is_err(), refused, "{url}");
            assert!(private.check(&url).is_ok(), "{url}");
        }
    }
}
