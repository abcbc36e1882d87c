// SPDX-License-Identifier: Apache-2.0
//! A set of public keys (RFC 7517 section 5).

use cress_domain::KeyId;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::json::shown;
use crate::{Jwk, JwkError};

/// Longest set that is looked at, in bytes.
pub const JWKS_BYTES_MAX: usize = 256 * 1024;
/// Most keys in a set, unusable ones included.
pub const JWKS_KEYS_MAX: usize = 256;

/// Public keys with different ids, in their published order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct JwkSet {
    keys: Vec<Jwk>,
    #[serde(skip)]
    skipped: Vec<SkippedKey>,
}

/// A key of a parsed set that is left out: foreign sets hold keys for encryption, for other curves, and worse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedKey {
    /// Its position in the set, from 0.
    pub index: usize,
    /// Why.
    pub reason: JwkError,
}

/// A set that is refused as a whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwksError {
    /// More than [`JWKS_BYTES_MAX`].
    #[error("expected a key set of at most {JWKS_BYTES_MAX} bytes, got {0}")]
    TooLong(usize),
    /// More than [`JWKS_KEYS_MAX`].
    #[error("expected at most {JWKS_KEYS_MAX} keys in the set, got {0}")]
    TooManyKeys(usize),
    /// Not a JSON object with a list `keys`.
    #[error("expected a JSON Web Key Set, an object with a list \"keys\"")]
    Malformed,
    /// Two usable keys under one id: which one checks a token would be chance.
    #[error("expected each key id once, got {0:?} more than once")]
    RepeatedKeyId(String),
    /// A key without an id, where a set is put together.
    #[error(transparent)]
    Key(JwkError),
}

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

impl JwkSet {
    /// Puts keys together in this order.
    ///
    /// # Errors
    /// [`JwksError::Key`] if one has no id, [`JwksError::RepeatedKeyId`], [`JwksError::TooManyKeys`].
    pub fn new(keys: Vec<Jwk>) -> Result<Self, JwksError> {
        if keys.len() > JWKS_KEYS_MAX {
            return Err(JwksError::TooManyKeys(keys.len()));
        }
        if keys.iter().any(|key| key.kid().is_none()) {
            return Err(JwksError::Key(JwkError::KeyIdMissing));
        }
        let set = Self { keys, skipped: Vec::new() };
        set.check_key_ids()?;
        Ok(set)
    }

    /// Parses a published set. Keys that cannot be used are left out and listed by [`Self::skipped`], since a set may
    /// hold keys for other purposes; one that has no usable key is not an error either.
    ///
    /// # Errors
    /// [`JwksError`] if the set as a whole is malformed, beyond its limits, or ambiguous.
    pub fn parse(bytes: &[u8]) -> Result<Self, JwksError> {
        if bytes.len() > JWKS_BYTES_MAX {
            return Err(JwksError::TooLong(bytes.len()));
        }
        let document: Document<'_> = serde_json::from_slice(bytes).map_err(|_| JwksError::Malformed)?;
        if document.keys.len() > JWKS_KEYS_MAX {
            return Err(JwksError::TooManyKeys(document.keys.len()));
        }
        let mut set = Self::default();
        for (index, key) in document.keys.into_iter().enumerate() {
            match parse_member(key) {
                Ok(key) => set.keys.push(key),
                Err(reason) => set.skipped.push(SkippedKey { index, reason }),
            }
        }
        set.check_key_ids()?;
        Ok(set)
    }

    /// The set as it is published: `{"keys":[...]}`, the same bytes for the same keys.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Only texts are written, so this cannot fail; an empty set would be the safe answer if it did.
        serde_json::to_string(self).unwrap_or_else(|_| r#"{"keys":[]}"#.to_owned())
    }

    /// The usable keys.
    #[must_use]
    pub fn keys(&self) -> &[Jwk] {
        &self.keys
    }

    /// The key with this id.
    #[must_use]
    pub fn get(&self, kid: &str) -> Option<&Jwk> {
        self.keys.iter().find(|key| key.kid().is_some_and(|own| own.as_str() == kid))
    }

    /// What [`Self::parse`] left out, and why.
    #[must_use]
    pub fn skipped(&self) -> &[SkippedKey] {
        &self.skipped
    }

    fn check_key_ids(&self) -> Result<(), JwksError> {
        let mut kids: Vec<&KeyId> = self.keys.iter().filter_map(Jwk::kid).collect();
        kids.sort_unstable();
        let repeated = kids.windows(2).find_map(|pair| match pair {
            [first, second] if first == second => Some(shown(first.as_str())),
            _ => None,
        });
        repeated.map_or(Ok(()), |kid| Err(JwksError::RepeatedKeyId(kid)))
    }
}

fn parse_member(key: &RawValue) -> Result<Jwk, JwkError> {
    let key = Jwk::parse(key.get().as_bytes())?;
    if key.kid().is_none() { Err(JwkError::KeyIdMissing) } else { Ok(key) }
}
