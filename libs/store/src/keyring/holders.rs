// SPDX-License-Identifier: Apache-2.0
//! Which replicas run and which key-encryption keys each of them has, so that nothing is sealed under a key that one of them lacks.
//! And under which key-encryption keys private keys of rings are sealed.

use std::time::Duration;

use cress_domain::Timestamp;

use super::KeyRingStore;
use crate::StoreError;
use crate::query::{all, execute};
use crate::row::Columns;

/// For how long a replica counts as running after it was last heard of: much longer than it keeps silent.
pub const HOLDER_SILENCE_MAX: Duration = Duration::from_secs(360);

/// A running replica, as it last told of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyEncryptionKeyHolder {
    /// Which replica: a name that it gave itself when it started.
    pub replica: String,
    /// What tells each of its key-encryption keys from every other, the one that it seals with first.
    pub key_encryption_keys: Vec<String>,
    /// When it told so: by the database server's clock, which all replicas have in common, and by its own where there is no server.
    pub seen_at: Timestamp,
}

impl KeyRingStore {
    /// Notes what a replica has, and forgets replicas that were not seen for `silence_max`. The holder's own time counts only where the
    /// database has no clock.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn note_holder(&self, holder: &KeyEncryptionKeyHolder, silence_max: Duration) -> Result<(), StoreError> {
        let mut transaction = self.database.write().await?;
        let now = self.database.time(&mut transaction, holder.seen_at).await?;
        let insert = sqlx::query(
            "INSERT INTO keyring_holders (replica, key_encryption_keys, seen_at) VALUES ($1, $2, $3) ON CONFLICT (replica) DO UPDATE SET key_encryption_keys = excluded.key_encryption_keys, seen_at = excluded.seen_at",
        )
        .bind(holder.replica.as_str())
        .bind(holder.key_encryption_keys.join("\n"))
        .bind(now.unix_microseconds());
        execute(&mut transaction, insert).await?;
        let forget =
            sqlx::query("DELETE FROM keyring_holders WHERE seen_at < $1").bind((now - silence_max).unix_microseconds());
        execute(&mut transaction, forget).await?;
        transaction.commit().await
    }

    /// Forgets a replica that stops.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn forget_holder(&self, replica: &str) -> Result<(), StoreError> {
        let mut transaction = self.database.write().await?;
        let forget = sqlx::query("DELETE FROM keyring_holders WHERE replica = $1").bind(replica);
        execute(&mut transaction, forget).await?;
        transaction.commit().await
    }

    /// Every replica that was seen within `silence_max`. `now` counts only where the database has no clock.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn holders(
        &self,
        now: Timestamp,
        silence_max: Duration,
    ) -> Result<Vec<KeyEncryptionKeyHolder>, StoreError> {
        let mut transaction = self.database.read().await?;
        let oldest = self.database.time(&mut transaction, now).await? - silence_max;
        let select = sqlx::query(
            "SELECT replica, key_encryption_keys, seen_at FROM keyring_holders WHERE seen_at >= $1 ORDER BY replica",
        );
        all(&mut transaction, select.bind(oldest.unix_microseconds()), |row| {
            let keys: &str = row.raw("key_encryption_keys")?;
            Ok(KeyEncryptionKeyHolder {
                replica: row.raw("replica")?,
                key_encryption_keys: keys.lines().map(str::to_owned).collect(),
                seen_at: row.moment("seen_at")?,
            })
        })
        .await
    }

    /// The ids of the key-encryption keys that private keys of any ring are sealed under, each with how many they are.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn sealed_under(&self) -> Result<Vec<(String, u64)>, StoreError> {
        let mut transaction = self.database.read().await?;
        let select = sqlx::query(
            "SELECT key_encryption_key, COUNT(*) AS sealed FROM keyring_keys GROUP BY key_encryption_key ORDER BY key_encryption_key",
        );
        all(&mut transaction, select, |row| Ok((row.raw("key_encryption_key")?, row.number("sealed")?))).await
    }
}
