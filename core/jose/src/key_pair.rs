// SPDX-License-Identifier: Apache-2.0
//! The pairs behind signing keys: made, read, written, and put to work.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256};
use cress_domain::Secret;

use crate::key_material::{Curve, KeyMaterial, RSA_BITS_MAX, RSA_BITS_MIN};
use crate::{Algorithm, SigningKeyError};

/// What a key can sign with here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SigningAlgorithm {
    /// ECDSA with P-256 and SHA-256.
    Es256,
    /// RSA PKCS #1 v1.5 with SHA-256, for those who accept nothing else. Its keys have 2048 bits, which is what everyone accepts.
    Rs256,
}

/// A pair that is ready to sign.
pub(crate) enum KeyPair {
    Es256(EcdsaKeyPair),
    Rs256(rsa::KeyPair),
}

const ES256_SIGNATURE_BYTES: usize = 64;
const DER_INTEGER: u8 = 0x02;
const DER_SEQUENCE: u8 = 0x30;

impl SigningAlgorithm {
    /// The same among all algorithms.
    #[must_use]
    pub const fn algorithm(self) -> Algorithm {
        match self {
            Self::Es256 => Algorithm::Es256,
            Self::Rs256 => Algorithm::Rs256,
        }
    }
}

impl KeyPair {
    pub(crate) fn generate(algorithm: SigningAlgorithm) -> Result<Self, SigningKeyError> {
        let failed = |_| SigningKeyError::Generate;
        match algorithm {
            SigningAlgorithm::Es256 => {
                EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map(Self::Es256).map_err(failed)
            }
            SigningAlgorithm::Rs256 => rsa::KeyPair::generate(rsa::KeySize::Rsa2048).map(Self::Rs256).map_err(failed),
        }
    }

    pub(crate) fn from_pkcs8(algorithm: SigningAlgorithm, pkcs8: &Secret<Vec<u8>>) -> Result<Self, SigningKeyError> {
        match algorithm {
            SigningAlgorithm::Es256 => EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.expose())
                .map(Self::Es256)
                .map_err(|_| SigningKeyError::Malformed),
            SigningAlgorithm::Rs256 => {
                let pair = rsa::KeyPair::from_pkcs8(pkcs8.expose()).map_err(|_| SigningKeyError::MalformedRsa)?;
                let bits = pair.public_modulus_len() * 8;
                let fits = (RSA_BITS_MIN..=RSA_BITS_MAX).contains(&bits);
                if fits { Ok(Self::Rs256(pair)) } else { Err(SigningKeyError::MalformedRsa) }
            }
        }
    }

    pub(crate) fn to_pkcs8(&self) -> Result<Secret<Vec<u8>>, SigningKeyError> {
        let failed = |_| SigningKeyError::Serialize;
        match self {
            Self::Es256(pair) => {
                pair.to_pkcs8v1().map(|document| Secret::new(document.as_ref().to_vec())).map_err(failed)
            }
            Self::Rs256(pair) => {
                let document = AsDer::<Pkcs8V1Der<'_>>::as_der(pair).map_err(failed)?;
                Ok(Secret::new(document.as_ref().to_vec()))
            }
        }
    }

    pub(crate) const fn algorithm(&self) -> SigningAlgorithm {
        match self {
            Self::Es256(_) => SigningAlgorithm::Es256,
            Self::Rs256(_) => SigningAlgorithm::Rs256,
        }
    }

    /// The public numbers; none if the library writes them in an unknown way.
    pub(crate) fn public(&self) -> Option<KeyMaterial> {
        match self {
            Self::Es256(pair) => {
                let (x, y) = pair.public_key().as_ref().get(1..)?.split_at_checked(32)?;
                Some(KeyMaterial::Ec { curve: Curve::P256, x: x.to_vec(), y: y.to_vec() })
            }
            Self::Rs256(pair) => {
                let (n, e) = rsa_numbers(pair.public_key().as_ref())?;
                Some(KeyMaterial::Rsa { n: n.to_vec(), e: e.to_vec() })
            }
        }
    }

    pub(crate) fn signature_bytes(&self) -> usize {
        match self {
            Self::Es256(_) => ES256_SIGNATURE_BYTES,
            Self::Rs256(pair) => pair.public_modulus_len(),
        }
    }

    /// None if the library fails.
    pub(crate) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Es256(pair) => {
                pair.sign(&SystemRandom::new(), message).ok().map(|signature| signature.as_ref().to_vec())
            }
            Self::Rs256(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).ok()?;
                Some(signature)
            }
        }
    }
}

/// Modulus and exponent of an `RSAPublicKey` (RFC 8017 appendix A.1.1), without the zero that makes a number positive.
fn rsa_numbers(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (sequence, _) = element(der, DER_SEQUENCE)?;
    let (n, rest) = element(sequence, DER_INTEGER)?;
    let (e, _) = element(rest, DER_INTEGER)?;
    Some((n.strip_prefix(&[0]).unwrap_or(n), e.strip_prefix(&[0]).unwrap_or(e)))
}

/// The content of a DER element with this tag, and what follows it (X.690 section 8.1.3).
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (head, rest) = der.split_at_checked(2)?;
    let [found, length] = *head else { return None };
    let (length, rest) = match length {
        short @ 0..=0x7f => (usize::from(short), rest),
        long => {
            let (bytes, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
            (bytes.iter().try_fold(0_usize, |sum, byte| sum.checked_mul(256)?.checked_add(usize::from(*byte)))?, rest)
        }
    };
    if found == tag { rest.split_at_checked(length) } else { None }
}
