// SPDX-License-Identifier: Apache-2.0
//! Looking at a database without running on it: for diagnosis and for checking backups. It never migrates and never writes.

use cress_domain::Timestamp;

use crate::control::ControlStore;
use crate::keyring::KeyRingStore;
use crate::migration::{History, MODULES};
use crate::query::all;
use crate::row::Columns;
use crate::{Database, DatabaseOptions, DatabaseUrl, StoreError};

/// A database opened for looking at it alone.
#[derive(Debug, Clone)]
pub struct Inspection {
    database: Database,
}

/// How far the tables of one module are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleVersion {
    /// The module, such as `control`.
    pub module: &'static str,
    /// The version in the database; 0 if it has none of its tables.
    pub found: i64,
    /// The newest that this program knows.
    pub known: i64,
}

impl Inspection {
    /// Opens a database that is there; also one that a running process writes to.
    ///
    /// # Errors
    /// [`StoreError`]: it is not there, is no database, or cannot be read.
    pub async fn open(url: &DatabaseUrl, options: DatabaseOptions) -> Result<Self, StoreError> {
        Ok(Self { database: Database::open_to_read(url, options).await? })
    }

    /// How far the tables of each module are.
    ///
    /// # Errors
    /// [`StoreError`]: also if the database is none of cress.
    pub async fn versions(&self) -> Result<Vec<ModuleVersion>, StoreError> {
        let select = sqlx::query("SELECT module, MAX(version) AS version FROM store_migrations GROUP BY module");
        let mut transaction = self.database.read().await?;
        let found =
            all(&mut transaction, select, |row| Ok((row.raw::<String>("module")?, row.raw("version")?))).await?;
        let version = |history: &History| ModuleVersion {
            module: history.module,
            found: found.iter().find(|(module, _)| module == history.module).map_or(0, |(_, version)| *version),
            known: i64::try_from(history.scripts.len()).unwrap_or(i64::MAX),
        };
        let concerns =
            |history: &&History| found.iter().any(|(module, _)| module == history.module) || history.concerns(0);
        Ok(MODULES.into_iter().filter(concerns).map(version).collect())
    }

    /// What the engine itself finds wrong with the database, in its own words; nothing, as a rule. Reads all of it.
    ///
    /// # Errors
    /// [`StoreError`]: so damaged that it cannot even be looked at.
    pub async fn damage(&self) -> Result<Vec<String>, StoreError> {
        self.database.damage().await
    }

    /// What the database server's clock shows; none for a file.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn clock(&self) -> Result<Option<Timestamp>, StoreError> {
        self.database.clock().await
    }

    /// What control keeps. Of use only if the versions are this program's.
    #[must_use]
    pub fn control(&self) -> ControlStore {
        ControlStore::to_read(&self.database)
    }

    /// What key rings keep. Of use only if the versions are this program's.
    #[must_use]
    pub fn key_rings(&self) -> KeyRingStore {
        KeyRingStore::to_read(&self.database)
    }

    /// Closes every connection.
    pub async fn close(&self) {
        self.database.close().await;
    }
}
