// SPDX-License-Identifier: Apache-2.0
//! One public key in JSON (RFC 7517 section 4).

use cress_domain::{KeyId, KeyIdError};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::json::{JsonError, parse_object};
use crate::key_material::KeyMaterial;
use crate::{Algorithm, UnsupportedAlgorithm, VerificationKey, base64url};

/// A public key for checking signatures: EC P-256 or P-384, RSA of 2048 to 8192 bits, or Ed25519.
///
/// It cannot hold private members, so whatever is serialized from it may be published. EC keys are written as the
/// reference platform writes them: `crv, x, y, kid, kty, use`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jwk {
    kid: Option<KeyId>,
    algorithm: Option<Algorithm>,
    material: KeyMaterial,
}

/// A key that cannot be used to check signatures.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwkError {
    /// No JSON object, or a repeated member.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A private or symmetric key: whoever can read it can sign.
    #[error("expected a public key, got the private member {0:?}; treat this key as stolen and publish a new one")]
    Private(&'static str),
    /// A `kty` other than EC, RSA and OKP.
    #[error("expected a key type of EC, RSA or OKP")]
    KeyType,
    /// A `crv` other than P-256, P-384 and Ed25519.
    #[error("expected the curve P-256 or P-384 with EC, or Ed25519 with OKP")]
    Curve,
    /// A member that is absent, of the wrong type, or not canonical base64url of the right length.
    #[error("expected a well-formed member {0:?}")]
    Member(&'static str),
    /// A modulus outside 2048 to 8192 bits.
    #[error("expected an RSA modulus of 2048 to 8192 bits, got {0}")]
    RsaSize(usize),
    /// A `kid` that is empty, too long, or not printable.
    #[error(transparent)]
    KeyId(#[from] KeyIdError),
    /// No `kid`, where one is needed to select the key.
    #[error("expected a \"kid\", without which no token can select the key")]
    KeyIdMissing,
    /// A `use` or `key_ops` that excludes checking signatures.
    #[error("expected a key for signatures (\"use\":\"sig\" or \"key_ops\" with \"verify\")")]
    Use,
    /// An `alg` that does not exist here.
    #[error(transparent)]
    Algorithm(#[from] UnsupportedAlgorithm),
    /// An algorithm for another type of key.
    #[error("expected an algorithm that fits the key's type, got {0}")]
    AlgorithmMismatch(Algorithm),
    /// Numbers that are no key, such as a point that is not on the curve.
    #[error("expected a valid public key, got numbers that are none")]
    Invalid,
}

/// RFC 7518 sections 6.2.2, 6.3.2 and 6.4.1.
const PRIVATE_MEMBERS: [&str; 8] = ["d", "k", "p", "q", "dp", "dq", "qi", "oth"];

impl Jwk {
    /// Parses one public key.
    ///
    /// # Errors
    /// [`JwkError`] if it is malformed, not supported, not for signatures, or private.
    pub fn parse(bytes: &[u8]) -> Result<Self, JwkError> {
        let members = parse_object(bytes)?;
        if let Some(name) = PRIVATE_MEMBERS.into_iter().find(|name| members.contains_key(*name)) {
            return Err(JwkError::Private(name));
        }
        check_use(&members)?;
        let jwk =
            Self { kid: kid(&members)?, algorithm: algorithm(&members)?, material: KeyMaterial::parse(&members)? };
        // Parsed once here, so that a key that is none is found when the set is loaded and not when a token comes.
        jwk.verification_key().map(|_| jwk)
    }

    pub(crate) const fn new(kid: KeyId, algorithm: Option<Algorithm>, material: KeyMaterial) -> Self {
        Self { kid: Some(kid), algorithm, material }
    }

    pub(crate) const fn material(&self) -> &KeyMaterial {
        &self.material
    }

    /// The id by which tokens select this key.
    #[must_use]
    pub const fn kid(&self) -> Option<&KeyId> {
        self.kid.as_ref()
    }

    /// The algorithm that the key is for: its `alg`, else the one of its type, which is RS256 for RSA.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm.or_else(|| self.material.algorithms().first().copied()).unwrap_or(Algorithm::Es256)
    }

    /// The key ready for use with [`Self::algorithm`]. Parse it once and keep it; it is not for each token.
    ///
    /// # Errors
    /// [`JwkError::Invalid`] or [`JwkError::AlgorithmMismatch`].
    pub fn verification_key(&self) -> Result<VerificationKey, JwkError> {
        self.verification_key_for(self.algorithm())
    }

    /// The key ready for use with this algorithm, for RSA keys that do not say theirs.
    ///
    /// # Errors
    /// [`JwkError::AlgorithmMismatch`] if the key is of another type or says another algorithm; [`JwkError::Invalid`]
    /// if the numbers are no key.
    pub fn verification_key_for(&self, algorithm: Algorithm) -> Result<VerificationKey, JwkError> {
        let fits = self.material.algorithms().contains(&algorithm);
        if !fits || self.algorithm.is_some_and(|own| own != algorithm) {
            return Err(JwkError::AlgorithmMismatch(algorithm));
        }
        VerificationKey::new(algorithm, &self.material)
    }
}

fn check_use(members: &Map<String, Value>) -> Result<(), JwkError> {
    let for_signatures = members.get("use").is_none_or(|usage| usage == "sig");
    let verifies = members.get("key_ops").is_none_or(|operations| {
        operations.as_array().is_some_and(|operations| operations.iter().any(|operation| operation == "verify"))
    });
    if for_signatures && verifies { Ok(()) } else { Err(JwkError::Use) }
}

fn kid(members: &Map<String, Value>) -> Result<Option<KeyId>, JwkError> {
    match members.get("kid") {
        Some(Value::String(text)) => Ok(Some(text.parse()?)),
        Some(_) => Err(JwkError::Member("kid")),
        None => Ok(None),
    }
}

fn algorithm(members: &Map<String, Value>) -> Result<Option<Algorithm>, JwkError> {
    match members.get("alg") {
        Some(Value::String(name)) => Ok(Some(name.parse()?)),
        Some(_) => Err(JwkError::Member("alg")),
        None => Ok(None),
    }
}

impl Serialize for Jwk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let key_type = match &self.material {
            KeyMaterial::Ec { curve, x, y } => {
                map.serialize_entry("crv", curve.as_str())?;
                map.serialize_entry("x", &base64url::encode(x))?;
                map.serialize_entry("y", &base64url::encode(y))?;
                "EC"
            }
            KeyMaterial::Rsa { n, e } => {
                map.serialize_entry("e", &base64url::encode(e))?;
                map.serialize_entry("n", &base64url::encode(n))?;
                "RSA"
            }
            KeyMaterial::Ed25519 { x } => {
                map.serialize_entry("crv", "Ed25519")?;
                map.serialize_entry("x", &base64url::encode(x))?;
                "OKP"
            }
        };
        if let Some(kid) = &self.kid {
            map.serialize_entry("kid", kid)?;
        }
        map.serialize_entry("kty", key_type)?;
        map.serialize_entry("use", "sig")?;
        if let Some(algorithm) = &self.algorithm {
            map.serialize_entry("alg", algorithm)?;
        }
        map.end()
    }
}
