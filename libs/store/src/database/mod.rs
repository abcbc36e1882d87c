// SPDX-License-Identifier: Apache-2.0
//! A database, its connections and its transactions. The repositories know no engine: one SQL text serves all, with `$1`
//! placeholders, ids as text, times as microseconds, and the types TEXT, BIGINT and BYTEA only. What differs between engines
//! stands in a module for each.

mod clock;
mod failure;
mod options;
mod postgres;
mod sqlite;
mod transaction;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use sqlx::AnyPool;

pub(crate) use failure::{Constraint, broken_constraint};
pub use options::{DatabaseOptions, Migrations, Network};
pub(crate) use transaction::{Patience, Transaction};

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
    options: DatabaseOptions,
    engine: Engine,
}

/// An opened engine.
struct Engine {
    readers: AnyPool,
    writers: AnyPool,
    begin: Begin,
    patience: Patience,
    catalog: Catalog,
}

/// What the engine is asked about tables.
#[derive(Clone, Copy)]
pub(crate) struct Catalog {
    /// Counts the tables that hold the history of migrations, as `tables`: none or one.
    pub(crate) history_exists: &'static str,
    /// Every column, as `table_name`, `column_name` and `column_type`, sorted by the first two.
    pub(crate) columns: &'static str,
    /// Which table refers to which, as `child` and `parent`.
    pub(crate) references: &'static str,
    /// What the server's clock shows now, in microseconds since the Unix epoch, as `now`. None: there is no server, and so no other clock.
    pub(crate) clock: Option<&'static str>,
}

/// How the engine is told to begin a transaction.
struct Begin {
    read: &'static str,
    read_all: &'static str,
    write: &'static str,
    migrate: &'static str,
    /// How long a server gets to answer where whole tables are read or written.
    long_patience: Patience,
}

impl Database {
    /// Opens the database with the default options; see [`Database::open_with`].
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn open(url: &DatabaseUrl) -> Result<Self, StoreError> {
        Self::open_with(url, DatabaseOptions::default()).await
    }

    /// Opens the database. An SQLite file is made (mode 0600) if it is not there, in a directory that must exist; a database on a
    /// PostgreSQL server must exist.
    ///
    /// # Errors
    /// [`StoreError`]: temporary if it is locked, its disk is full or its server does not answer, permanent if it cannot be read or
    /// written or is damaged.
    pub async fn open_with(url: &DatabaseUrl, options: DatabaseOptions) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let engine = open(url, &options).await.map_err(|error| error.at(url))?;
        Ok(Self { shared: Arc::new(Shared { url: url.clone(), options, engine }) })
    }

    /// Opens a database that is there, for looking at it alone: no file is made or changed, and every write fails.
    ///
    /// # Errors
    /// [`StoreError`]: as for [`Self::open`].
    pub(crate) async fn open_to_read(url: &DatabaseUrl, options: DatabaseOptions) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let engine = match url.location() {
            Location::Sqlite(path) => sqlite::open_to_read(path).await,
            Location::Postgres(_) => open(url, &options).await,
        };
        let mut engine = engine.map_err(|error| error.at(url))?;
        // Whatever would write finds itself in a transaction that only reads.
        engine.begin = Begin { write: engine.begin.read, migrate: engine.begin.read, ..engine.begin };
        Ok(Self { shared: Arc::new(Shared { url: url.clone(), options, engine }) })
    }

    /// What the engine itself finds wrong with its files; nothing, as a rule. Reads all of them. A PostgreSQL server looks after its own.
    pub(crate) async fn damage(&self) -> Result<Vec<String>, StoreError> {
        match self.shared.url.location() {
            Location::Sqlite(_) => sqlite::damage(&self.shared.engine.readers).await,
            Location::Postgres(_) => Ok(Vec::new()),
        }
    }

    /// Writes a copy of one consistent state into a file that is empty, while others read and write. Only files can be copied so.
    pub(crate) async fn copy_into(&self, path: &Path) -> Result<(), StoreError> {
        match self.shared.url.location() {
            Location::Sqlite(from) => sqlite::copy(from, path).await,
            Location::Postgres(_) => Err(StoreError::permanent("a server's database is copied with pg_dump")),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> &DatabaseUrl {
        &self.shared.url
    }

    /// Waits for running calls and closes every connection; for a tidy end of the process. Every later call fails.
    pub async fn close(&self) {
        self.shared.engine.readers.close().await;
        self.shared.engine.writers.close().await;
    }

    /// Leaves nothing in the database's files of what was replaced or deleted before this call, such as private keys under a former
    /// key-encryption key. To be called after such a write. On PostgreSQL it reaches the tables alone: the server's write-ahead log, its
    /// standbys and every backup keep what they have, so that the former key-encryption key has to be destroyed with them.
    ///
    /// # Errors
    /// [`StoreError`]: temporary if another process reads the database; what was written stays written.
    pub async fn scrub(&self) -> Result<(), StoreError> {
        match self.shared.url.location() {
            Location::Sqlite(_) => sqlite::scrub(&self.shared.engine.writers).await,
            Location::Postgres(_) => postgres::scrub(&self.shared.engine.writers).await,
        }
    }

    /// What happens when tables are older than this program.
    pub(crate) fn migrations(&self) -> Migrations {
        self.shared.options.migrations
    }

    /// How to ask about tables.
    pub(crate) fn catalog(&self) -> Catalog {
        self.shared.engine.catalog
    }

    /// Begins a transaction that sees one consistent state throughout and writes nothing.
    pub(crate) async fn read(&self) -> Result<Transaction, StoreError> {
        let engine = &self.shared.engine;
        begin(&engine.readers, engine.begin.read, Kind::Reads, engine.patience).await
    }

    /// The same, with time enough to read everything.
    pub(crate) async fn read_all(&self) -> Result<Transaction, StoreError> {
        let engine = &self.shared.engine;
        begin(&engine.readers, engine.begin.read_all, Kind::Reads, engine.begin.long_patience).await
    }

    /// Begins a transaction that may write. It waits here for its turn, never half-way.
    pub(crate) async fn write(&self) -> Result<Transaction, StoreError> {
        let engine = &self.shared.engine;
        begin(&engine.writers, engine.begin.write, Kind::Writes, engine.patience).await
    }

    /// The same, with time enough to bring tables up to date, or to wait until another process has.
    pub(crate) async fn write_migrations(&self) -> Result<Transaction, StoreError> {
        let engine = &self.shared.engine;
        begin(&engine.writers, engine.begin.migrate, Kind::Writes, engine.begin.long_patience).await
    }
}

async fn open(url: &DatabaseUrl, options: &DatabaseOptions) -> Result<Engine, StoreError> {
    options.check(url)?;
    match url.location() {
        Location::Sqlite(path) => sqlite::open(path).await,
        Location::Postgres(address) => postgres::open(address, options).await,
    }
}

async fn begin(pool: &AnyPool, how: &'static str, kind: Kind, patience: Patience) -> Result<Transaction, StoreError> {
    let begun = patience.wait(pool.begin_with(how)).await?;
    Ok(Transaction::new(begun, kind, patience))
}

impl fmt::Debug for Database {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Database({})", self.shared.url)
    }
}
