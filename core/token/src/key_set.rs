// SPDX-License-Identifier: Apache-2.0
//! The keys of one issuer, ready to check signatures.

use std::collections::HashMap;

use cress_domain::KeyId;
use cress_jose::{JwkSet, VerificationKey};

/// Keys by their id, each parsed once.
#[derive(Debug, Clone, Default)]
pub struct KeySet {
    keys: HashMap<KeyId, VerificationKey>,
}

impl KeySet {
    /// The keys of a published set. An RSA key that does not say its algorithm is taken for RS256.
    #[must_use]
    pub fn new(set: &JwkSet) -> Self {
        let ready = |key: &cress_jose::Jwk| Some((key.kid()?.clone(), key.verification_key().ok()?));
        Self { keys: set.keys().iter().filter_map(ready).collect() }
    }

    /// The key with this id. The id comes from an unverified header: it is compared and nothing else.
    #[must_use]
    pub fn get(&self, kid: &str) -> Option<&VerificationKey> {
        self.keys.get(kid)
    }

    /// Drops a key that was revoked; whether it was there.
    pub fn remove(&mut self, kid: &KeyId) -> bool {
        self.keys.remove(kid).is_some()
    }

    /// The ids of all keys, in no order.
    pub fn kids(&self) -> impl Iterator<Item = &KeyId> {
        self.keys.keys()
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether no token can be checked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}
