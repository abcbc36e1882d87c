// SPDX-License-Identifier: Apache-2.0
//! One certificate authority with its private key, and its time.

use cress_domain::{Random, Secret, Timestamp};
use cress_service::tls::fingerprint;
use rcgen::{CertificateParams, Issuer, PublicKeyData};
use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::CaError;
use super::certificate::{authority, cross};
use super::key::CertificateKey;

/// Certificates by earlier authorities that are kept: whoever slept through more changes needs a new join token.
const CROSS_CERTIFICATES_MAX: usize = 4;

#[derive(Debug)]
pub(super) struct Authority {
    certificate: Vec<u8>,
    issuer: Issuer<'static, CertificateKey>,
    pub(super) not_after: Timestamp,
}

/// An authority, and since when and for how long it counts.
#[derive(Debug, Clone)]
pub(super) struct Term {
    pub(super) authority: std::sync::Arc<Authority>,
    pub(super) created_at: Timestamp,
    pub(super) signs_from: Timestamp,
    /// None while no other is to follow it.
    pub(super) retires_at: Option<Timestamp>,
    /// With these, whoever trusts only an earlier authority can verify this one: the youngest first, DER.
    pub(super) cross: Vec<Vec<u8>>,
}

impl Term {
    pub(super) fn is_trusted(&self, now: Timestamp) -> bool {
        self.retires_at.is_none_or(|retires_at| now < retires_at)
    }
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

    /// A certificate for its successor, and those for itself by the ones before it: the way from any of them to the successor.
    pub(super) fn vouch_for(
        &self,
        successor: &Self,
        own_cross: &[Vec<u8>],
        now: Timestamp,
        random: &dyn Random,
    ) -> Result<Vec<Vec<u8>>, CaError> {
        let (_, parsed) = X509Certificate::from_der(&successor.certificate).map_err(|_| CaError::Malformed)?;
        let name = parsed.subject().iter_common_name().next().and_then(|name| name.as_str().ok());
        let name = name.ok_or(CaError::Malformed)?;
        let params = cross(name, now, successor.not_after, random)?;
        let certificate = self.sign(&params, successor.issuer.key())?;
        Ok(std::iter::once(certificate).chain(own_cross.iter().cloned()).take(CROSS_CERTIFICATES_MAX).collect())
    }
}
