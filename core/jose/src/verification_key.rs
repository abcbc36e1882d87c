// SPDX-License-Identifier: Apache-2.0
//! A public key, parsed once and bound to its algorithm.

use std::fmt;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RsaParameters,
    RsaPublicKeyComponents, VerificationAlgorithm,
};

use crate::key_material::KeyMaterial;
use crate::{Algorithm, JwkError};

/// A public key that checks signatures of one algorithm (RFC 8725 section 3.1). Cheap to share, dear to make.
#[derive(Clone)]
pub struct VerificationKey {
    algorithm: Algorithm,
    key: ParsedPublicKey,
}

/// A signature that was not made by the key over the message, or is malformed. Which of both is of no use to anyone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not match the message and the key")]
pub struct SignatureInvalid;

/// SEC 1 section 2.3.3: the first byte of a point that is not compressed.
const UNCOMPRESSED_POINT: u8 = 4;

impl VerificationKey {
    pub(crate) fn new(algorithm: Algorithm, material: &KeyMaterial) -> Result<Self, JwkError> {
        let key = match material {
            KeyMaterial::Ec { x, y, .. } => {
                let verification: &'static dyn VerificationAlgorithm = match algorithm {
                    Algorithm::Es384 => &ECDSA_P384_SHA384_FIXED,
                    _ => &ECDSA_P256_SHA256_FIXED,
                };
                ParsedPublicKey::new(verification, [&[UNCOMPRESSED_POINT], x.as_slice(), y.as_slice()].concat())
            }
            KeyMaterial::Rsa { n, e } => {
                RsaPublicKeyComponents { n, e }.to_parsed_public_key(rsa_parameters(algorithm))
            }
            KeyMaterial::Ed25519 { x } => ParsedPublicKey::new(&ED25519, x),
        };
        key.map(|key| Self { algorithm, key }).map_err(|_| JwkError::Invalid)
    }

    /// The one algorithm that this key is for.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Checks a signature over a message. ECDSA signatures are `r` and `s` side by side (RFC 7518 section 3.4).
    ///
    /// # Errors
    /// [`SignatureInvalid`].
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureInvalid> {
        self.key.verify_sig(message, signature).map_err(|_| SignatureInvalid)
    }
}

fn rsa_parameters(algorithm: Algorithm) -> &'static RsaParameters {
    match algorithm {
        Algorithm::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
        Algorithm::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
        Algorithm::Ps256 => &RSA_PSS_2048_8192_SHA256,
        _ => &RSA_PKCS1_2048_8192_SHA256,
    }
}

impl fmt::Debug for VerificationKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "VerificationKey({})", self.algorithm)
    }
}
