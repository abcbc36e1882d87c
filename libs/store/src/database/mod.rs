// SPDX-License-Identifier: Apache-2.0
//! A database and its connections.

use crate::StoreError;
use crate::database_url::DatabaseUrl;

/// An open database. Cheap to clone; all clones share its connections.
#[derive(Debug, Clone)]
pub struct Database {}

impl Database {
    /// Opens the database, and makes its file (mode 0600) if it is not there. Its directory must exist.
    ///
    /// # Errors
    /// [`StoreError`]: temporary if it is locked or its disk is full, permanent if it cannot be read or written or is damaged.
    pub async fn open(url: &DatabaseUrl) -> Result<Self, StoreError> {
        let _ = url.location();
        todo!()
    }

    /// Waits for running calls and closes every connection; for a tidy end of the process.
    pub async fn close(&self) {}
}
