// SPDX-License-Identifier: Apache-2.0
//! The numbers of a public key, and how they are written in a JWK (RFC 7518 section 6, RFC 8037 section 2).

use serde_json::{Map, Value};

use crate::{Algorithm, JwkError, base64url};

/// The public numbers by key type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeyMaterial {
    Ec { curve: Curve, x: Vec<u8>, y: Vec<u8> },
    Rsa { n: Vec<u8>, e: Vec<u8> },
    Ed25519 { x: Vec<u8> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Curve {
    P256,
    P384,
}

pub(crate) const RSA_BITS_MIN: usize = 2048;
pub(crate) const RSA_BITS_MAX: usize = 8192;
const RSA_EXPONENT_BYTES_MAX: usize = 4;
const ED25519_KEY_BYTES: usize = 32;

impl KeyMaterial {
    /// Reads the members that belong to `kty`; whether they are a point on the curve is checked by [`crate::VerificationKey`].
    pub(crate) fn parse(members: &Map<String, Value>) -> Result<Self, JwkError> {
        match (text(members, "kty")?, members.get("crv").and_then(Value::as_str)) {
            ("EC", Some(crv)) => {
                let curve = Curve::parse(crv)?;
                let coordinate = |name| exact(members, name, curve.coordinate_bytes());
                Ok(Self::Ec { curve, x: coordinate("x")?, y: coordinate("y")? })
            }
            ("RSA", _) => rsa(members),
            ("OKP", Some("Ed25519")) => Ok(Self::Ed25519 { x: exact(members, "x", ED25519_KEY_BYTES)? }),
            ("EC" | "OKP", None) => Err(JwkError::Member("crv")),
            ("OKP", Some(_)) => Err(JwkError::Curve),
            _ => Err(JwkError::KeyType),
        }
    }

    /// The algorithms that such a key can be for; the first one where the key does not say.
    pub(crate) const fn algorithms(&self) -> &'static [Algorithm] {
        match self {
            Self::Ec { curve: Curve::P256, .. } => &[Algorithm::Es256],
            Self::Ec { curve: Curve::P384, .. } => &[Algorithm::Es384],
            Self::Rsa { .. } => &[Algorithm::Rs256, Algorithm::Rs384, Algorithm::Rs512, Algorithm::Ps256],
            Self::Ed25519 { .. } => &[Algorithm::EdDsa],
        }
    }
}

impl Curve {
    fn parse(name: &str) -> Result<Self, JwkError> {
        match name {
            "P-256" => Ok(Self::P256),
            "P-384" => Ok(Self::P384),
            _ => Err(JwkError::Curve),
        }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
        }
    }

    const fn coordinate_bytes(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
        }
    }
}

fn rsa(members: &Map<String, Value>) -> Result<KeyMaterial, JwkError> {
    let (n, e) = (bytes(members, "n")?, bytes(members, "e")?);
    // RFC 7518 section 6.3.1: no leading zero octets, so that one number has one spelling.
    let leading = n.first().copied().filter(|first| *first != 0).ok_or(JwkError::Member("n"))?;
    let bits = n.len() * 8 - leading.leading_zeros() as usize;
    if !(RSA_BITS_MIN..=RSA_BITS_MAX).contains(&bits) {
        return Err(JwkError::RsaSize(bits));
    }
    // A large exponent makes each check slow, an even one or 1 makes the signature worthless.
    let odd = e.last().is_some_and(|last| last % 2 == 1) && e != [1];
    if !odd || e.first() == Some(&0) || e.len() > RSA_EXPONENT_BYTES_MAX {
        return Err(JwkError::Member("e"));
    }
    Ok(KeyMaterial::Rsa { n, e })
}

pub(crate) fn text<'a>(members: &'a Map<String, Value>, name: &'static str) -> Result<&'a str, JwkError> {
    members.get(name).and_then(Value::as_str).ok_or(JwkError::Member(name))
}

fn bytes(members: &Map<String, Value>, name: &'static str) -> Result<Vec<u8>, JwkError> {
    base64url::decode(text(members, name)?).map_err(|_| JwkError::Member(name))
}

/// RFC 7518 section 6.2.1.2: coordinates have the full size of the field, leading zeros included.
fn exact(members: &Map<String, Value>, name: &'static str, length: usize) -> Result<Vec<u8>, JwkError> {
    let bytes = bytes(members, name)?;
    if bytes.len() == length { Ok(bytes) } else { Err(JwkError::Member(name)) }
}
