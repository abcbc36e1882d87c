// SPDX-License-Identifier: Apache-2.0
//! What a key ring keeps: its keys' facts, their public halves, and their private halves under envelope encryption.
//!
//! A ring is read and written whole, with compare-and-swap on its version, so that a rotation happens exactly once however many
//! replicas try. This module never knows which key signs: that is the key ring's schedule.

use std::fmt;

use cress_domain::{KeyId, Timestamp};

use crate::{Database, Sealed, StoreError};

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
        Ok(Self { database: database.clone() })
    }

    /// The version of a ring: the cheapest way to see whether it has changed.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn version(&self, _ring: RingName) -> Result<RingVersion, StoreError> {
        todo!()
    }

    /// The whole ring, consistent at one version. A ring that was never written is empty.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn load(&self, _ring: RingName) -> Result<RingRecord, StoreError> {
        todo!()
    }

    /// Replaces the ring's keys by these, if it still has the version expected.
    ///
    /// # Errors
    /// [`StoreError::Outdated`] if someone else was faster: load it again and look whether anything is left to do.
    /// [`StoreError::Conflict`] if two keys have the same id.
    pub async fn replace(
        &self,
        _ring: RingName,
        _expected: RingVersion,
        _keys: &[KeyRecord],
    ) -> Result<RingVersion, StoreError> {
        todo!()
    }
}
