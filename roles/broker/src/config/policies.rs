// SPDX-License-Identifier: Apache-2.0
//! The configuration together with the policies that it names, so that both are taken, compared and replaced as one.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use cress_policy::{ClaimKind, ClaimTypes, DeclaredClaim, POLICIES_BYTES_MAX, Policies};
use cress_service::plain_words;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Config, ConfigError};

/// What the names of files with policies end with.
const EXTENSION: &str = "cedar";
/// Files with policies.
const FILES_MAX: usize = 1_000;

/// Who may have what: Cedar policies about `action == Cress::Action::"issue"`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PoliciesConfig {
    /// Files of policies, and directories in which every file `*.cedar` is one. All of them count together. Read again when they change; a
    /// relative path is one in the working directory. `cress policy schema` shows what they may speak of.
    pub files: Vec<PathBuf>,
    /// Claims that they may speak of beyond those of the schema, by the name that they call them.
    #[serde(default)]
    pub claims: BTreeMap<String, PolicyClaim>,
}

/// A claim that policies may speak of: as `principal.claims.NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyClaim {
    /// The claim's name, or a JSON pointer such as /kubernetes.io/namespace.
    pub claim: String,
    /// Its type. Who has a token in which it has another is given nothing.
    #[serde(rename = "type")]
    pub kind: PolicyClaimType,
    /// Whether tenants choose it, so that a policy that permits by it alone is worth a warning.
    #[serde(default)]
    pub chosen_by_tenants: bool,
}

/// The type of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PolicyClaimType {
    /// A text.
    String,
    /// A whole number.
    Long,
    /// `true` or `false`.
    Bool,
    /// A list of texts.
    Strings,
}

/// A configuration and the text of its policies.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Loaded {
    pub(crate) config: Config,
    pub(crate) policies: String,
}

impl Loaded {
    /// Reads the files. Blocks on the disk.
    pub(crate) fn read(config: Config) -> Result<Self, ConfigError> {
        let wrong = |path: &Path, reason: String| ConfigError::Policy { place: path.display().to_string(), reason };
        let mut policies = String::new();
        for path in &config.policies.files {
            let files = files_of(path).map_err(|error| wrong(path, cannot_read(&error)))?;
            if files.is_empty() || files.len() > FILES_MAX {
                let reason = format!("expected 1 to {FILES_MAX} files *.{EXTENSION} in it, got {}", files.len());
                return Err(wrong(path, reason));
            }
            for file in &files {
                let room = POLICIES_BYTES_MAX.saturating_sub(policies.len());
                append(file, room, &mut policies).map_err(|error| wrong(file, cannot_read(&error)))?;
            }
        }
        Ok(Self { config, policies })
    }

    /// The policies, validated.
    pub(crate) fn parse(&self) -> Result<Policies, ConfigError> {
        let types = claim_types(&self.config.policies)?;
        Policies::parse(&self.policies, &types)
            .map_err(|error| ConfigError::Policy { place: "policies.files".to_owned(), reason: error.to_string() })
    }
}

/// The schema that policies are written against, with the claims that a configuration declares.
///
/// # Errors
/// [`ConfigError::Policy`] if these cannot be.
pub fn policy_schema(config: &Config) -> Result<String, ConfigError> {
    Ok(Policies::schema_text(&claim_types(&config.policies)?))
}

fn claim_types(config: &PoliciesConfig) -> Result<ClaimTypes, ConfigError> {
    let declared = config.claims.iter().map(|(name, claim)| {
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
        .map_err(|error| ConfigError::Policy { place: "policies.claims".to_owned(), reason: error.to_string() })
}

/// In the order of their names, so that each machine reads the same text.
fn files_of(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !fs::metadata(path)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path)? {
        let file = entry?.path();
        if file.extension().is_some_and(|extension| extension == EXTENSION) {
            files.push(file);
        }
    }
    files.sort_unstable();
    Ok(files)
}

/// One byte more than there is room for, so that what is too long is seen to be.
fn append(file: &Path, room: usize, text: &mut String) -> io::Result<()> {
    let bytes_max = u64::try_from(room).unwrap_or(u64::MAX).saturating_add(1);
    File::open(file)?.take(bytes_max).read_to_string(text)?;
    text.push('\n');
    Ok(())
}

fn cannot_read(error: &io::Error) -> String {
    format!("cannot read it: {}", plain_words(error))
}
