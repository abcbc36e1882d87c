// SPDX-License-Identifier: Apache-2.0
//! Why control does not start, each in one sentence for the operator.

use std::path::PathBuf;

use cress_keyring::{KeyEncryptionKeyError, KeyRingError};
use cress_service::data_dir::DataDirError;
use cress_service::listen::ListenError;
use cress_service::secret_source::SecretSourceError;
use cress_service::tls::TlsError;
use cress_store::StoreError;

use crate::config::ConfigError;

/// Why control does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The configuration is not right.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data directory cannot be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// A listener cannot be opened.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// A listener does not tell its address.
    #[error("the address of {0} is unknown; choose another with {0}")]
    Address(&'static str),
    /// TLS cannot be set up.
    #[error("tls: {0}")]
    Tls(#[from] TlsError),
    /// The database's password cannot be had.
    #[error("store.password_from: {0}")]
    StorePassword(#[source] SecretSourceError),
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The clock is far off the database's.
    #[error("{0}; control does not start with it")]
    Clock(#[from] crate::clock_trust::ClockOff),
    /// A key-encryption key cannot be had.
    #[error("key_encryption: {0}")]
    KeyEncryption(#[from] KeyEncryptionKeyError),
    /// The key-encryption key that was made at the first start is gone.
    #[error(
        "the key-encryption key {} is missing, without which the private keys in the database cannot be read; put it back, or say where it is with \
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
    /// The key ring cannot be opened.
    #[error(transparent)]
    KeyRing(#[from] KeyRingError),
    /// The issuer cannot be told from the address.
    #[error("issuer: {0}")]
    Issuer(#[from] cress_domain::IssuerError),
    /// Stored container groups would get tokens that clients refuse.
    #[error("{0}")]
    TokensTooLong(String),
    /// What faces nodes cannot be opened.
    #[error("{0}")]
    NodeApi(String),
}

impl From<crate::node_api::NodeSideError> for StartError {
    fn from(error: crate::node_api::NodeSideError) -> Self {
        Self::NodeApi(error.to_string())
    }
}

impl From<crate::admin::TokensTooLong> for StartError {
    fn from(error: crate::admin::TokensTooLong) -> Self {
        Self::TokensTooLong(error.to_string())
    }
}
