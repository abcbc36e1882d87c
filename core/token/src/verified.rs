// SPDX-License-Identifier: Apache-2.0
//! The proof that a check took place.

use std::ops::Deref;

use cress_domain::KeyId;

/// Something from a token whose signature, times, issuer, audience and claim rules have been checked.
/// Only this crate's check makes one; at which moment it was checked is up to the caller to remember.
///
/// ```compile_fail,E0624
/// let forged = cress_token::Verified::new("claims that no one signed", "kid".parse().unwrap());
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Verified<C> {
    checked: C,
    kid: KeyId,
}

impl<C> Verified<C> {
    pub(crate) const fn new(checked: C, kid: KeyId) -> Self {
        Self { checked, kid }
    }

    /// The key that signed: when it is revoked, so is this.
    #[must_use]
    pub const fn kid(&self) -> &KeyId {
        &self.kid
    }
}

impl<C> Deref for Verified<C> {
    type Target = C;
    fn deref(&self) -> &C {
        &self.checked
    }
}
