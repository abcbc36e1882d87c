// SPDX-License-Identifier: Apache-2.0
//! What stands in a certificate: nothing that whoever asks for it could choose.

use std::time::Duration;

pub(crate) use cress_api::node_protocol::NODE_URN_PREFIX;
use cress_domain::{MachineId, Random, Timestamp};
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose,
    SanType, SerialNumber,
};
use time::OffsetDateTime;

use super::CaError;

/// How long before its making a certificate is valid already, for nodes whose clocks are slow.
pub(crate) const BACK_DATED: Duration = Duration::from_secs(3_600);
/// How long a node's certificate lives.
pub(crate) const NODE_CERTIFICATE_LIFE: Duration = Duration::from_secs(24 * 3_600);
/// How long the certificate of the node protocol's server lives.
pub(crate) const SERVER_CERTIFICATE_LIFE: Duration = Duration::from_secs(48 * 3_600);
/// How long an authority lives: ten years.
const AUTHORITY_LIFE: Duration = Duration::from_secs(3_652 * 24 * 3_600);
/// Authorities below one: its successors, each vouched for by the one before.
const SUCCESSORS_MAX: u8 = 4;
/// RFC 5280 section 4.1.2.2 allows 20 bytes.
const SERIAL_BYTES: usize = 16;

/// From when until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Validity {
    not_before: Timestamp,
    not_after: Timestamp,
}

impl Validity {
    /// As long as this, but not beyond the end of the authority that signs, and in whole seconds as certificates have them.
    pub(super) fn new(now: Timestamp, life: Duration, authority_not_after: Timestamp) -> Self {
        let not_after = (now + life).min(authority_not_after);
        let not_after = Timestamp::from_unix_seconds(not_after.unix_seconds());
        Self { not_before: now - BACK_DATED, not_after }
    }

    /// When it ends.
    pub(crate) const fn not_after(&self) -> Timestamp {
        self.not_after
    }
}

pub(super) fn authority(now: Timestamp, random: &dyn Random) -> Result<CertificateParams, CaError> {
    // Two authorities never have the same name, so that a chain says by name which of them it is of.
    let mut different = [0; 4];
    random.fill(&mut different);
    let name = format!("cress control {} {:08x}", now.rfc3339(), u32::from_be_bytes(different));
    let end = now + AUTHORITY_LIFE;
    let mut params = params(&name, Validity::new(now, AUTHORITY_LIFE, end), random)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(SUCCESSORS_MAX));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    Ok(params)
}

/// For the successor of an authority, whose name and key it has.
pub(super) fn cross(
    name: &str,
    now: Timestamp,
    not_after: Timestamp,
    random: &dyn Random,
) -> Result<CertificateParams, CaError> {
    let mut params = params(name, Validity::new(now, AUTHORITY_LIFE, not_after), random)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(SUCCESSORS_MAX));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    Ok(params)
}

pub(super) fn node(machine: MachineId, validity: Validity, random: &dyn Random) -> Result<CertificateParams, CaError> {
    let mut params = params(&machine.to_string(), validity, random)?;
    let urn = Ia5String::try_from(format!("{NODE_URN_PREFIX}{machine}"))?;
    params.subject_alt_names = vec![SanType::URI(urn)];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    Ok(params)
}

pub(super) fn server(names: &[String], validity: Validity, random: &dyn Random) -> Result<CertificateParams, CaError> {
    let mut params = params("cress control node protocol", validity, random)?;
    params.subject_alt_names = CertificateParams::new(names.to_vec())?.subject_alt_names;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

fn params(common_name: &str, validity: Validity, random: &dyn Random) -> Result<CertificateParams, CaError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = moment(validity.not_before)?;
    params.not_after = moment(validity.not_after)?;
    params.serial_number = Some(serial(random));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

/// Random, since the library's own is derived from the key: each renewal would repeat it.
fn serial(random: &dyn Random) -> SerialNumber {
    let mut bytes = [0; SERIAL_BYTES];
    random.fill(&mut bytes);
    if let Some(first) = bytes.first_mut() {
        // Positive, and never with a leading zero (RFC 5280 section 4.1.2.2).
        *first = (*first & 0x7f) | 0x40;
    }
    SerialNumber::from_slice(&bytes)
}

fn moment(timestamp: Timestamp) -> Result<OffsetDateTime, CaError> {
    OffsetDateTime::from_unix_timestamp(timestamp.unix_seconds()).map_err(|_| CaError::Clock(timestamp))
}
