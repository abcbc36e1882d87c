// SPDX-License-Identifier: Apache-2.0
//! The configuration together with the policies that it names, so that both are taken, compared and replaced as one.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use cress_policy::{ClaimKind, ClaimTypes, DeclaredClaim, POLICIES_BYTES_MAX, Policies};
use cress_service::plain_words;

use super::{Config, ConfigError, PolicyClaimType};

/// A configuration and the texts of its rules' policies.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Loaded {
    pub(crate) config: Config,
    /// By rule.
    pub(crate) policies: Vec<Option<String>>,
}

impl Loaded {
    /// Reads the files. Blocks on the disk.
    pub(crate) fn read(config: Config) -> Result<Self, ConfigError> {
        let text = |file: &PathBuf| {
            read(file).map_err(|reason| ConfigError::Policy { place: file.display().to_string(), reason })
        };
        let policies = config.rules.iter().map(|rule| rule.policy_file.as_ref().map(text).transpose());
        Ok(Self { policies: policies.collect::<Result<_, _>>()?, config })
    }

    /// The declared claims, checked.
    pub(crate) fn claim_types(&self) -> Result<ClaimTypes, ConfigError> {
        claim_types(&self.config)
    }
}

fn claim_types(config: &Config) -> Result<ClaimTypes, ConfigError> {
    let declared = config.policy_claims.iter().map(|(name, claim)| {
        let kind = match claim.kind {
            PolicyClaimType::String => ClaimKind::String,
            PolicyClaimType::Long => ClaimKind::Long,
            PolicyClaimType::Bool => ClaimKind::Bool,
            PolicyClaimType::Strings => ClaimKind::Strings,
        };
        let chosen_by_tenants = claim.chosen_by_tenants;
        (name.clone(), DeclaredClaim { claim: claim.claim.clone(), kind, chosen_by_tenants })
    });
    ClaimTypes::new(declared.collect())
        .map_err(|error| ConfigError::Policy { place: "policy_claims".to_owned(), reason: error.to_string() })
}

/// The schema that policies are written against, with the claims that a configuration declares.
///
/// # Errors
/// [`ConfigError::Policy`] if these cannot be.
pub fn policy_schema(config: Option<&Config>) -> Result<String, ConfigError> {
    let types = config.map(claim_types).transpose()?.unwrap_or_default();
    Ok(Policies::schema_text(&types))
}

fn read(file: &Path) -> Result<String, String> {
    let bytes_max = u64::try_from(POLICIES_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let mut text = String::new();
    let read = File::open(file).and_then(|file| file.take(bytes_max).read_to_string(&mut text));
    match read {
        Ok(_) => Ok(text),
        Err(error) => Err(format!("cannot read it: {}", plain_words(&error))),
    }
}
