// SPDX-License-Identifier: Apache-2.0
//! How accounts that the broker makes elsewhere are called. The name follows from the lease, so it is known before the account exists,
//! and says whose it is, so nobody else's is ever touched.

use std::fmt;
use std::str::FromStr;

use crate::{Hex, LeaseId, Random, parse_hex};

/// Which broker made an account: drawn once for each store, 12 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeploymentId([u8; DEPLOYMENT_BYTES]);

/// The name of an account: `cress_<deployment>_<lease>`, 51 characters of `[a-z0-9_]`, which every target accepts and none has to
/// quote. PostgreSQL allows 63 bytes (NAMEDATALEN).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountName {
    deployment: DeploymentId,
    lease: LeaseId,
}

/// A text that is no name of an account, or no id of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {0}")]
pub struct AccountNameError(&'static str);

const DEPLOYMENT_BYTES: usize = 6;
const PREFIX: &str = "cress_";

impl DeploymentId {
    /// Draws one, for a new store.
    pub fn generate(random: &dyn Random) -> Self {
        let mut bytes = [0; DEPLOYMENT_BYTES];
        random.fill(&mut bytes);
        Self(bytes)
    }

    /// What the names of all its accounts begin with, and no other account's does.
    #[must_use]
    pub fn account_prefix(self) -> String {
        format!("{PREFIX}{self}_")
    }
}

impl AccountName {
    /// The account of this lease.
    #[must_use]
    pub const fn of(deployment: DeploymentId, lease: LeaseId) -> Self {
        Self { deployment, lease }
    }

    /// Which broker made it.
    #[must_use]
    pub const fn deployment(&self) -> DeploymentId {
        self.deployment
    }

    /// For which lease.
    #[must_use]
    pub const fn lease(&self) -> LeaseId {
        self.lease
    }
}

impl fmt::Display for DeploymentId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex(&self.0).fmt(formatter)
    }
}

impl FromStr for DeploymentId {
    type Err = AccountNameError;
    fn from_str(text: &str) -> Result<Self, AccountNameError> {
        parse_hex(text).map(Self).ok_or(AccountNameError("12 lower-case hexadecimal digits as the id of a deployment"))
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{PREFIX}{}_{}", self.deployment, Hex(self.lease.as_bytes()))
    }
}

impl FromStr for AccountName {
    type Err = AccountNameError;
    fn from_str(text: &str) -> Result<Self, AccountNameError> {
        let parts = text.strip_prefix(PREFIX).and_then(|rest| rest.split_once('_'));
        let (deployment, lease) = parts.ok_or(AccountNameError("a name such as cress_<deployment>_<lease>"))?;
        let lease =
            parse_hex(lease).ok_or(AccountNameError("32 lower-case hexadecimal digits as the lease of an account"))?;
        Ok(Self { deployment: deployment.parse()?, lease: LeaseId::from_bytes(lease) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_whose_it_is_and_has_one_spelling() {
        let name = AccountName::of(DeploymentId([0xab; 6]), LeaseId::from_bytes([0x1f; 16]));
        let text = name.to_string();
        assert_eq!(text, "cress_abababababab_1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f");
        assert!(text.starts_with(&name.deployment().account_prefix()));
        assert_eq!(text.parse::<AccountName>(), Ok(name));
        for bad in
            ["", "cress_", "cress_ab_1f", &text.to_uppercase(), &text[1..], &format!("{text}0"), &format!("{text} ")]
        {
            assert!(bad.parse::<AccountName>().is_err(), "{bad:?} was accepted");
        }
    }
}
