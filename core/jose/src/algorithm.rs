// SPDX-License-Identifier: Apache-2.0
//! The signature algorithms that exist here.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An asymmetric signature algorithm (RFC 7518 section 3.1, RFC 8037 section 3.1). All of them verify; ES256 and RS256 also sign.
///
/// `none` and the HMAC algorithms are left out on purpose: a verifier holds public keys only, and a public key
/// used as an HMAC secret is the oldest forgery there is (RFC 8725 section 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
#[non_exhaustive]
pub enum Algorithm {
    /// ECDSA with P-256 and SHA-256.
    Es256,
    /// ECDSA with P-384 and SHA-384.
    Es384,
    /// RSA PKCS #1 v1.5 with SHA-256.
    Rs256,
    /// RSA PKCS #1 v1.5 with SHA-384.
    Rs384,
    /// RSA PKCS #1 v1.5 with SHA-512.
    Rs512,
    /// RSA PSS with SHA-256.
    Ps256,
    /// Ed25519.
    EdDsa,
}

/// A text that names none of the algorithms.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected one of the algorithms ES256, ES384, RS256, RS384, RS512, PS256 and EdDSA, got {name:?}")]
pub struct UnsupportedAlgorithm {
    name: String,
}

impl Algorithm {
    const ALL: [Self; 7] = [Self::Es256, Self::Es384, Self::Rs256, Self::Rs384, Self::Rs512, Self::Ps256, Self::EdDsa];

    /// The name in `alg`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::EdDsa => "EdDSA",
        }
    }
}

impl UnsupportedAlgorithm {
    /// What was given instead, cut to 32 characters.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl FromStr for Algorithm {
    type Err = UnsupportedAlgorithm;
    fn from_str(name: &str) -> Result<Self, UnsupportedAlgorithm> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.as_str() == name)
            .ok_or_else(|| UnsupportedAlgorithm { name: name.chars().take(32).collect() })
    }
}

impl TryFrom<String> for Algorithm {
    type Error = UnsupportedAlgorithm;
    fn try_from(name: String) -> Result<Self, UnsupportedAlgorithm> {
        name.parse()
    }
}

impl From<Algorithm> for &'static str {
    fn from(algorithm: Algorithm) -> Self {
        algorithm.as_str()
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_exact() {
        for algorithm in Algorithm::ALL {
            assert_eq!(algorithm.as_str().parse(), Ok(algorithm));
        }
        for bad in ["", "none", "None", "HS256", "HS512", "es256", "ES256 ", "ES512", "PS384", "RSA-OAEP", "Ed25519"] {
            assert!(bad.parse::<Algorithm>().is_err(), "{bad:?} was accepted");
        }
    }
}
