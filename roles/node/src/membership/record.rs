// SPDX-License-Identifier: Apache-2.0
//! What makes a node a member, as it is kept: one file, replaced as a whole.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use cress_api::node_protocol::{Certificate, NODE_URN_PREFIX};
use cress_domain::{MachineId, Timestamp};
use cress_service::data_dir::DataDir;
use cress_service::plain_words;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde::{Deserialize, Serialize};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::MembershipError;

const FILE: &str = "membership.json";

/// The file's content. It holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) machine_id: MachineId,
    /// The certificate and its chain, PEM.
    pub(super) chain_pem: String,
    /// The authorities that control's certificate may come from, PEM.
    pub(super) authorities_pem: String,
    /// How long the certificate was good for when it was issued, by control's clock.
    pub(super) life_seconds: u64,
    /// Control's time when the certificate was issued, microseconds: an earlier time has been for sure.
    #[serde(default)]
    pub(super) control_time: i64,
    /// SHA-256 of the join token's secret with which the node joined: another join token is a wish to join again.
    #[serde(default)]
    pub(super) join_token_hash: Option<String>,
}

impl Record {
    /// From what control sent; checked as far as it can be without the key.
    pub(super) fn of(certificate: Certificate) -> Result<Self, MembershipError> {
        let time = Timestamp::from_unix_microseconds;
        let life = time(certificate.not_after).saturating_since(time(certificate.control_time));
        let machine_id = machine_id(&certificate.chain_pem).map_err(MembershipError::Answer)?;
        let Certificate { chain_pem, authorities_pem, control_time, .. } = certificate;
        let life_seconds = life.as_secs();
        Ok(Self { machine_id, chain_pem, authorities_pem, life_seconds, control_time, join_token_hash: None })
    }

    pub(super) fn load(data_dir: &Path) -> Result<Option<Self>, MembershipError> {
        let path = data_dir.join(FILE);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(MembershipError::File { path, reason: plain_words(&error) }),
        };
        serde_json::from_slice(&text).map(Some).map_err(|error| MembershipError::File {
            path,
            reason: format!("{error}; restore it, or remove it and enrol the node anew"),
        })
    }

    pub(super) fn save(&self, data_dir: &DataDir) -> Result<(), MembershipError> {
        let text = serde_json::to_vec(self).map_err(|error| MembershipError::Answer(error.to_string()))?;
        Ok(data_dir.write(FILE, &text)?)
    }

    pub(super) fn authorities(&self) -> Result<Vec<Vec<u8>>, MembershipError> {
        let authorities = certificates(&self.authorities_pem).map_err(MembershipError::Answer)?;
        Ok(authorities.into_iter().map(|authority| authority.to_vec()).collect())
    }

    /// When it heard from control.
    pub(super) const fn control_time(&self) -> Timestamp {
        Timestamp::from_unix_microseconds(self.control_time)
    }

    pub(super) const fn life(&self) -> Duration {
        Duration::from_secs(self.life_seconds)
    }
}

/// Whether a node needs a join token to start with this data directory: it is no member of a fleet yet. A damaged directory is left to the
/// start, which says what is wrong with it.
#[must_use]
pub fn needs_join_token(data_dir: &Path) -> bool {
    !data_dir.join(FILE).exists()
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<_, _>>().map_err(|error| error.to_string())
}

/// The machine id that a certificate is for.
fn machine_id(chain_pem: &str) -> Result<MachineId, String> {
    let chain = certificates(chain_pem)?;
    let first = chain.first().ok_or("expected a certificate, got none")?;
    let (_, parsed) = X509Certificate::from_der(first).map_err(|error| error.to_string())?;
    let names = parsed.subject_alternative_name().map_err(|error| error.to_string())?;
    let uris = names.iter().flat_map(|names| &names.value.general_names).filter_map(|name| match name {
        GeneralName::URI(uri) => uri.strip_prefix(NODE_URN_PREFIX),
        _ => None,
    });
    let ids: Vec<&str> = uris.collect();
    match ids.as_slice() {
        [id] => id.parse().map_err(|error: cress_domain::IdError| error.to_string()),
        ids => Err(format!("expected a certificate with one name {NODE_URN_PREFIX}<machine id>, got {}", ids.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(uris: &[&str]) -> Certificate {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::default();
        params.subject_alt_names =
            uris.iter().map(|uri| rcgen::SanType::URI((*uri).to_owned().try_into().unwrap())).collect();
        let pem = params.self_signed(&key).unwrap().pem();
        let second = 1_000_000;
        Certificate { chain_pem: pem.clone(), authorities_pem: pem, not_after: 90 * second, control_time: 30 * second }
    }

    #[test]
    fn the_machine_id_comes_from_the_certificate_alone() {
        let id = "d2d83275-b10a-c957-8f1c-89666a05dc79";
        let record = Record::of(certificate(&["urn:other", &format!("urn:cress:node:{id}")])).unwrap();
        assert_eq!((record.machine_id.to_string().as_str(), record.life_seconds), (id, 60));
        for uris in [vec![], vec!["urn:cress:node:x"], vec!["urn:cress:node:a", "urn:cress:node:b"], vec!["urn:other"]]
        {
            assert!(matches!(Record::of(certificate(&uris)), Err(MembershipError::Answer(_))), "{uris:?}");
        }
        let nothing = Certificate { chain_pem: String::new(), ..certificate(&[]) };
        assert!(Record::of(nothing).is_err());
    }

    #[test]
    fn a_record_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let data_dir = DataDir::open(directory.path()).unwrap();
        assert_eq!(Record::load(data_dir.path()).unwrap(), None);
        let record = Record::of(certificate(&["urn:cress:node:d2d83275-b10a-c957-8f1c-89666a05dc79"])).unwrap();
        record.save(&data_dir).unwrap();
        assert_eq!(Record::load(data_dir.path()).unwrap(), Some(record));
        data_dir.write(FILE, b"{").unwrap();
        assert!(Record::load(data_dir.path()).unwrap_err().to_string().contains("enrol the node anew"));
    }
}
