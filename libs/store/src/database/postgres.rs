// SPDX-License-Identifier: Apache-2.0
//! PostgreSQL: a few connections that read, and two that write, of which one at a time has its turn in the whole database.

mod environment;

use std::io;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions, AnyRow};
use sqlx::postgres::PgDatabaseError;
use sqlx::{AnyConnection, AnyPool, ConnectOptions, Connection, Row};
use tokio::time::timeout;
use url::Url;

use super::{Begin, Catalog, DatabaseOptions, Engine, Patience};
use crate::StoreError;
use crate::database_url::{Host, PostgresAddress};

/// One that has its turn, and one that stands ready for the next.
const WRITERS: u32 = 2;
/// How long a server gets to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a call waits for a connection, a new one included.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a server gets for an answer: for a statement longer than it allows itself, for a commit shorter.
const PATIENCE: Patience = Patience { statement: Some(Duration::from_secs(40)), commit: Some(Duration::from_secs(15)) };
/// How long a connection gets to become clean after its use.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(15);
/// A connection that has rested for longer is tried before it is used: the server may have gone meanwhile.
const TRIED_AFTER: Duration = Duration::from_secs(1);
/// The oldest version whose behaviour is tested to be the same.
const VERSION_MIN: i64 = 150_000;

/// Writers wait for each other at the beginning, as SQLite's do: the number is cress's own, the lock ends with the transaction. Why
/// not SERIALIZABLE: docs/decisions/0011.
macro_rules! write_lock {
    () => {
        "SELECT pg_advisory_xact_lock(7165634131)"
    };
}

const BEGIN: Begin = Begin {
    read: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    read_all: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = '30min'; SET LOCAL idle_in_transaction_session_timeout = '30min'",
    write: concat!("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; ", write_lock!()),
    // Whoever comes second waits until the first has brought the tables up to date, which may take a while.
    migrate: concat!(
        "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL lock_timeout = '10min'; SET LOCAL statement_timeout = '30min'; SET LOCAL idle_in_transaction_session_timeout = '30min'; ",
        write_lock!()
    ),
    long_patience: Patience {
        statement: Some(Duration::from_secs(35 * 60)),
        commit: Some(Duration::from_secs(25 * 60)),
    },
};

/// Bounds on what one call may take of the server, and on what a process that hangs may hold up. Warnings are of no use to anyone
/// here: a rollback where nothing has begun is one. A commit that was reported survives a crash of the server.
const SESSION: &str = "\
SET client_min_messages = error;
SET statement_timeout = '30s';
SET lock_timeout = '10s';
SET idle_in_transaction_session_timeout = '30s';
SET tcp_keepalives_idle = 10;
SET tcp_keepalives_interval = 5;
SET tcp_keepalives_count = 3;
SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';";

const CATALOG: Catalog = Catalog {
    history_exists: "SELECT CASE WHEN to_regclass('store_migrations') IS NULL THEN 0::BIGINT ELSE 1::BIGINT END AS tables",
    columns: "SELECT table_name::TEXT AS table_name, column_name::TEXT AS column_name, upper(data_type)::TEXT AS column_type FROM information_schema.columns WHERE table_schema = current_schema() ORDER BY table_name COLLATE \"C\", column_name COLLATE \"C\"",
    clock: Some("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::BIGINT AS now"),
    references: "SELECT child.relname::TEXT AS child, parent.relname::TEXT AS parent FROM pg_constraint c JOIN pg_class child ON child.oid = c.conrelid JOIN pg_class parent ON parent.oid = c.confrelid WHERE c.contype = 'f' AND child.relnamespace = to_regnamespace(current_schema())",
};

const SERVER: &str = "\
SELECT current_setting('server_version_num')::BIGINT AS version, current_setting('server_version')::TEXT AS name, \
current_setting('server_encoding')::TEXT AS encoding, pg_is_in_recovery() AS standby";

/// Readers, writers, and how to begin.
pub(super) async fn open(address: &PostgresAddress, options: &DatabaseOptions) -> Result<Engine, StoreError> {
    environment::check(address, |name| std::env::var_os(name).is_some())?;
    let connect = connect_options(address)?;
    probe(&connect).await?;
    let readers = options.connections_max.saturating_sub(WRITERS).max(1);
    let (readers, writers) = (pool(readers), pool(WRITERS));
    Ok(Engine {
        readers: readers.connect_lazy_with(connect.clone()),
        writers: writers.connect_lazy_with(connect),
        begin: BEGIN,
        patience: PATIENCE,
        catalog: CATALOG,
    })
}

/// Connects once without a pool, which would try again and again and then say only that it took too long.
async fn probe(options: &AnyConnectOptions) -> Result<(), StoreError> {
    let work = async {
        let mut connection = AnyConnection::connect_with(options).await?;
        sqlx::raw_sql(SESSION).execute(&mut connection).await?;
        let server = sqlx::query(SERVER).fetch_one(&mut connection).await?;
        check_server(&server)?;
        Ok(connection.close().await?)
    };
    timeout(CONNECT_TIMEOUT, work).await.unwrap_or_else(|_| {
        Err(StoreError::Temporary { reason: format!("it has not answered for {} seconds", CONNECT_TIMEOUT.as_secs()) })
    })
}

fn check_server(server: &AnyRow) -> Result<(), StoreError> {
    let (version, encoding): (i64, &str) = (server.try_get("version")?, server.try_get("encoding")?);
    if version < VERSION_MIN {
        let name: &str = server.try_get("name")?;
        return Err(StoreError::permanent(format!("expected PostgreSQL 15 or newer, got {name}; upgrade the server")));
    }
    if encoding != "UTF8" {
        return Err(StoreError::permanent(format!(
            "expected a database with the encoding UTF8, got {encoding}; make another with CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0"
        )));
    }
    if server.try_get("standby")? {
        return Err(standby());
    }
    Ok(())
}

fn pool(connections_max: u32) -> AnyPoolOptions {
    AnyPoolOptions::new()
        .max_connections(connections_max)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(Some(Duration::from_secs(10 * 60)))
        .max_lifetime(Some(Duration::from_secs(60 * 60)))
        .test_before_acquire(false)
        .after_connect(|connection, _| {
            Box::pin(async move {
                sqlx::raw_sql(SESSION).execute(&mut *connection).await?;
                refuse_standby(connection).await
            })
        })
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                let rested = meta.idle_for > TRIED_AFTER;
                Ok(!rested || matches!(timeout(TRIED_AFTER, connection.ping()).await, Ok(Ok(()))))
            })
        })
        .after_release(|connection, _| Box::pin(clean(connection)))
}

/// The address may lead to a standby after a failover, or while one goes on: what that does not have yet is not to be taken for removed.
async fn refuse_standby(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    let row = sqlx::query("SELECT pg_is_in_recovery() AS standby").fetch_one(connection).await?;
    if row.try_get("standby")? { Err(io::Error::other(STANDBY).into()) } else { Ok(()) }
}

/// Ends whatever transaction is left, such as one whose beginning nobody waited for: it would hold the write lock.
async fn clean(connection: &mut AnyConnection) -> Result<bool, sqlx::Error> {
    let rollback = sqlx::raw_sql("ROLLBACK").execute(connection);
    match timeout(RELEASE_TIMEOUT, rollback).await {
        Ok(outcome) => outcome.map(|_| true),
        Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
    }
}

/// Everything is said, so that nothing is taken from the environment's PG variables but a password where there is none, and what
/// [`environment`] refuses.
fn connect_options(address: &PostgresAddress) -> Result<AnyConnectOptions, StoreError> {
    let mut url = Url::parse("postgres://localhost/").map_err(|error| StoreError::permanent(error.to_string()))?;
    {
        let mut pairs = url.query_pairs_mut();
        match &address.host {
            Host::Network(host) => pairs.append_pair("host", host),
            Host::Socket(directory) => pairs.append_pair("host", &directory.to_string_lossy()),
        };
        pairs.append_pair("port", &address.port.to_string());
        pairs.append_pair("user", &address.user);
        pairs.append_pair("dbname", &address.database);
        pairs.append_pair("sslmode", address.tls.as_str());
        pairs.append_pair("application_name", "cress");
        if let Some(password) = &address.password {
            pairs.append_pair("password", password.expose());
        }
        if let Some(file) = &address.root_certificates {
            pairs.append_pair("sslrootcert", file);
        }
        if let Some((certificate, key)) = &address.client_certificate {
            pairs.append_pair("sslcert", certificate).append_pair("sslkey", key);
        }
    }
    Ok(AnyConnectOptions::from_url(&url)?.disable_statement_logging())
}

/// The tables that hold private keys are written anew, so that what was replaced is in none of their files. The server's log, its
/// standbys and its backups keep it for as long as they are kept, which no client can change.
pub(super) async fn scrub(writers: &AnyPool) -> Result<(), StoreError> {
    let tables = "SELECT table_name::TEXT AS name FROM information_schema.columns WHERE table_schema = current_schema() AND column_name = 'envelope'";
    for row in sqlx::query(tables).fetch_all(writers).await? {
        let table: &str = row.try_get("name")?;
        let vacuum = format!("VACUUM (FULL) \"{}\"", table.replace('"', "\"\""));
        let before = file_of(writers, table).await?;
        sqlx::raw_sql(sqlx::AssertSqlSafe(vacuum)).execute(writers).await?;
        // Who does not own the table gets a warning, and nothing is written.
        if file_of(writers, table).await? == before {
            return Err(StoreError::permanent(format!(
                "the table {table} was not written anew, so its file may still hold what was replaced; the database's user must own cress's tables"
            )));
        }
    }
    tracing::info!(
        "what was replaced is gone from the tables; the server's write-ahead log, its standbys and its backups hold it for as long as they are kept"
    );
    Ok(())
}

/// The number of the file that holds a table.
async fn file_of(writers: &AnyPool, table: &str) -> Result<i64, StoreError> {
    let file = "SELECT pg_relation_filenode(to_regclass(quote_ident($1)))::BIGINT AS file";
    Ok(sqlx::query(file).bind(table).fetch_one(writers).await?.try_get("file")?)
}

const STANDBY: &str =
    "the database takes no writes: it is a standby, or about to become the primary; connect to the primary";

fn standby() -> StoreError {
    StoreError::Temporary { reason: STANDBY.into() }
}

/// What PostgreSQL's own code says; `None` if the error is not PostgreSQL's. Codes:
/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
pub(super) fn failure(error: &dyn sqlx::error::DatabaseError) -> Option<StoreError> {
    let error = error.try_downcast_ref::<PgDatabaseError>()?;
    let temporary = |reason: String| StoreError::Temporary { reason };
    let failed = match error.code() {
        "28P01" | "28000" => StoreError::permanent(format!(
            "the server refused the user ({}); check the user, its password and the server's pg_hba.conf", error.message()
        )),
        "3D000" => StoreError::permanent("the server has no such database; make it with CREATE DATABASE, owned by cress's user"),
        "42501" => StoreError::permanent(format!(
            "the database's user may not do that ({}); it must own cress's tables and be allowed to create tables in its schema", error.message()
        )),
        "3F000" => StoreError::permanent("the database's user has no schema to make tables in; GRANT it CREATE and USAGE on one"),
        "53300" => temporary("the server has no connection to spare; lower store.connections_max, or raise max_connections of the server".into()),
        "53100" => temporary("the database's disk is full; free some space on it".into()),
        "53200" => temporary("the server has run out of memory; free some".into()),
        "57P01" | "57P02" | "57P05" => temporary("the server ended the connection: it stops or starts anew; try again".into()),
        "57P03" => temporary("the server does not accept connections yet: it starts, stops or recovers; try again".into()),
        "57014" => temporary("the server ended a statement that took too long; it is overloaded, or its disk is slow".into()),
        "55P03" => temporary("another process has been writing to the database for too long; try again, or stop the other process".into()),
        "25P03" => temporary("the server ended a transaction that had paused for too long; this process is overloaded".into()),
        "25006" => standby(),
        "40001" | "40P01" => temporary("the write met another one; try again".into()),
        "XX001" | "XX002" => StoreError::permanent("the database is damaged; restore it from a backup"),
        "58030" => temporary(format!("the disk failed under the database ({}); check the disk and its file system", error.message())),
        code if code.starts_with("08") => temporary("the connection to the database broke; try again".into()),
        code => StoreError::permanent(format!("the database refused: {} (SQLSTATE {code})", error.message())),
    };
    Some(failed)
}
