// SPDX-License-Identifier: Apache-2.0
//! An authority as it rests in the store: its certificate, and its private key in an envelope.

use cress_domain::Timestamp;
use cress_keyring::{KeyEncryptionKeys, Purpose};
use cress_store::control::CertificateAuthorityRecord;
use cress_store::{CertificateFingerprint, Sealed};

use super::CaError;
use super::authority::Authority;

const PURPOSE: Purpose = Purpose::CertificateAuthority;

pub(super) fn seal(
    authority: &Authority,
    keys: &KeyEncryptionKeys,
    created_at: Timestamp,
) -> Result<CertificateAuthorityRecord, CaError> {
    let fingerprint = CertificateFingerprint::from_bytes(authority.fingerprint());
    // Bound to the certificate: exchanged with another's, it does not open.
    let private_key = keys.seal(PURPOSE, &fingerprint.to_string(), &authority.to_pkcs8()?)?;
    Ok(CertificateAuthorityRecord {
        fingerprint,
        certificate_der: authority.certificate().to_vec(),
        private_key,
        created_at,
        signs_from: created_at,
        retires_at: None,
        cross_der: None,
    })
}

pub(super) fn open(record: CertificateAuthorityRecord, keys: &KeyEncryptionKeys) -> Result<Authority, CaError> {
    let pkcs8 = keys.open(PURPOSE, &record.fingerprint.to_string(), &record.private_key)?;
    let authority = Authority::from_stored(record.certificate_der, &pkcs8)?;
    if authority.fingerprint() == *record.fingerprint.as_bytes() { Ok(authority) } else { Err(CaError::Malformed) }
}

/// A new envelope by the active key-encryption key, if the old one is by another.
pub(super) fn rewrap(record: &CertificateAuthorityRecord, keys: &KeyEncryptionKeys) -> Result<Option<Sealed>, CaError> {
    Ok(keys.rewrap(PURPOSE, &record.fingerprint.to_string(), &record.private_key)?)
}
