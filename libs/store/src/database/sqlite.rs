// SPDX-License-Identifier: Apache-2.0
//! SQLite: one file, one connection that writes and a few that read beside it (write-ahead log).

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::sqlite::SqliteError;
use sqlx::{AnyConnection, AnyPool, ConnectOptions, Connection, Row};

use super::failure::io_words;
use super::{Begin, Catalog, Engine, Patience};
use crate::StoreError;

/// How many may read at the same time.
const READERS_MAX: u32 = 4;
/// How long a call waits for a connection. A lock held by another process has its own, shorter wait (busy_timeout).
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(15);

/// The write lock is taken at the beginning: a transaction that reads first and wants it later could not wait for it.
const BEGIN: Begin = Begin {
    read: "BEGIN",
    read_all: "BEGIN",
    write: "BEGIN IMMEDIATE",
    migrate: "BEGIN IMMEDIATE",
    long_patience: Patience::ENDLESS,
};

const CATALOG: Catalog = Catalog {
    history_exists: "SELECT COUNT(*) AS tables FROM sqlite_master WHERE type = 'table' AND name = 'store_migrations'",
    columns: "SELECT m.name AS table_name, c.name AS column_name, c.type AS column_type FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' ORDER BY m.name, c.name",
    references: "SELECT m.name AS child, f.\"table\" AS parent FROM sqlite_master m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table'",
    clock: None,
};

/// FULL: a commit that was reported survives a power cut. Secure delete: what is replaced or deleted is overwritten with zeros, since
/// it may be a private key under a key-encryption key that is to be of no use any more.
const WRITER: &str = "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;";
const READER: &str = "PRAGMA busy_timeout = 5000; PRAGMA query_only = ON;";

/// Readers, the writer, and how to begin.
pub(super) async fn open(path: &Path) -> Result<Engine, StoreError> {
    let path = prepare_file(path)?;
    let options = connect_options(&path)?;
    probe(&options).await?;
    let writers = pool(1, WRITER).connect_with(options.clone()).await?;
    let readers = pool(READERS_MAX, READER).connect_with(options).await?;
    Ok(Engine { readers, writers, begin: BEGIN, patience: Patience::ENDLESS, catalog: CATALOG })
}

/// The same for looking alone. A database that nobody has open is taken as one that does not change, since SQLite would otherwise make
/// files beside it; one that is open has them.
pub(super) async fn open_to_read(path: &Path) -> Result<Engine, StoreError> {
    let path = absolute(path)?;
    File::open(&path).map_err(|error| failed_to_open(&error))?;
    let options = options_to_read(&path)?;
    let mut connection = AnyConnection::connect_with(&options).await?;
    // Reads the file's head: what is no database is noticed here, where no pool tries again.
    sqlx::raw_sql("SELECT COUNT(*) FROM sqlite_master").execute(&mut connection).await?;
    connection.close().await?;
    let readers = pool(READERS_MAX, READER).connect_with(options).await?;
    let writers = readers.clone();
    Ok(Engine { readers, writers, begin: BEGIN, patience: Patience::ENDLESS, catalog: CATALOG })
}

fn options_to_read(path: &Path) -> Result<AnyConnectOptions, StoreError> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let how = if Path::new(&log).exists() { "mode=ro" } else { "immutable=true" };
    Ok(AnyConnectOptions::from_str(&format!("{}?{how}", url(path)?))?.disable_statement_logging())
}

/// How much of what is wrong is told.
const DAMAGE: &str = "PRAGMA integrity_check(10)";

/// What SQLite finds wrong; one row that says `ok` if nothing.
pub(super) async fn damage(readers: &AnyPool) -> Result<Vec<String>, StoreError> {
    let rows = sqlx::query(DAMAGE).fetch_all(readers).await?;
    let told = rows.iter().map(|row| row.try_get::<String, _>(0)).collect::<Result<Vec<_>, _>>()?;
    Ok(told.into_iter().filter(|line| line != "ok").collect())
}

/// One transaction reads all of it, and nothing of what was deleted comes along.
pub(super) async fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
    let to = absolute(to)?;
    let to = to.to_str().ok_or_else(|| StoreError::permanent(NOT_UTF8))?;
    let mut connection = AnyConnection::connect_with(&options_to_read(&absolute(from)?)?).await?;
    sqlx::raw_sql("PRAGMA busy_timeout = 5000").execute(&mut connection).await?;
    sqlx::query("VACUUM INTO $1").bind(to).execute(&mut connection).await?;
    Ok(connection.close().await?)
}

/// Moves everything from the write-ahead log into the database and empties the log, in which earlier versions of pages lie.
pub(super) async fn scrub(writers: &AnyPool) -> Result<(), StoreError> {
    let row = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(writers).await?;
    match row.try_get::<i64, _>(0)? {
        0 => Ok(()),
        _ => Err(StoreError::Temporary {
            reason: "the database's log cannot be emptied while another process reads it; try again".to_owned(),
        }),
    }
}

/// How long to try again while others make the same new file: who changes the journal's mode is refused at once instead of having
/// to wait as everywhere else (busy_timeout).
const CREATION_TIMEOUT: Duration = Duration::from_secs(3);
const CREATION_PAUSE: Duration = Duration::from_millis(20);

/// Makes the database ready without a pool, which would try again and again and then say only that it took too long.
async fn probe(options: &AnyConnectOptions) -> Result<(), StoreError> {
    let begun = tokio::time::Instant::now();
    loop {
        match connect_once(options).await {
            Err(StoreError::Temporary { .. }) if begun.elapsed() < CREATION_TIMEOUT => {
                tokio::time::sleep(CREATION_PAUSE).await;
            }
            outcome => return outcome,
        }
    }
}

async fn connect_once(options: &AnyConnectOptions) -> Result<(), StoreError> {
    let mut connection = AnyConnection::connect_with(options).await?;
    sqlx::raw_sql(WRITER).execute(&mut connection).await?;
    Ok(connection.close().await?)
}

fn pool(connections_max: u32, pragmas: &'static str) -> AnyPoolOptions {
    AnyPoolOptions::new()
        .max_connections(connections_max)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .after_connect(move |connection, _| {
            Box::pin(async move { sqlx::raw_sql(pragmas).execute(connection).await.map(drop) })
        })
        .after_release(|connection, _| Box::pin(is_reusable(connection)))
}

/// SQLite rolls back by itself when the disk is full or fails. The driver, which still counts on the transaction, then refuses
/// every other: such a connection is closed, and the next call gets a new one. The ping waits for the driver's own rollback.
async fn is_reusable(connection: &mut AnyConnection) -> Result<bool, sqlx::Error> {
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

/// SQLite would make the file readable by others, and would open one that it cannot write without a word.
fn prepare_file(path: &Path) -> Result<PathBuf, StoreError> {
    let path = absolute(path)?;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(&path).map_err(|error| failed_to_open(&error))?;
    warn_if_shared(&path, &file);
    Ok(path)
}

/// Components, since two slashes at the start would be taken for a host.
fn absolute(path: &Path) -> Result<PathBuf, StoreError> {
    Ok(std::path::absolute(path).map_err(|error| failed_to_open(&error))?.components().collect())
}

fn failed_to_open(error: &io::Error) -> StoreError {
    let reason = io_words(error);
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Temporary { reason },
        _ => StoreError::Permanent { reason },
    }
}

#[cfg(unix)]
fn warn_if_shared(path: &Path, file: &File) {
    use std::os::unix::fs::PermissionsExt;
    let mode = file.metadata().map_or(0, |metadata| metadata.permissions().mode());
    if mode & 0o077 != 0 {
        let mode = format!("{:o}", mode & 0o777);
        tracing::warn!(path = %path.display(), mode, "other users may read the database; chmod 600 it");
    }
}

#[cfg(not(unix))]
fn warn_if_shared(_path: &Path, _file: &File) {}

fn connect_options(path: &Path) -> Result<AnyConnectOptions, StoreError> {
    Ok(AnyConnectOptions::from_str(&url(path)?)?.disable_statement_logging())
}

const NOT_UTF8: &str = "its path is not UTF-8; choose another";

fn url(path: &Path) -> Result<String, StoreError> {
    let path = path.to_str().ok_or_else(|| StoreError::permanent(NOT_UTF8))?;
    let encoded: String = path.bytes().map(encode).collect();
    Ok(format!("sqlite:{encoded}"))
}

/// Percent-encodes whatever could mean something in a URL.
fn encode(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte) {
        char::from(byte).to_string()
    } else {
        format!("%{byte:02X}")
    }
}

/// What SQLite's own code says; `None` if the error is not SQLite's. Primary codes: <https://sqlite.org/rescode.html>.
pub(super) fn failure(error: &dyn sqlx::error::DatabaseError) -> Option<StoreError> {
    let code: i32 = error.try_downcast_ref::<SqliteError>()?.code_number()?;
    let temporary = |reason: &str| StoreError::Temporary { reason: reason.to_owned() };
    Some(match code & 0xff {
        5 | 6 => temporary("the database is locked by another process; try again, or stop the other process"),
        7 => temporary("the database has run out of memory; free some"),
        8 => StoreError::permanent("the database cannot be written to: its file or file system is read-only"),
        10 => temporary(&format!("the disk failed under the database ({error}); check the disk and its file system")),
        11 => StoreError::permanent("the database is damaged; restore it from a backup"),
        13 => temporary("the database's disk is full; free some space on it"),
        14 => {
            StoreError::permanent("the database cannot be opened; check that its file and directory can be written to")
        }
        26 => StoreError::permanent("the file is no SQLite database; choose another path, or restore it from a backup"),
        _ => return None,
    })
}

trait CodeNumber {
    fn code_number(&self) -> Option<i32>;
}

impl CodeNumber for SqliteError {
    fn code_number(&self) -> Option<i32> {
        sqlx::error::DatabaseError::code(self)?.parse().ok()
    }
}
