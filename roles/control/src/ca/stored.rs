// SPDX-License-Identifier: Apache-2.0
//! An authority as it rests in the store: its certificate, and its private key in an envelope.

use std::sync::Arc;

use cress_keyring::{KeyEncryptionKeys, Purpose};
use cress_store::control::CertificateAuthorityRecord;
use cress_store::{CertificateFingerprint, Sealed};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::CaError;
use super::authority::{Authority, Term};

const PURPOSE: Purpose = Purpose::CertificateAuthority;

pub(super) fn seal(term: &Term, keys: &KeyEncryptionKeys) -> Result<CertificateAuthorityRecord, CaError> {
    let authority = &term.authority;
    let fingerprint = CertificateFingerprint::from_bytes(authority.fingerprint());
    // Bound to the certificate: exchanged with another's, it does not open.
    let private_key = keys.seal(PURPOSE, &fingerprint.to_string(), &authority.to_pkcs8()?)?;
    Ok(CertificateAuthorityRecord {
        fingerprint,
        certificate_der: authority.certificate().to_vec(),
        private_key,
        created_at: term.created_at,
        signs_from: term.signs_from,
        retires_at: term.retires_at,
        cross_der: (!term.cross.is_empty()).then(|| term.cross.concat()),
    })
}

/// The term of a stored authority. One that is known is not opened again.
pub(super) fn term(
    record: CertificateAuthorityRecord,
    known: &[Term],
    keys: &KeyEncryptionKeys,
) -> Result<Term, CaError> {
    let CertificateAuthorityRecord { created_at, signs_from, retires_at, .. } = record;
    let cross = certificates(record.cross_der.as_deref().unwrap_or_default())?;
    let is_it = |term: &&Term| term.authority.fingerprint() == *record.fingerprint.as_bytes();
    let authority = match known.iter().find(is_it) {
        Some(term) => Arc::clone(&term.authority),
        None => Arc::new(open(record, keys)?),
    };
    Ok(Term { authority, created_at, signs_from, retires_at, cross })
}

/// The terms of all that are stored, and what is wrong with those that are of no use: one of them is no reason not to follow the others,
/// least of all if another one was retired. One that was good before stays, with the times of today.
pub(super) fn terms(
    records: Vec<CertificateAuthorityRecord>,
    known: &[Term],
    keys: &KeyEncryptionKeys,
) -> (Vec<Term>, Vec<(CertificateFingerprint, CaError)>) {
    let (mut terms, mut unusable) = (Vec::new(), Vec::new());
    for record in records {
        let CertificateAuthorityRecord { fingerprint, signs_from, retires_at, .. } = record;
        match term(record, known, keys) {
            Ok(term) => terms.push(term),
            Err(error) => {
                let is_it = |term: &&Term| term.authority.fingerprint() == *fingerprint.as_bytes();
                terms.extend(known.iter().find(is_it).map(|term| Term { signs_from, retires_at, ..term.clone() }));
                unusable.push((fingerprint, error));
            }
        }
    }
    (terms, unusable)
}

pub(super) fn open(record: CertificateAuthorityRecord, keys: &KeyEncryptionKeys) -> Result<Authority, CaError> {
    let pkcs8 = keys.open(PURPOSE, &record.fingerprint.to_string(), &record.private_key)?;
    let authority = Authority::from_stored(record.certificate_der, &pkcs8)?;
    if authority.fingerprint() == *record.fingerprint.as_bytes() { Ok(authority) } else { Err(CaError::Malformed) }
}

/// DER says where each one ends.
fn certificates(mut rest: &[u8]) -> Result<Vec<Vec<u8>>, CaError> {
    let mut certificates = Vec::new();
    while !rest.is_empty() {
        let (after, _) = X509Certificate::from_der(rest).map_err(|_| CaError::Malformed)?;
        let (one, after) = rest.split_at(rest.len() - after.len());
        certificates.push(one.to_vec());
        rest = after;
    }
    Ok(certificates)
}

/// A new envelope by the active key-encryption key, if the old one is by another.
pub(super) fn rewrap(record: &CertificateAuthorityRecord, keys: &KeyEncryptionKeys) -> Result<Option<Sealed>, CaError> {
    Ok(keys.rewrap(PURPOSE, &record.fingerprint.to_string(), &record.private_key)?)
}
