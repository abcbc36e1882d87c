// SPDX-License-Identifier: Apache-2.0
//! Signing keys.

use cress_api::admin::{RevokeKey, SigningKey, paths};
use cress_domain::KeyId;
use reqwest::Method;

use super::AdminClient;
use crate::ClientError;

impl AdminClient {
    /// All signing keys.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn keys(&self) -> Result<Vec<SigningKey>, ClientError> {
        self.list(paths::KEYS).await
    }

    /// Switches to the next key now, if it has been public for long enough.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn rotate_keys(&self) -> Result<(), ClientError> {
        self.ask(Method::POST, paths::KEYS_ROTATE).await
    }

    /// Wraps every private key anew with the active key-encryption key.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn rewrap_keys(&self) -> Result<(), ClientError> {
        self.ask(Method::POST, paths::KEYS_REWRAP).await
    }

    /// Revokes a key at once: what it signed is no good from then on.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn revoke_key(&self, kid: &KeyId) -> Result<(), ClientError> {
        let request = self.request(Method::POST, paths::KEYS_REVOKE).json(&RevokeKey { kid: kid.clone() });
        self.target.send(request).await.map(drop)
    }
}
