// SPDX-License-Identifier: Apache-2.0
//! Join tokens, as operators see them.

use cress_domain::{JoinTokenId, Timestamp};

use super::{ControlStore, JoinTokenRecord, NewJoinToken, columns};
use crate::StoreError;
use crate::query::{all, execute, execute_or};

/// Selects join token records; what follows narrows or orders them.
macro_rules! select_join_tokens {
    ($rest:literal) => {
        concat!(
            "SELECT id, expires_at, capacity_max, organizations, machine_id, key_fingerprint, revoked_at FROM control_join_tokens ",
            $rest
        )
    };
}
pub(super) use select_join_tokens;

impl ControlStore {
    /// Creates a join token.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if its id or hash is taken.
    pub async fn create_join_token(&self, token: &NewJoinToken) -> Result<(), StoreError> {
        let mut transaction = self.database.write().await?;
        let insert = sqlx::query(
            "INSERT INTO control_join_tokens (id, secret_hash, expires_at, capacity_max, organizations) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(token.id.to_string())
        .bind(token.secret_hash.to_string())
        .bind(token.expires_at.unix_microseconds())
        .bind(token.capacity_max.map(i64::from))
        .bind(columns::organizations_text(token.organizations.as_ref()));
        execute_or(&mut transaction, insert, |_| StoreError::conflict("join token with this id or secret")).await?;
        transaction.commit().await
    }

    /// Every join token that is not yet pruned, by expiry.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn join_tokens(&self) -> Result<Vec<JoinTokenRecord>, StoreError> {
        let mut transaction = self.database.read().await?;
        all(&mut transaction, sqlx::query(select_join_tokens!("ORDER BY expires_at, id")), columns::join_token).await
    }

    /// Revokes a join token: it enrols no node any more, nor answers again the one that it enrolled, which stays a member.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if it is not there.
    pub async fn revoke_join_token(&self, id: JoinTokenId, now: Timestamp) -> Result<(), StoreError> {
        let mut transaction = self.database.write().await?;
        let update = sqlx::query("UPDATE control_join_tokens SET revoked_at = COALESCE(revoked_at, $1) WHERE id = $2")
            .bind(now.unix_microseconds())
            .bind(id.to_string());
        if execute(&mut transaction, update).await? == 0 {
            return Err(StoreError::not_found(format!("join token {id}")));
        }
        transaction.commit().await
    }
}
