// SPDX-License-Identifier: Apache-2.0
//! Tokens and secrets as records have them: HMAC-SHA-256 under a key of this deployment, which rests sealed in the store. So whoever
//! finds a leaked password can ask which lease it was given out with, and whoever reads the records learns nothing.

use std::fmt;

use aws_lc_rs::hmac;
use cress_domain::{Hex, Secret};
use serde::{Serialize, Serializer};

/// A token or secret, as a record has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyedHash([u8; 32]);

/// What is hashed. The same bytes have another hash as another kind, so that none can be tried as the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hashed {
    /// A workload's token.
    Token,
    /// A secret that was given out.
    Secret,
}

/// The key that the hashes of one deployment are made with.
#[derive(Clone)]
pub struct HashKey(hmac::Key);

/// How many bytes such a key has.
pub(super) const HASH_KEY_BYTES: usize = 32;

impl KeyedHash {
    /// The hash of these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl HashKey {
    /// The key of these bytes.
    #[must_use]
    pub fn new(bytes: &Secret<Vec<u8>>) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes.expose()))
    }

    /// The keyed hash of a token or secret.
    #[must_use]
    pub fn hash(&self, kind: Hashed, secret: &[u8]) -> KeyedHash {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(kind.prefix());
        context.update(secret);
        let tag = context.sign();
        // HMAC-SHA-256 has 32 bytes.
        KeyedHash(tag.as_ref().try_into().unwrap_or_default())
    }
}

impl Hashed {
    const fn prefix(self) -> &'static [u8] {
        match self {
            Self::Token => b"cress audit token\0",
            Self::Secret => b"cress audit secret\0",
        }
    }
}

impl fmt::Display for KeyedHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex(&self.0).fmt(formatter)
    }
}

impl Serialize for KeyedHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Debug for HashKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("HashKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_tells_keys_kinds_and_contents_apart() {
        let key = |byte: u8| HashKey::new(&Secret::new(vec![byte; HASH_KEY_BYTES]));
        let hash = key(1).hash(Hashed::Token, b"a.b.c");
        assert_eq!(hash, key(1).hash(Hashed::Token, b"a.b.c"));
        for other in [
            key(2).hash(Hashed::Token, b"a.b.c"),
            key(1).hash(Hashed::Secret, b"a.b.c"),
            key(1).hash(Hashed::Token, b"a.b.d"),
        ] {
            assert_ne!(hash, other);
        }
        assert_eq!(hash.to_string().len(), 64);
    }
}
