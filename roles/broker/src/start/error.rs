// SPDX-License-Identifier: Apache-2.0
//! Why the broker does not start, each in one sentence for the operator.

use std::path::PathBuf;

use cress_keyring::KeyEncryptionKeyError;
use cress_service::data_dir::DataDirError;
use cress_service::listen::ListenError;
use cress_service::secret_source::SecretSourceError;
use cress_service::tls::TlsError;
use cress_store::StoreError;
use cress_verify::SettingsError;

use crate::audit::AuditStartError;
use crate::config::ConfigError;
use crate::signer::SignerError;

/// Why the broker does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The configuration cannot work.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data directory cannot be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The issuers cannot.
    #[error("issuers: {0}")]
    Issuers(#[from] SettingsError),
    /// A listener cannot be opened.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The certificate cannot be used.
    #[error("tls: {0}")]
    Tls(#[from] TlsError),
    /// The database's password cannot be had.
    #[error("store.password_from: {0}")]
    StorePassword(#[source] SecretSourceError),
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key-encryption key cannot be had.
    #[error("key_encryption: {0}")]
    KeyEncryption(#[from] KeyEncryptionKeyError),
    /// The key-encryption key that was made at the first start is gone.
    #[error(
        "the key-encryption key {} is missing, without which the secrets in the database cannot be read; put it back, or say where it is with \
         key_encryption.keys",
        path.display()
    )]
    KeyEncryptionKeyGone {
        /// Where it was.
        path: PathBuf,
    },
    /// None configured, and none may be made.
    #[error(
        "key_encryption.keys: is missing; with PostgreSQL no key is made, since every replica needs the same one and no backup of the database \
         may hold it: make one with `openssl rand -base64 32`, keep it in a file or a secret store, and name it as file:<path>, env:<variable> \
         or credential:<name>"
    )]
    KeyEncryptionKeyMissing,
    /// A data directory that nothing can lie beside.
    #[error("data_dir: expected a directory with a name, beside which the key-encryption key can lie, got {}", path.display())]
    DataDirWithoutName {
        /// The directory.
        path: PathBuf,
    },
    /// The broker's own keys cannot be had.
    #[error("signing keys: {0}")]
    Signer(#[from] SignerError),
    /// No records can be written.
    #[error(transparent)]
    Audit(#[from] AuditStartError),
}
