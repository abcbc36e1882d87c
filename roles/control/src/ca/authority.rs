// SPDX-License-Identifier: Apache-2.0
//! One certificate authority with its private key.

use cress_domain::{Random, Secret, Timestamp};
use cress_service::tls::fingerprint;
use rcgen::{CertificateParams, Issuer, PublicKeyData};
use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::CaError;
use super::certificate::authority;
use super::key::CertificateKey;

#[derive(Debug)]
pub(super) struct Authority {
    certificate: Vec<u8>,
    issuer: Issuer<'static, CertificateKey>,
    pub(super) not_after: Timestamp,
}

impl Authority {
    /// A fresh one.
    pub(super) fn generate(now: Timestamp, random: &dyn Random) -> Result<Self, CaError> {
        let key = CertificateKey::generate()?;
        let certificate = authority(now, random)?.self_signed(&key)?.der().to_vec();
        Self::new(certificate, key)
    }

    /// One that was stored.
    pub(super) fn from_stored(certificate: Vec<u8>, pkcs8: &Secret<Vec<u8>>) -> Result<Self, CaError> {
        Self::new(certificate, CertificateKey::from_pkcs8(pkcs8)?)
    }

    fn new(certificate: Vec<u8>, key: CertificateKey) -> Result<Self, CaError> {
        let (_, parsed) = X509Certificate::from_der(&certificate).map_err(|_| CaError::Malformed)?;
        if parsed.public_key().raw != key.subject_public_key_info() {
            return Err(CaError::KeyMismatch);
        }
        let not_after = Timestamp::from_unix_seconds(parsed.validity().not_after.timestamp());
        let issuer = Issuer::from_ca_cert_der(&CertificateDer::from(certificate.as_slice()), key)?;
        Ok(Self { certificate, issuer, not_after })
    }

    /// Its certificate in DER.
    pub(super) fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    pub(super) fn fingerprint(&self) -> [u8; 32] {
        fingerprint(&self.certificate)
    }

    /// Its private key, to be put into an envelope at once.
    pub(super) fn to_pkcs8(&self) -> Result<Secret<Vec<u8>>, CaError> {
        self.issuer.key().to_pkcs8()
    }

    /// Signs a certificate; its DER.
    pub(super) fn sign(&self, params: &CertificateParams, key: &impl PublicKeyData) -> Result<Vec<u8>, CaError> {
        Ok(params.signed_by(key, &self.issuer)?.der().to_vec())
    }
}
