// SPDX-License-Identifier: Apache-2.0
//! The node's own key: made here, kept here, never sent anywhere.

use std::io::ErrorKind;

use cress_domain::Secret;
use cress_service::data_dir::DataDir;
use cress_service::plain_words;
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, SigningKey};

use super::MembershipError;

/// Its file, PKCS#8 in PEM.
const FILE: &str = "node-key.pem";

/// An ECDSA P-256 key.
pub(super) struct NodeKey(KeyPair);

impl NodeKey {
    /// The key of this data directory; made, and safely on the disk, if there is none. It is kept before anything is
    /// asked of control, so that an answer that gets lost can be asked for again with the same key.
    pub(super) fn load_or_make(data_dir: &DataDir) -> Result<Self, MembershipError> {
        let path = data_dir.file(FILE);
        match std::fs::read_to_string(&path).map(Secret::new) {
            Ok(pem) => Self::parse(&pem).map_err(|reason| MembershipError::File { path, reason }),
            Err(error) if error.kind() == ErrorKind::NotFound => Self::make(data_dir),
            Err(error) => Err(MembershipError::File { path, reason: plain_words(&error) }),
        }
    }

    /// The key as PKCS#8 in PEM.
    pub(super) fn pem(&self) -> Secret<Vec<u8>> {
        Secret::new(self.0.serialize_pem().into_bytes())
    }

    /// A certificate signing request (PKCS#10, DER), which proves possession of the key. Control ignores all else in it.
    pub(super) fn signing_request(&self) -> Result<Vec<u8>, MembershipError> {
        let request = CertificateParams::default().serialize_request(&self.0);
        request.map(|request| request.der().to_vec()).map_err(|error| MembershipError::Key(error.to_string()))
    }

    /// Its signature over a message: ECDSA with SHA-256, ASN.1.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, MembershipError> {
        self.0.sign(message).map_err(|error| MembershipError::Key(error.to_string()))
    }

    fn make(data_dir: &DataDir) -> Result<Self, MembershipError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
            .map(Self)
            .map_err(|error| MembershipError::Key(error.to_string()))?;
        data_dir.write(FILE, key.pem().expose())?;
        Ok(key)
    }

    fn parse(pem: &Secret<String>) -> Result<Self, String> {
        KeyPair::from_pkcs8_pem_and_sign_algo(pem.expose(), &PKCS_ECDSA_P256_SHA256).map(Self).map_err(|_| {
            "expected an ECDSA P-256 key as PKCS#8 in PEM; restore it, or remove it and enrol the node anew".to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_kept_for_its_owner() {
        let directory = tempfile::tempdir().unwrap();
        let data_dir = DataDir::open(directory.path()).unwrap();
        let made = NodeKey::load_or_make(&data_dir).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::mode(&data_dir.file(FILE).metadata().unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
        let loaded = NodeKey::load_or_make(&data_dir).unwrap();
        assert_eq!(made.pem().expose(), loaded.pem().expose());
        assert!(loaded.signing_request().unwrap().len() > 100);

        data_dir.write(FILE, b"nonsense").unwrap();
        let message = NodeKey::load_or_make(&data_dir).err().unwrap().to_string();
        assert!(message.contains("node-key.pem") && message.contains("enrol the node anew"), "{message}");
    }
}
