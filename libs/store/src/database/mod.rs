// SPDX-License-Identifier: Apache-2.0
//! A database, its connections and its transactions. The repositories know no engine: one SQL text serves all, with `$1`
//! placeholders, ids as text, times as microseconds, and the types TEXT, BIGINT and BYTEA only. What differs between engines
//! stands in a module for each.

mod failure;
mod sqlite;
mod transaction;

use std::fmt;
use std::sync::Arc;

use sqlx::AnyPool;

pub(crate) use failure::{Constraint, broken_constraint};
pub(crate) use transaction::Transaction;

use transaction::Kind;

use crate::StoreError;
use crate::database_url::{DatabaseUrl, Location};

/// An open database. Cheap to clone; all clones share its connections.
#[derive(Clone)]
pub struct Database {
    shared: Arc<Shared>,
}

struct Shared {
    url: DatabaseUrl,
    readers: AnyPool,
    writers: AnyPool,
    begin: Begin,
}

/// How the engine is told to begin a transaction.
struct Begin {
    read: &'static str,
    write: &'static str,
}

impl Database {
    /// Opens the database, and makes its file (mode 0600) if it is not there. Its directory must exist.
    ///
    /// # Errors
    /// [`StoreError`]: temporary if it is locked or its disk is full, permanent if it cannot be read or written or is damaged.
    pub async fn open(url: &DatabaseUrl) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let opened = match url.location() {
            Location::Sqlite(path) => sqlite::open(path).await,
        };
        let (readers, writers, begin) = opened.map_err(|error| error.at(url))?;
        Ok(Self { shared: Arc::new(Shared { url: url.clone(), readers, writers, begin }) })
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> &DatabaseUrl {
        &self.shared.url
    }

    /// Waits for running calls and closes every connection; for a tidy end of the process. Every later call fails.
    pub async fn close(&self) {
        self.shared.readers.close().await;
        self.shared.writers.close().await;
    }

    /// Leaves nothing in the database's files of what was replaced or deleted before this call, such as private keys under a former
    /// key-encryption key. To be called after such a write.
    ///
    /// # Errors
    /// [`StoreError`]: temporary if another process reads the database; what was written stays written.
    pub async fn scrub(&self) -> Result<(), StoreError> {
        match self.shared.url.location() {
            Location::Sqlite(_) => sqlite::scrub(&self.shared.writers).await,
        }
    }

    /// Begins a transaction that sees one consistent state throughout and writes nothing.
    pub(crate) async fn read(&self) -> Result<Transaction, StoreError> {
        let begun = self.shared.readers.begin_with(self.shared.begin.read).await?;
        Ok(Transaction::new(begun, Kind::Reads))
    }

    /// Begins a transaction that may write. It waits here for its turn, never half-way.
    pub(crate) async fn write(&self) -> Result<Transaction, StoreError> {
        let begun = self.shared.writers.begin_with(self.shared.begin.write).await?;
        Ok(Transaction::new(begun, Kind::Writes))
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Database({})", self.shared.url)
    }
}
