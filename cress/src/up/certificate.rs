// SPDX-License-Identifier: Apache-2.0
//! The broker's certificate, by an authority of its own that is forgotten as soon as it has signed: whoever trusts `ca.pem` trusts this one
//! certificate of this machine and nothing else.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use cress_domain::{Clock, Random, Timestamp};
use cress_service::data_dir::write_atomically;
use cress_service::tls::CertificateFiles;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SerialNumber,
};
use time::OffsetDateTime;

/// How long it lives.
const LIFE: Duration = Duration::from_secs(365 * 24 * 3_600);
/// A new one is made at a start when so much is left of the old one.
const RENEW_WHEN_LEFT: Duration = Duration::from_secs(60 * 24 * 3_600);
/// For clients whose clocks are slow.
const BACK_DATED: Duration = Duration::from_secs(3_600);
/// RFC 5280 section 4.1.2.2 allows 20 bytes.
const SERIAL_BYTES: usize = 16;

/// Where the files lie.
#[derive(Debug, Clone)]
pub(super) struct BrokerCertificate {
    pub(super) ca_file: PathBuf,
    pub(super) files: CertificateFiles,
}

impl BrokerCertificate {
    /// The certificate in this directory, for this address and `localhost`. Made if it is not there, or ends soon.
    pub(super) fn ensure(
        directory: &Path,
        address: IpAddr,
        clock: &dyn Clock,
        random: &dyn Random,
    ) -> anyhow::Result<Self> {
        let file = |name: &str| directory.join(name);
        let certificate = Self {
            ca_file: file("ca.pem"),
            files: CertificateFiles { certificate_file: file("certificate.pem"), key_file: file("key.pem") },
        };
        let until = file("valid-until");
        let names = [address.to_string(), "localhost".to_owned()];
        let told = std::fs::read_to_string(&until).unwrap_or_default();
        if certificate.is_good(&told, &names, clock.now()) {
            return Ok(certificate);
        }
        certificate.make(&names, clock.now(), random).context("cannot make the broker's certificate")?;
        let end = (clock.now() + LIFE).rfc3339();
        write_atomically(&until, format!("{end} {}\n", names.join(" ")).as_bytes())?;
        Ok(certificate)
    }

    fn is_good(&self, told: &str, names: &[String; 2], now: Timestamp) -> bool {
        let (end, of) = told.trim_end().split_once(' ').unwrap_or_default();
        let lasts = Timestamp::parse_rfc3339(end).is_ok_and(|end| end > now + RENEW_WHEN_LEFT);
        let files = [&self.ca_file, &self.files.certificate_file, &self.files.key_file];
        lasts && of == names.join(" ") && files.into_iter().all(|file| file.is_file())
    }

    fn make(&self, names: &[String; 2], now: Timestamp, random: &dyn Random) -> anyhow::Result<()> {
        let mut authority = params("cress up: broker authority", now, random)?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let authority_key = KeyPair::generate()?;
        let ca = authority.self_signed(&authority_key)?;
        let issuer = Issuer::new(authority, authority_key);
        let mut server = params("cress broker", now, random)?;
        server.subject_alt_names = CertificateParams::new(names.to_vec())?.subject_alt_names;
        server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate()?;
        let signed = server.signed_by(&key, &issuer)?;
        write_atomically(&self.files.key_file, key.serialize_pem().as_bytes())?;
        write_atomically(&self.files.certificate_file, signed.pem().as_bytes())?;
        write_atomically(&self.ca_file, ca.pem().as_bytes())?;
        Ok(())
    }
}

fn params(name: &str, now: Timestamp, random: &dyn Random) -> anyhow::Result<CertificateParams> {
    let moment = |at: Timestamp| OffsetDateTime::from_unix_timestamp(at.unix_seconds()).context("the clock is wrong");
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = moment(now - BACK_DATED)?;
    params.not_after = moment(now + LIFE)?;
    let mut serial = [0; SERIAL_BYTES];
    random.fill(&mut serial);
    if let Some(first) = serial.first_mut() {
        // Positive, and never with a leading zero (RFC 5280 section 4.1.2.2).
        *first = (*first & 0x7f) | 0x40;
    }
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

#[cfg(test)]
mod tests {
    use cress_service::{SystemClock, SystemRandom};

    use super::*;

    #[test]
    fn it_is_made_once_for_each_address() {
        let directory = tempfile::tempdir().unwrap();
        let ensure = |address: &str| {
            let (clock, random) = (SystemClock::new(), SystemRandom);
            let made = BrokerCertificate::ensure(directory.path(), address.parse().unwrap(), &clock, &random).unwrap();
            std::fs::read(made.files.certificate_file).unwrap()
        };
        let first = ensure("127.0.0.1");
        assert_eq!(ensure("127.0.0.1"), first);
        assert_ne!(ensure("127.0.0.2"), first);
        std::fs::remove_file(directory.path().join("ca.pem")).unwrap();
        assert_ne!(ensure("127.0.0.2"), first);
    }
}
