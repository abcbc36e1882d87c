// SPDX-License-Identifier: Apache-2.0
//! Copies everything from one database into another, empty one, of whatever engine: one snapshot of the source, one transaction in the
//! target. What has arrived is read back and compared, each table by its rows and a digest, before anything is made durable: a copy
//! that fails or is interrupted leaves the target as it was, and is simply begun anew. The source is only read; nobody may write to it
//! meanwhile, since what is written later would be lost with it.

mod digest;
mod tables;

use cress_domain::Timestamp;

use crate::database::Transaction;
use crate::keyring::{self, HOLDER_SILENCE_MAX, KeyRingStore};
use crate::query::execute;
use crate::{Database, ModuleVersion, StoreError, migration};

pub use digest::TableDigest;
use tables::Table;

/// A table that was copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopiedTable {
    /// Its name.
    pub name: String,
    /// How many rows it has.
    pub rows: u64,
    /// What both sides have in it.
    pub digest: TableDigest,
}

/// Copies everything; `progress` is told of each table when it has been copied and compared. `now` is the time by which it is told whether
/// anyone uses the source still, where that has no clock of its own.
///
/// # Errors
/// [`StoreError`]: permanent if the source's tables are not those of this program, if it is in use or has changed meanwhile, if the target
/// is not empty, or if what has arrived is not what was sent. Nothing is copied then.
pub async fn copy(
    source: &Database,
    target: &Database,
    now: Timestamp,
    mut progress: impl FnMut(&CopiedTable),
) -> Result<Vec<CopiedTable>, StoreError> {
    let modules = check_source(source).await?;
    if modules.iter().any(|version| version.module == keyring::HISTORY.module) {
        check_unused(source, now).await?;
    }
    let mut from = source.read_all().await?;
    let mut to = target.write_migrations().await?;
    check_target(&mut to, target).await?;
    migration::create_all(&mut to, &modules).await?;
    let tables = tables::in_order(&mut from, source).await?;
    if tables::in_order(&mut to, target).await? != tables {
        return Err(StoreError::permanent(
            "the source has other tables than this cress makes; they are somebody else's: move them out of its schema",
        ));
    }
    // What the migrations put there is replaced by what the source made of it.
    for table in tables.iter().rev() {
        execute(&mut to, sqlx::query(sqlx::AssertSqlSafe(table.delete()))).await?;
    }
    let mut copied = Vec::new();
    for table in &tables {
        let one = copy_table(table, &mut from, &mut to).await?;
        progress(&one);
        copied.push(one);
    }
    drop(from);
    check_unchanged(source, &tables, &copied).await?;
    to.commit().await?;
    Ok(copied)
}

/// A process that runs on the source would go on writing there.
async fn check_unused(source: &Database, now: Timestamp) -> Result<(), StoreError> {
    let users = KeyRingStore::to_read(source).holders(now, HOLDER_SILENCE_MAX).await?;
    if users.is_empty() {
        return Ok(());
    }
    let users: Vec<_> = users.into_iter().map(|user| user.replica).collect();
    Err(StoreError::permanent(format!(
        "expected that nobody uses {}, but these processes were heard of in the last {} minutes: {}; stop them first, since what they write \
         later would be lost; if one was killed, wait until it is forgotten, or start and stop it once more",
        source.url(),
        HOLDER_SILENCE_MAX.as_secs() / 60,
        users.join(", ")
    )))
}

/// Every table has in it what was copied, still.
async fn check_unchanged(source: &Database, tables: &[Table], copied: &[CopiedTable]) -> Result<(), StoreError> {
    let mut now = source.read_all().await?;
    for (table, copied) in tables.iter().zip(copied) {
        if table.digest(&mut now).await? != copied.digest {
            return Err(StoreError::permanent(format!(
                "the table {} of {} was changed while it was copied; nothing was copied: stop whatever uses the source, and copy again",
                copied.name,
                source.url()
            )));
        }
    }
    Ok(())
}

/// The modules that have tables there.
async fn check_source(source: &Database) -> Result<Vec<ModuleVersion>, StoreError> {
    let modules = migration::versions(source).await?;
    for ModuleVersion { module, found, known } in &modules {
        if found != known {
            return Err(StoreError::permanent(format!(
                "expected version {known} of the {module} tables in {}, got {found}; bring them up to date first",
                source.url()
            )));
        }
    }
    Ok(modules)
}

async fn check_target(to: &mut Transaction, target: &Database) -> Result<(), StoreError> {
    match tables::any_of_ours(to, target).await? {
        None => Ok(()),
        Some(name) => Err(StoreError::permanent(format!(
            "expected {} to be empty, got the table {name}; nothing was copied: name another database",
            target.url()
        ))),
    }
}

async fn copy_table(table: &Table, from: &mut Transaction, to: &mut Transaction) -> Result<CopiedTable, StoreError> {
    let sent = table.send(from, to).await?;
    let arrived = table.digest(to).await?;
    if arrived != sent {
        return Err(StoreError::permanent(format!(
            "the table {} has not arrived as it was sent ({} of {} rows, or others); nothing was copied",
            table.name(),
            arrived.rows(),
            sent.rows()
        )));
    }
    Ok(CopiedTable { name: table.name().to_owned(), rows: sent.rows(), digest: sent })
}
