// SPDX-License-Identifier: Apache-2.0
//! A secret as it rests in the database.

use std::fmt;

/// A private key under envelope encryption. The store never opens it.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The id of the key-encryption key that opens it.
    pub key_encryption_key: String,
    /// The envelope: nonce, ciphertext and tag, in whatever form its maker chose.
    pub bytes: Vec<u8>,
}

/// Ciphertext is of no use in a log.
impl fmt::Debug for Sealed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Sealed({} bytes under {:?})", self.bytes.len(), self.key_encryption_key)
    }
}
