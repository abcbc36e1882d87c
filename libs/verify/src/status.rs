// SPDX-License-Identifier: Apache-2.0
//! How it stands with the keys, for readiness checks, metrics and people.

use std::time::Duration;

use cress_domain::{Issuer, KeyId};

use crate::FetchError;
use crate::issuer_keys::IssuerKeys;

/// How it stands with the keys of an issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SourceStatus {
    /// Whose keys.
    pub issuer: Issuer,
    /// Their ids, sorted; nothing before they were read for the first time.
    pub key_ids: Option<Vec<KeyId>>,
    /// How long ago the source confirmed them; zero for keys that never change.
    pub age: Duration,
    /// Whether they are so old that every token is refused.
    pub too_old: bool,
    /// Why the last attempt to read them failed, if it did.
    pub last_error: Option<FetchError>,
}

impl SourceStatus {
    pub(crate) fn of(keys: &IssuerKeys, monotonic: Duration) -> Self {
        let key_ids = keys.loaded().map(|loaded| {
            let mut key_ids: Vec<KeyId> = loaded.keys.kids().cloned().collect();
            key_ids.sort_unstable();
            key_ids
        });
        Self {
            issuer: keys.issuer().clone(),
            age: if key_ids.is_some() { keys.age(monotonic) } else { Duration::ZERO },
            too_old: key_ids.is_some() && keys.too_old(monotonic).is_some(),
            last_error: keys.last_error(),
            key_ids,
        }
    }
}
