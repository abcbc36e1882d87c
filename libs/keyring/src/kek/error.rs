// SPDX-License-Identifier: Apache-2.0
//! What goes wrong with key-encryption keys and envelopes. No message holds any part of a secret.

use super::{KeyEncryptionKeyId, KeyEncryptionKeySource};

/// A key-encryption key that cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyEncryptionKeyError {
    /// Not the name of a source.
    #[error("expected a source of a key-encryption key: file:<path>, env:<variable> or credential:<name>")]
    Source,
    /// The source cannot be read.
    #[error("cannot read the key-encryption key from {from}: {reason}")]
    Unreadable {
        /// Where it should be.
        from: KeyEncryptionKeySource,
        /// Why, in plain words.
        reason: String,
    },
    /// What was read is no key.
    #[error(
        "expected a key-encryption key in {from}, or several, each as 32 bytes in base64 (openssl rand -base64 32) on a line of its own, after `<id>:` if it has a name"
    )]
    Malformed {
        /// Where it was read.
        from: KeyEncryptionKeySource,
    },
    /// Not an id.
    #[error(
        "expected as the id of a key-encryption key 1 to 64 of the characters a-z, A-Z, 0-9, dot, hyphen and underscore"
    )]
    Id,
    /// Two different keys have the same id.
    #[error("expected different ids of different key-encryption keys, got {0} twice; name them `<id>:<key>`")]
    RepeatedId(KeyEncryptionKeyId),
    /// No source is configured.
    #[error("expected at least one source of a key-encryption key: file:<path>, env:<variable> or credential:<name>")]
    NoSource,
    /// No source has the key that shall be active.
    #[error("expected the active key-encryption key {id} among the configured ones (there are: {known})")]
    NoActive {
        /// The id that shall be active.
        id: KeyEncryptionKeyId,
        /// The ids that there are.
        known: String,
    },
    /// A new key cannot be written.
    #[error("cannot write a new key-encryption key to {path}: {reason}")]
    Write {
        /// The file.
        path: String,
        /// Why, in plain words.
        reason: String,
    },
    /// A file is there already; it is never replaced, since what it protects would be lost.
    #[error("{path} exists already and is not replaced: what its key protects could never be read again")]
    Exists {
        /// The file.
        path: String,
    },
    /// The cryptographic library failed, which it does only when the system gives no randomness or memory.
    #[error("the key-encryption key could not be made")]
    Failed,
}

/// An envelope that cannot be sealed or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// Its key-encryption key is not configured.
    #[error(
        "its key-encryption key {id} is not configured (there are: {known}); add its source to the key-encryption keys"
    )]
    KeyMissing {
        /// The id of the key that it needs.
        id: String,
        /// The ids of those that there are.
        known: String,
    },
    /// The key-encryption key with the right id is another key.
    #[error("it was sealed with another key-encryption key that was also called {id}; configure that one")]
    WrongKey {
        /// The id.
        id: KeyEncryptionKeyId,
    },
    /// Too short, or of an unknown version.
    #[error("expected an envelope of version {version}, got {length} bytes that are none", version = super::envelope::VERSION)]
    Malformed {
        /// How long it is.
        length: usize,
    },
    /// The key is right, the content is not.
    #[error("its envelope is damaged, or was made for something else; restore it from a backup")]
    Damaged,
    /// The cryptographic library failed.
    #[error("the envelope could not be sealed")]
    Failed,
}
