// SPDX-License-Identifier: Apache-2.0
//! Versioned migrations: each module of repositories has a history of its own, embedded in the program. A database that is
//! newer than the program is refused, since an old program would misread it.

use crate::database::{Migrations, Transaction};
use crate::query::{execute, the_only};
use crate::row::Columns;
use crate::{Database, ModuleVersion, StoreError};

/// The migrations of one module. The first has version 1. A published one never changes; it is followed by another.
pub(crate) struct History {
    pub(crate) module: &'static str,
    pub(crate) scripts: &'static [&'static str],
    pub(crate) presence: Presence,
}

/// In which databases a module's tables are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    /// In every one.
    Always,
    /// In those that the module was used in.
    WhereUsed,
}

impl History {
    /// Whether it is missed, or to be told of, in a database that has so many of its migrations.
    pub(crate) fn concerns(&self, found: usize) -> bool {
        found > 0 || self.presence == Presence::Always
    }
}

/// Every module that keeps tables.
pub(crate) const MODULES: [&History; 4] =
    [&crate::control::HISTORY, &crate::keyring::HISTORY, &crate::broker::HISTORY, &crate::audit::HISTORY];

/// The versions of all tables; not of those that only some databases have and this one has not. It writes nothing.
///
/// # Errors
/// [`StoreError`]: permanent if a version is newer than this program.
pub async fn versions(database: &Database) -> Result<Vec<ModuleVersion>, StoreError> {
    let mut versions = Vec::new();
    for history in MODULES {
        let version = found(database, history).await.map_err(|error| error.at(database.url()))?;
        if !history.concerns(version) {
            continue;
        }
        versions.push(ModuleVersion {
            module: history.module,
            found: count(version),
            known: count(history.scripts.len()),
        });
    }
    Ok(versions)
}

fn count(scripts: usize) -> i64 {
    i64::try_from(scripts).unwrap_or(i64::MAX)
}

/// Brings all tables that are, or should be, there up to date, whatever the options say.
///
/// # Errors
/// [`StoreError`]
pub async fn migrate_all(database: &Database) -> Result<(), StoreError> {
    for history in MODULES {
        let found = found(database, history).await?;
        if history.concerns(found) && found != history.scripts.len() {
            apply(database, history).await.map_err(|error| error.at(database.url()))?;
        }
    }
    Ok(())
}

/// Makes the tables of these modules in a database that has none, within a transaction.
pub(crate) async fn create_all(transaction: &mut Transaction, modules: &[ModuleVersion]) -> Result<(), StoreError> {
    execute(transaction, sqlx::query(HISTORY_TABLE)).await?;
    for history in MODULES.into_iter().filter(|history| modules.iter().any(|one| one.module == history.module)) {
        bring_up_to_date(transaction, history).await?;
    }
    Ok(())
}

const HISTORY_TABLE: &str = "CREATE TABLE IF NOT EXISTS store_migrations (module TEXT NOT NULL, version BIGINT NOT NULL, PRIMARY KEY (module, version))";

/// Brings a module's tables up to date, if that is wanted: all missing migrations in one transaction, which holds the lock of all
/// writers, so that replicas that start together do it once. Where nothing is missing nothing is written, and no right to make tables
/// is needed.
pub(crate) async fn migrate(database: &Database, history: &History) -> Result<(), StoreError> {
    run(database, history).await.map_err(|error| error.at(database.url()))
}

async fn run(database: &Database, history: &History) -> Result<(), StoreError> {
    let known = history.scripts.len();
    match (found(database, history).await?, database.migrations()) {
        (applied, _) if applied == known => Ok(()),
        (applied @ 1.., Migrations::Refuse) => Err(older(history.module, applied, known)),
        _ => apply(database, history).await,
    }
}

/// How many of the module's migrations the database has. It writes nothing.
pub(crate) async fn found(database: &Database, history: &History) -> Result<usize, StoreError> {
    let mut transaction = database.read().await?;
    let select = sqlx::query(database.catalog().history_exists);
    let tables: i64 = the_only(&mut transaction, select, |row| row.raw("tables")).await?;
    if tables == 0 { Ok(0) } else { applied(&mut transaction, history).await }
}

async fn applied(transaction: &mut Transaction, history: &History) -> Result<usize, StoreError> {
    let (module, known) = (history.module, history.scripts.len());
    let select = sqlx::query("SELECT COALESCE(MAX(version), 0) AS version FROM store_migrations WHERE module = $1");
    let version: i64 = the_only(transaction, select.bind(module), |row| row.raw("version")).await?;
    usize::try_from(version).ok().filter(|applied| *applied <= known).ok_or_else(|| newer(module, version, known))
}

async fn apply(database: &Database, history: &History) -> Result<(), StoreError> {
    let mut transaction = database.write_migrations().await?;
    execute(&mut transaction, sqlx::query(HISTORY_TABLE)).await?;
    let done = bring_up_to_date(&mut transaction, history).await?;
    transaction.commit().await?;
    let (module, known) = (history.module, history.scripts.len());
    if done < known {
        tracing::info!(module, from = done, to = known, "brought the database up to date");
    }
    Ok(())
}

/// Says which version there was.
async fn bring_up_to_date(transaction: &mut Transaction, history: &History) -> Result<usize, StoreError> {
    // Another process may have been faster.
    let done = applied(transaction, history).await?;
    for (script, version) in history.scripts.iter().zip(1_i64..).skip(done) {
        let patience = transaction.patience();
        patience.wait(sqlx::raw_sql(*script).execute(transaction.connection())).await?;
        let insert = sqlx::query("INSERT INTO store_migrations (module, version) VALUES ($1, $2)");
        execute(transaction, insert.bind(history.module).bind(version)).await?;
    }
    Ok(done)
}

fn older(module: &str, found: usize, known: usize) -> StoreError {
    StoreError::permanent(format!(
        "expected version {known} of its {module} tables, got {found}; processes of an older cress may still use them: once none runs, \
         bring them up to date with `cress admin store migrate --apply`, or let the start do it with store.migrate_at_start"
    ))
}

fn newer(module: &str, found: i64, known: usize) -> StoreError {
    StoreError::permanent(format!(
        "expected version {known} or older of its {module} tables, got {found}; a newer cress has used it: install that version, or restore a backup from before"
    ))
}

#[cfg(test)]
mod tests {
    use sqlx::Row;

    use super::*;
    use crate::{DatabaseOptions, DatabaseUrl};

    const FIRST: &str = "CREATE TABLE a (x BIGINT); INSERT INTO a (x) VALUES (1);";
    const SECOND: &str = "INSERT INTO a (x) VALUES (2);";
    const BROKEN: &str = "INSERT INTO a (x) VALUES (3); INSERT INTO nowhere (x) VALUES (4);";

    async fn rows(database: &Database) -> i64 {
        let mut transaction = database.read().await.unwrap();
        let row = sqlx::query("SELECT COUNT(*) AS n FROM a").fetch_one(transaction.connection()).await.unwrap();
        row.try_get("n").unwrap()
    }

    #[tokio::test]
    async fn each_script_runs_once_and_whole() {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::open(&DatabaseUrl::sqlite(directory.path().join("s.db"))).await.unwrap();
        let migrate =
            async |scripts| migrate(&database, &History { module: "m", scripts, presence: Presence::Always }).await;
        migrate(&[FIRST]).await.unwrap();
        migrate(&[FIRST]).await.unwrap();
        assert_eq!(rows(&database).await, 1);
        assert!(migrate(&[FIRST, SECOND, BROKEN]).await.is_err());
        assert_eq!(rows(&database).await, 1, "a failed migration leaves nothing");
        migrate(&[FIRST, SECOND]).await.unwrap();
        assert_eq!(rows(&database).await, 2);
        let message = migrate(&[FIRST]).await.unwrap_err().to_string();
        assert!(message.contains("expected version 1 or older of its m tables, got 2"), "{message}");
    }

    #[tokio::test]
    async fn old_tables_are_left_alone_where_that_is_wanted() {
        let directory = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::sqlite(directory.path().join("s.db"));
        let options = DatabaseOptions { migrations: Migrations::Refuse, ..DatabaseOptions::default() };
        let database = Database::open_with(&url, options).await.unwrap();
        let migrate =
            async |scripts| migrate(&database, &History { module: "m", scripts, presence: Presence::Always }).await;
        migrate(&[FIRST]).await.unwrap();
        migrate(&[FIRST]).await.unwrap();
        let message = migrate(&[FIRST, SECOND]).await.unwrap_err().to_string();
        assert!(message.contains("expected version 2 of its m tables, got 1"), "{message}");
        assert_eq!(rows(&database).await, 1);
    }
}
