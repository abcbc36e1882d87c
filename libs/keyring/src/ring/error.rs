// SPDX-License-Identifier: Apache-2.0
//! What goes wrong with a ring.

use cress_domain::KeyId;
use cress_jose::{JwksError, SigningKeyError};
use cress_store::{StoreError, StoreErrorKind};

use crate::schedule::TooEarly;
use crate::{EnvelopeError, SettingsError};

/// A ring that cannot be read, changed or shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyRingError {
    /// The settings do not fit together.
    #[error("the key ring's settings: {0}")]
    Settings(#[from] SettingsError),
    /// The store failed.
    #[error("the key ring's store: {0}")]
    Store(#[from] StoreError),
    /// Others changed the ring again and again meanwhile.
    #[error("the key ring was changed by others each time that it was to be changed; try again")]
    Contended,
    /// A private key cannot be sealed or opened. While a published key cannot be, no replica starts. Who has lost the key-encryption
    /// key, or has a damaged row and no backup, sets the row's `revoked_at` in the database: the next start replaces the key.
    #[error("the private key of {kid}: {cause}")]
    Envelope {
        /// Whose.
        kid: KeyId,
        /// Why.
        cause: EnvelopeError,
    },
    /// A private key cannot be made or read.
    #[error("the key pair of {kid}: {cause}")]
    KeyPair {
        /// Whose.
        kid: KeyId,
        /// Why.
        cause: SigningKeyError,
    },
    /// What the store holds as public half is not that of the private half.
    #[error(
        "the stored public key of {kid} is not that of its private key: the database was changed by someone else; restore it from a backup, or revoke the key"
    )]
    PublicKeyMismatch {
        /// Whose.
        kid: KeyId,
    },
    /// The keys make no set.
    #[error("the published keys: {0}")]
    KeySet(#[from] JwksError),
    /// The next key cannot sign yet.
    #[error(transparent)]
    TooEarly(#[from] TooEarly),
    /// There is no such key.
    #[error("there is no key {0} in the ring")]
    UnknownKey(KeyId),
}

impl KeyRingError {
    /// Whether the same may succeed later without anyone's doing.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Store(error) => error.kind() == StoreErrorKind::Temporary,
            Self::Contended => true,
            _ => false,
        }
    }
}
