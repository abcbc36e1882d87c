// SPDX-License-Identifier: Apache-2.0
//! The certificate authorities of the node API.

use cress_api::admin::{Authority, List, paths};
use reqwest::Method;

use super::AdminClient;
use crate::ClientError;
use crate::path::fill;

impl AdminClient {
    /// All certificate authorities, oldest first.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn authorities(&self) -> Result<Vec<Authority>, ClientError> {
        self.list(paths::AUTHORITIES).await
    }

    /// Makes another certificate authority, unless one waits to sign already; returns all.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn rotate_authorities(&self) -> Result<Vec<Authority>, ClientError> {
        let list: List<Authority> = self.target.json(self.request(Method::POST, paths::AUTHORITIES_ROTATE)).await?;
        Ok(list.items)
    }

    /// Trusts a certificate authority no more, at once.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn retire_authority(&self, fingerprint: &str) -> Result<(), ClientError> {
        self.ask(Method::DELETE, &fill(paths::AUTHORITY, &[&fingerprint])).await
    }
}
