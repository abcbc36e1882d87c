// SPDX-License-Identifier: Apache-2.0
//! Claims beyond those that the schema knows, declared by the operator with their types.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use cress_token::ClaimRule;
use serde::{Deserialize, Serialize};

use crate::PolicyError;

/// Most declared claims.
const CLAIMS_MAX: usize = 64;
const NAME_BYTES_MAX: usize = 64;

/// Declared claims by the name that policies call them (`principal.claims.team`).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClaimTypes(BTreeMap<String, DeclaredClaim>);

/// One declared claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeclaredClaim {
    /// The claim's name, or a JSON pointer such as `/kubernetes.io/namespace`.
    pub claim: String,
    /// Its type. A token in which it has another is refused.
    #[serde(rename = "type")]
    pub kind: ClaimKind,
    /// Whether tenants choose it, so that to match it alone is worth a warning.
    #[serde(default)]
    pub chosen_by_tenants: bool,
}

/// The type of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClaimKind {
    /// A text.
    String,
    /// A whole number of 64 bits.
    Long,
    /// `true` or `false`.
    Bool,
    /// A list of texts.
    Strings,
}

impl ClaimTypes {
    /// Checks names and claims.
    ///
    /// # Errors
    /// [`PolicyError::Claim`]
    pub fn new(claims: BTreeMap<String, DeclaredClaim>) -> Result<Self, PolicyError> {
        let types = Self(claims);
        types.check()?;
        Ok(types)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &DeclaredClaim)> {
        self.0.iter().map(|(name, claim)| (name.as_str(), claim))
    }

    /// A name of letters is needed, since it becomes a part of the schema's text.
    pub(crate) fn check(&self) -> Result<(), PolicyError> {
        let wrong = |name: &str, reason: &str| PolicyError::Claim { name: name.to_owned(), reason: reason.to_owned() };
        if self.0.len() > CLAIMS_MAX {
            return Err(wrong("*", "expected at most 64 declared claims"));
        }
        for (name, declared) in &self.0 {
            let first_is_letter = name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
            let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
            if !first_is_letter || name.len() > NAME_BYTES_MAX || !name.bytes().all(allowed) {
                return Err(wrong(name, "expected a name of small letters, digits and underscores"));
            }
            let path = declared.claim.parse::<ClaimRule>().ok().filter(|path| path.claim() == declared.claim);
            if path.is_none() {
                return Err(wrong(name, "expected the name of a claim, or a JSON pointer to it"));
            }
        }
        Ok(())
    }

    /// The fields of the schema's type for them.
    pub(crate) fn schema_fields(&self) -> String {
        let mut text = String::new();
        for (name, declared) in self.iter() {
            // Writing into a String cannot fail.
            let _ = write!(text, " \"{name}\"?: {},", declared.kind.cedar());
        }
        text
    }
}

impl ClaimKind {
    const fn cedar(self) -> &'static str {
        match self {
            Self::String => "String",
            Self::Long => "Long",
            Self::Bool => "Bool",
            Self::Strings => "Set<String>",
        }
    }

    /// For messages.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::String => "a text",
            Self::Long => "a whole number",
            Self::Bool => "true or false",
            Self::Strings => "a list of texts",
        }
    }
}
