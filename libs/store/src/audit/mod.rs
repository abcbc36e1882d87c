// SPDX-License-Identifier: Apache-2.0
//! The broker's records of decisions, as the lines that their writer made, and the keys that vouch for them. Lines are only ever added:
//! nothing here changes or removes one.

use std::fmt::Write as _;
use std::sync::LazyLock;

use cress_domain::Timestamp;
use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;

use crate::database::Transaction;
use crate::migration::{self, History, Presence};
use crate::query::{all, execute, one};
use crate::row::Columns;
use crate::{Database, Sealed, StoreError};

pub(crate) const HISTORY: History = History {
    module: "audit",
    scripts: &[include_str!("../../migrations/audit/0001_audit.sql")],
    presence: Presence::WhereUsed,
};

/// Lines that are read at once.
const PAGE_LINES: i64 = 1_000;

/// Where records rest. Cheap to clone; all clones share the database's connections.
#[derive(Debug, Clone)]
pub struct AuditStore {
    database: Database,
}

/// A line of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditLine {
    /// Its number.
    pub seq: u64,
    /// The line, to the byte.
    pub line: String,
}

/// A chain of lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditChain {
    /// Its id.
    pub chain: String,
    /// When it was begun.
    pub begun_at: Timestamp,
    /// The number of its last line.
    pub last_seq: u64,
}

/// A key that vouches for records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditKeyRecord {
    /// Its name: of a signing key, its `kid`.
    pub name: String,
    /// When it was made.
    pub made_at: Timestamp,
    /// The public half of a signing key, a JWK in JSON.
    pub public_jwk: Option<String>,
    /// The key, under envelope encryption.
    pub key: Sealed,
}

impl AuditStore {
    /// Brings the records' tables up to date and opens them.
    ///
    /// # Errors
    /// [`StoreError`]: permanent if the tables are newer than this program.
    pub async fn open(database: &Database) -> Result<Self, StoreError> {
        migration::migrate(database, &HISTORY).await?;
        Ok(Self { database: database.clone() })
    }

    /// Adds lines of one chain, in order. Lines that are there already are left alone, so that a call whose outcome is unknown may be
    /// repeated.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn append(&self, chain: &str, begun_at: Timestamp, lines: &[AuditLine]) -> Result<(), StoreError> {
        let Some(last) = lines.last() else { return Ok(()) };
        let mut transaction = self.database.write().await?;
        let mut rest = lines;
        while !rest.is_empty() {
            let statement = INSERTS.iter().find(|insert| insert.rows <= rest.len()).or_else(|| INSERTS.last());
            let Some(statement) = statement else { break };
            let (now, later) = rest.split_at(statement.rows);
            insert(&mut transaction, statement, chain, now).await?;
            rest = later;
        }
        let note = sqlx::query(
            "INSERT INTO broker_audit_chains (chain, begun_at, last_seq) VALUES ($1, $2, $3) ON CONFLICT (chain) DO UPDATE SET last_seq = excluded.last_seq",
        )
        .bind(chain)
        .bind(begun_at.unix_microseconds())
        .bind(number(last.seq)?);
        execute(&mut transaction, note).await?;
        transaction.commit().await
    }

    /// The chains that were begun last, the latest first.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn latest_chains(&self, count: u32) -> Result<Vec<AuditChain>, StoreError> {
        let mut transaction = self.database.read().await?;
        let select = sqlx::query(
            "SELECT chain, begun_at, last_seq FROM broker_audit_chains ORDER BY begun_at DESC, chain LIMIT $1",
        );
        all(&mut transaction, select.bind(i64::from(count)), chain).await
    }

    /// Every chain, the oldest first.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn chains(&self) -> Result<Vec<AuditChain>, StoreError> {
        let mut transaction = self.database.read().await?;
        let select = sqlx::query("SELECT chain, begun_at, last_seq FROM broker_audit_chains ORDER BY begun_at, chain");
        all(&mut transaction, select, chain).await
    }

    /// Chains that have lines and are not on the list of chains: nobody but an intruder leaves such.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn unlisted_chains(&self) -> Result<Vec<String>, StoreError> {
        let mut transaction = self.database.read_all().await?;
        let select = sqlx::query(
            "SELECT DISTINCT chain FROM broker_audit_lines WHERE chain NOT IN (SELECT chain FROM broker_audit_chains) ORDER BY chain",
        );
        all(&mut transaction, select, |row| row.raw("chain")).await
    }

    /// One line.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn line(&self, chain: &str, seq: u64) -> Result<Option<String>, StoreError> {
        let mut transaction = self.database.read().await?;
        let select = sqlx::query("SELECT line FROM broker_audit_lines WHERE chain = $1 AND seq = $2");
        one(&mut transaction, select.bind(chain).bind(number(seq)?), |row| row.raw("line")).await
    }

    /// The next lines of a chain from this number on: few enough to hold, and none if there are no more.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn lines(&self, chain: &str, from: u64) -> Result<Vec<AuditLine>, StoreError> {
        let mut transaction = self.database.read().await?;
        let select = sqlx::query(
            "SELECT seq, line FROM broker_audit_lines WHERE chain = $1 AND seq >= $2 ORDER BY seq LIMIT $3",
        );
        let select = select.bind(chain).bind(number(from)?).bind(PAGE_LINES);
        all(&mut transaction, select, |row| Ok(AuditLine { seq: row.number("seq")?, line: row.raw("line")? })).await
    }

    /// Every key, the oldest first.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn keys(&self) -> Result<Vec<AuditKeyRecord>, StoreError> {
        let mut transaction = self.database.read().await?;
        let select = sqlx::query(
            "SELECT name, made_at, public_jwk, key_encryption_key, envelope FROM broker_audit_keys ORDER BY made_at, name",
        );
        all(&mut transaction, select, key).await
    }

    /// Adds keys whose names are not taken. The others are left out: another replica was faster.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn add_keys(&self, keys: &[AuditKeyRecord]) -> Result<(), StoreError> {
        let mut transaction = self.database.write().await?;
        for key in keys {
            let insert = sqlx::query(
                "INSERT INTO broker_audit_keys (name, made_at, public_jwk, key_encryption_key, envelope) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (name) DO NOTHING",
            )
            .bind(key.name.as_str())
            .bind(key.made_at.unix_microseconds())
            .bind(key.public_jwk.as_deref())
            .bind(key.key.key_encryption_key.as_str())
            .bind(key.key.bytes.as_slice());
            execute(&mut transaction, insert).await?;
        }
        transaction.commit().await
    }

    /// Puts keys sealed anew in the place of what they were sealed as before.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn reseal_keys(&self, keys: &[(String, Sealed)]) -> Result<(), StoreError> {
        let mut transaction = self.database.write().await?;
        for (name, sealed) in keys {
            let update =
                sqlx::query("UPDATE broker_audit_keys SET key_encryption_key = $2, envelope = $3 WHERE name = $1")
                    .bind(name.as_str())
                    .bind(sealed.key_encryption_key.as_str())
                    .bind(sealed.bytes.as_slice());
            execute(&mut transaction, update).await?;
        }
        transaction.commit().await
    }
}

/// A statement for some rows. A few sizes are enough, so that the engine has parsed each of them before.
struct Insert {
    rows: usize,
    sql: String,
}

/// The largest first.
static INSERTS: LazyLock<[Insert; 5]> = LazyLock::new(|| [256, 64, 16, 4, 1].map(Insert::new));

impl Insert {
    fn new(rows: usize) -> Self {
        let mut sql = "INSERT INTO broker_audit_lines (chain, seq, line) VALUES ".to_owned();
        for row in 0..rows {
            let comma = if row == 0 { "" } else { ", " };
            // Writing into a String cannot fail.
            let _ = write!(sql, "{comma}($1, ${}, ${})", 2 * row + 2, 2 * row + 3);
        }
        sql.push_str(" ON CONFLICT (chain, seq) DO NOTHING");
        Self { rows, sql }
    }
}

async fn insert(
    transaction: &mut Transaction,
    statement: &'static Insert,
    chain: &str,
    lines: &[AuditLine],
) -> Result<(), StoreError> {
    let mut insert = sqlx::query(AssertSqlSafe(statement.sql.as_str())).bind(chain);
    for AuditLine { seq, line } in lines {
        insert = insert.bind(number(*seq)?).bind(line.as_str());
    }
    execute(transaction, insert).await.map(drop)
}

fn number(seq: u64) -> Result<i64, StoreError> {
    i64::try_from(seq).map_err(|_| StoreError::permanent("expected the number of a line of fewer than 64 bits"))
}

fn chain(row: &AnyRow) -> Result<AuditChain, StoreError> {
    Ok(AuditChain { chain: row.raw("chain")?, begun_at: row.moment("begun_at")?, last_seq: row.number("last_seq")? })
}

fn key(row: &AnyRow) -> Result<AuditKeyRecord, StoreError> {
    Ok(AuditKeyRecord {
        name: row.raw("name")?,
        made_at: row.moment("made_at")?,
        public_jwk: row.raw("public_jwk")?,
        key: row.sealed()?,
    })
}
