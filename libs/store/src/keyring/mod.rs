// SPDX-License-Identifier: Apache-2.0
//! What a key ring keeps: its keys' facts, their public halves, and their private halves under envelope encryption.
//!
//! A ring is read and written whole, with compare-and-swap on its version, so that a rotation happens exactly once however many
//! replicas try. This module never knows which key signs: that is the key ring's schedule.

mod holders;

use std::fmt;

use cress_domain::{KeyId, Timestamp};
use sqlx::any::AnyRow;

use crate::database::Transaction;
use crate::migration::{self, History, Presence};
use crate::query::{all, execute, execute_or, one};
use crate::row::Columns;
use crate::{Database, Sealed, StoreError};

pub use holders::{HOLDER_SILENCE_MAX, KeyEncryptionKeyHolder};

pub(crate) const HISTORY: History = History {
    module: "keyring",
    scripts: &[
        include_str!("../../migrations/keyring/0001_rings.sql"),
        include_str!("../../migrations/keyring/0010_key_encryption_key_holders.sql"),
    ],
    presence: Presence::Always,
};

/// The name of a ring, such as `workload`. Fixed by the program, never by its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RingName(&'static str);

impl RingName {
    /// The ring of this name.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// The name as text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for RingName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

/// Counts the changes of one ring. A ring that was never written has version 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct RingVersion(i64);

/// A ring at one version.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RingRecord {
    /// Its version.
    pub version: RingVersion,
    /// Its keys, oldest first (by creation, then by id).
    pub keys: Vec<KeyRecord>,
}

/// One key pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// Its id, unique in its ring.
    pub kid: KeyId,
    /// When it was made and published.
    pub created_at: Timestamp,
    /// From when it may sign.
    pub signs_from: Timestamp,
    /// Until when it may sign.
    pub signs_until: Timestamp,
    /// When it leaves the published set.
    pub published_until: Timestamp,
    /// When it was revoked in an emergency.
    pub revoked_at: Option<Timestamp>,
    /// Its public half, a JWK in JSON.
    pub public_jwk: String,
    /// Its private half, under envelope encryption.
    pub private_key: Sealed,
}

/// The key rings' repository. Cheap to clone; all clones share the database's connections.
#[derive(Debug, Clone)]
pub struct KeyRingStore {
    database: Database,
}

impl KeyRingStore {
    /// Brings the key rings' tables up to date and opens them.
    ///
    /// # Errors
    /// [`StoreError`]: permanent if the tables are newer than this program.
    pub async fn open(database: &Database) -> Result<Self, StoreError> {
        migration::migrate(database, &HISTORY).await?;
        Ok(Self { database: database.clone() })
    }

    /// As it is, for looking at it alone.
    pub(crate) fn to_read(database: &Database) -> Self {
        Self { database: database.clone() }
    }

    /// The version of a ring: the cheapest way to see whether it has changed.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn version(&self, ring: RingName) -> Result<RingVersion, StoreError> {
        current(&mut self.database.read().await?, ring).await
    }

    /// The whole ring, consistent at one version. A ring that was never written is empty.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn load(&self, ring: RingName) -> Result<RingRecord, StoreError> {
        let mut transaction = self.database.read().await?;
        let version = current(&mut transaction, ring).await?;
        // Columns by name: a statement prepared before another replica adds a column must stay good.
        let select = sqlx::query(
            "SELECT kid, created_at, signs_from, signs_until, published_until, revoked_at, public_jwk, key_encryption_key, envelope FROM keyring_keys WHERE ring = $1 ORDER BY created_at, kid",
        );
        let keys = all(&mut transaction, select.bind(ring.as_str()), key).await?;
        Ok(RingRecord { version, keys })
    }

    /// Replaces the ring's keys by these, if it still has the version expected.
    ///
    /// # Errors
    /// [`StoreError::Outdated`] if someone else was faster: load it again and look whether anything is left to do.
    /// [`StoreError::Conflict`] if two keys have the same id.
    pub async fn replace(
        &self,
        ring: RingName,
        expected: RingVersion,
        keys: &[KeyRecord],
    ) -> Result<RingVersion, StoreError> {
        let mut transaction = self.database.write().await?;
        let version = next_after(&mut transaction, ring, expected).await?;
        let delete = sqlx::query("DELETE FROM keyring_keys WHERE ring = $1").bind(ring.as_str());
        execute(&mut transaction, delete).await?;
        for key in keys {
            insert(&mut transaction, ring, key).await?;
        }
        transaction.commit().await?;
        Ok(version)
    }
}

async fn current(transaction: &mut Transaction, ring: RingName) -> Result<RingVersion, StoreError> {
    let select = sqlx::query("SELECT version FROM keyring_rings WHERE name = $1").bind(ring.as_str());
    let version = one(transaction, select, |row| row.raw("version")).await?;
    Ok(version.map_or_else(RingVersion::default, RingVersion))
}

/// Takes the next version, if nobody has taken another since `expected`.
async fn next_after(
    transaction: &mut Transaction,
    ring: RingName,
    expected: RingVersion,
) -> Result<RingVersion, StoreError> {
    let create = sqlx::query("INSERT INTO keyring_rings (name, version) VALUES ($1, 0) ON CONFLICT (name) DO NOTHING");
    execute(transaction, create.bind(ring.as_str())).await?;
    let update = sqlx::query("UPDATE keyring_rings SET version = version + 1 WHERE name = $1 AND version = $2");
    match execute(transaction, update.bind(ring.as_str()).bind(expected.0)).await? {
        0 => Err(StoreError::Outdated { what: "key ring" }),
        _ => Ok(RingVersion(expected.0 + 1)),
    }
}

async fn insert(transaction: &mut Transaction, ring: RingName, key: &KeyRecord) -> Result<(), StoreError> {
    let insert = sqlx::query(
        "INSERT INTO keyring_keys (ring, kid, created_at, signs_from, signs_until, published_until, revoked_at, public_jwk, key_encryption_key, envelope) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(ring.as_str())
    .bind(key.kid.as_str())
    .bind(key.created_at.unix_microseconds())
    .bind(key.signs_from.unix_microseconds())
    .bind(key.signs_until.unix_microseconds())
    .bind(key.published_until.unix_microseconds())
    .bind(key.revoked_at.map(Timestamp::unix_microseconds))
    .bind(key.public_jwk.as_str())
    .bind(key.private_key.key_encryption_key.as_str())
    .bind(key.private_key.bytes.as_slice());
    let taken = |_| StoreError::conflict(format!("key {} in the ring {ring}", key.kid));
    execute_or(transaction, insert, taken).await.map(drop)
}

fn key(row: &AnyRow) -> Result<KeyRecord, StoreError> {
    Ok(KeyRecord {
        kid: row.parsed("kid")?,
        created_at: row.moment("created_at")?,
        signs_from: row.moment("signs_from")?,
        signs_until: row.moment("signs_until")?,
        published_until: row.moment("published_until")?,
        revoked_at: row.moment_or_null("revoked_at")?,
        public_jwk: row.raw("public_jwk")?,
        private_key: row.sealed()?,
    })
}
