// SPDX-License-Identifier: Apache-2.0
//! A P-256 key pair that signs certificates. aws-lc erases it when it is dropped.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use cress_domain::Secret;
use rcgen::{PKCS_ECDSA_P256_SHA256, PublicKeyData, SignatureAlgorithm, SigningKey};

use super::CaError;

/// A P-256 key pair. Like signing keys of tokens it is made with the generator of aws-lc: its randomness is no parameter.
pub(super) struct CertificateKey(EcdsaKeyPair);

impl CertificateKey {
    pub(super) fn generate() -> Result<Self, CaError> {
        EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).map(Self).map_err(|_| CaError::Key)
    }

    pub(super) fn from_pkcs8(pkcs8: &Secret<Vec<u8>>) -> Result<Self, CaError> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.expose());
        pair.map(Self).map_err(|_| CaError::KeyMalformed)
    }

    pub(super) fn to_pkcs8(&self) -> Result<Secret<Vec<u8>>, CaError> {
        let document = self.0.to_pkcs8v1().map_err(|_| CaError::Key)?;
        Ok(Secret::new(document.as_ref().to_vec()))
    }
}

impl PublicKeyData for CertificateKey {
    fn der_bytes(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

impl SigningKey for CertificateKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let signature = self.0.sign(&SystemRandom::new(), message).map_err(|_| rcgen::Error::RemoteKeyError)?;
        Ok(signature.as_ref().to_vec())
    }
}

impl fmt::Debug for CertificateKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("CertificateKey(..)")
    }
}
