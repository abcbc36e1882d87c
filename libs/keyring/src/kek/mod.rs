// SPDX-License-Identifier: Apache-2.0
//! Key-encryption keys and the envelopes that they seal: AES-256-GCM, bound to what the content is for.
//!
//! A key-encryption key is what makes a stolen database or backup worthless, so it never goes where they go: it comes from a file
//! outside the data directory, from the environment, or from a systemd credential. Nothing here logs, displays or serializes
//! one, and no error tells anything about a secret but its name.

mod envelope;
mod error;
mod file;
mod key;
mod keys;
mod source;

#[cfg(test)]
mod tests;

pub use envelope::Purpose;
pub use error::{EnvelopeError, KeyEncryptionKeyError};
pub use file::{generate_file, with_first_key_alone, with_new_key};
pub use key::{KeyEncryptionKey, KeyEncryptionKeyId};
pub use keys::KeyEncryptionKeys;
pub use source::KeyEncryptionKeySource;
