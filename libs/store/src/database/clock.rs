// SPDX-License-Identifier: Apache-2.0
//! The database server's clock: the one that all replicas have in common. Times that replicas compare with each other's are taken from
//! it, so that a replica whose own clock is wrong misleads nobody.

use cress_domain::Timestamp;

use super::{Database, Transaction};
use crate::StoreError;
use crate::query::the_only;
use crate::row::Columns;

impl Database {
    /// What the server's clock shows; none for a file, which only one machine uses.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn clock(&self) -> Result<Option<Timestamp>, StoreError> {
        match self.catalog().clock {
            None => Ok(None),
            Some(_) => self.time(&mut self.read().await?, Timestamp::default()).await.map(Some),
        }
    }

    /// The same within a transaction; `own` where there is no server.
    pub(crate) async fn time(&self, transaction: &mut Transaction, own: Timestamp) -> Result<Timestamp, StoreError> {
        let Some(select) = self.catalog().clock else { return Ok(own) };
        the_only(transaction, sqlx::query(select), |row| row.moment("now")).await
    }
}
