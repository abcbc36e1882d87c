// SPDX-License-Identifier: Apache-2.0
//! Versioned migrations: each module of repositories has a history of its own, embedded in the program. A database that is
//! newer than the program is refused, since an old program would misread it.

use sqlx::Row;

use crate::{Database, StoreError};

/// The migrations of one module. The first has version 1. A published one never changes; it is followed by another.
pub(crate) struct History {
    pub(crate) module: &'static str,
    pub(crate) scripts: &'static [&'static str],
}

const HISTORY_TABLE: &str = "CREATE TABLE IF NOT EXISTS store_migrations (module TEXT NOT NULL, version BIGINT NOT NULL, PRIMARY KEY (module, version))";

/// Brings a module's tables up to date: all missing migrations in one transaction.
pub(crate) async fn migrate(database: &Database, history: &History) -> Result<(), StoreError> {
    run(database, history).await.map_err(|error| error.at(database.url()))
}

async fn run(database: &Database, history: &History) -> Result<(), StoreError> {
    let module = history.module;
    let mut transaction = database.write().await?;
    sqlx::query(HISTORY_TABLE).execute(transaction.connection()).await?;
    let applied: i64 =
        sqlx::query("SELECT COALESCE(MAX(version), 0) AS version FROM store_migrations WHERE module = $1")
            .bind(module)
            .fetch_one(transaction.connection())
            .await?
            .try_get("version")?;
    let known = history.scripts.len();
    let done =
        usize::try_from(applied).ok().filter(|done| *done <= known).ok_or_else(|| newer(module, applied, known))?;
    for (script, version) in history.scripts.iter().zip(1_i64..).skip(done) {
        sqlx::raw_sql(*script).execute(transaction.connection()).await?;
        sqlx::query("INSERT INTO store_migrations (module, version) VALUES ($1, $2)")
            .bind(module)
            .bind(version)
            .execute(transaction.connection())
            .await?;
    }
    transaction.commit().await?;
    if done < known {
        tracing::info!(module, from = done, to = known, "brought the database up to date");
    }
    Ok(())
}

fn newer(module: &str, found: i64, known: usize) -> StoreError {
    StoreError::permanent(format!(
        "expected version {known} or older of its {module} tables, got {found}; a newer cress has used it: install that version, or restore a backup from before"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DatabaseUrl;

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
        let migrate = async |scripts| migrate(&database, &History { module: "m", scripts }).await;
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
}
