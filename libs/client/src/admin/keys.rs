// SPDX-License-Identifier: Apache-2.0
//! Signing keys.

use cress_api::admin::{
    KeyEncryptionKeyUse, RevokeKey, RotateKeyEncryptionKeys, RotatedKeyEncryptionKeys, SigningKey, paths,
};
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

    /// Revokes a key at once: what it signed is no good from then on.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn revoke_key(&self, kid: &KeyId) -> Result<(), ClientError> {
        let request = self.request(Method::POST, paths::KEYS_REVOKE).json(&RevokeKey { kid: kid.clone() });
        self.target.send(request).await.map(drop)
    }

    /// The key-encryption keys.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn key_encryption_keys(&self) -> Result<Vec<KeyEncryptionKeyUse>, ClientError> {
        self.list(paths::KEY_ENCRYPTION_KEYS).await
    }

    /// Has the sources of key-encryption keys read anew.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn reload_key_encryption_keys(&self) -> Result<(), ClientError> {
        self.ask(Method::POST, paths::KEY_ENCRYPTION_KEYS_RELOAD).await
    }

    /// Has every private key sealed anew with the active key-encryption key.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn rotate_key_encryption_keys(
        &self,
        request: RotateKeyEncryptionKeys,
    ) -> Result<RotatedKeyEncryptionKeys, ClientError> {
        self.send(Method::POST, paths::KEY_ENCRYPTION_KEYS_ROTATE, &request).await
    }
}
