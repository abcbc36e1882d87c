// SPDX-License-Identifier: Apache-2.0
//! Join tokens, and how a node becomes a member with one.

use cress_domain::{JoinTokenId, Timestamp};

use super::{ControlStore, JoinOutcome, JoinRequest, JoinTokenRecord, NewJoinToken};
use crate::StoreError;

impl ControlStore {
    /// Creates a join token.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if its id or hash is taken.
    pub async fn create_join_token(&self, _token: &NewJoinToken) -> Result<(), StoreError> {
        todo!()
    }

    /// Every join token that is not yet pruned, by expiry.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn join_tokens(&self) -> Result<Vec<JoinTokenRecord>, StoreError> {
        todo!()
    }

    /// Revokes a join token: it enrols no node any more, nor answers again the one that it enrolled, which stays a member.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if it is not there.
    pub async fn revoke_join_token(&self, _id: JoinTokenId, _now: Timestamp) -> Result<(), StoreError> {
        todo!()
    }

    /// Makes a node a member: checks the join token, marks it used by this key, and inserts the node, all or nothing. The same
    /// key may repeat it (the answer got lost) and gets the same machine id; another key is refused.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails; a refusal is no error.
    pub async fn join_node(&self, _request: &JoinRequest, _now: Timestamp) -> Result<JoinOutcome, StoreError> {
        todo!()
    }
}
