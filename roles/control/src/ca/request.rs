// SPDX-License-Identifier: Apache-2.0
//! A node's certificate signing request, of which only the key is taken: names and extensions are control's to say.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ED25519, UnparsedPublicKey, VerificationAlgorithm,
};
use cress_store::KeyFingerprint;
use rcgen::{PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PublicKeyData, SubjectPublicKeyInfo};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer;

/// The largest request that is looked at; one with a P-384 key has some 300 bytes.
const REQUEST_BYTES_MAX: usize = 8_192;

/// A key whose possession is proved.
#[derive(Debug, Clone)]
pub(crate) struct NodeKey {
    pub(super) public_key: SubjectPublicKeyInfo,
    fingerprint: KeyFingerprint,
}

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RequestError {
    /// Too large.
    #[error("expected a certificate signing request of at most {REQUEST_BYTES_MAX} bytes, got {0}")]
    TooLong(usize),
    /// Not PKCS#10 in DER.
    #[error("expected a certificate signing request (PKCS#10, DER), got something else")]
    Malformed,
    /// A key of another kind.
    #[error("expected a certificate signing request for an ECDSA P-256, ECDSA P-384 or Ed25519 key, got another kind")]
    KeyKind,
    /// The possession of the key is not proved.
    #[error("expected a certificate signing request signed with its own key; its signature does not match")]
    Signature,
}

impl NodeKey {
    /// Parses a request and checks that whoever made it has the private key.
    ///
    /// # Errors
    /// [`RequestError`]
    pub(crate) fn of_request(der: &[u8]) -> Result<Self, RequestError> {
        if der.len() > REQUEST_BYTES_MAX {
            return Err(RequestError::TooLong(der.len()));
        }
        let Ok((&[], request)) = X509CertificationRequest::from_der(der) else { return Err(RequestError::Malformed) };
        let public_key = public_key(request.certification_request_info.subject_pki.raw)?;
        request.verify_signature().map_err(|_| RequestError::Signature)?;
        let fingerprint = key_fingerprint(&public_key.subject_public_key_info());
        Ok(Self { public_key, fingerprint })
    }

    /// Whether this signature over a message is by this key.
    pub(crate) fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let algorithm: &dyn VerificationAlgorithm = match self.public_key.algorithm() {
            algorithm if *algorithm == PKCS_ECDSA_P256_SHA256 => &ECDSA_P256_SHA256_ASN1,
            algorithm if *algorithm == PKCS_ECDSA_P384_SHA384 => &ECDSA_P384_SHA384_ASN1,
            algorithm if *algorithm == PKCS_ED25519 => &ED25519,
            _ => return false,
        };
        UnparsedPublicKey::new(algorithm, self.public_key.der_bytes()).verify(message, signature).is_ok()
    }

    /// What the store knows the key by.
    pub(crate) const fn fingerprint(&self) -> KeyFingerprint {
        self.fingerprint
    }
}

/// SHA-256 of a public key (SPKI, DER).
pub(crate) fn key_fingerprint(spki: &[u8]) -> KeyFingerprint {
    let mut bytes = [0; 32];
    for (byte, hashed) in bytes.iter_mut().zip(digest(&SHA256, spki).as_ref()) {
        *byte = *hashed;
    }
    KeyFingerprint::from_bytes(bytes)
}

/// One spelling for one key, so that it has one fingerprint: points of curves are uncompressed.
fn public_key(spki: &[u8]) -> Result<SubjectPublicKeyInfo, RequestError> {
    let key = SubjectPublicKeyInfo::from_der(spki).map_err(|_| RequestError::KeyKind)?;
    let bytes = key.der_bytes();
    let uncompressed = |length| bytes.len() == length && bytes.first() == Some(&4);
    let algorithm = key.algorithm();
    let accepted = (*algorithm == PKCS_ECDSA_P256_SHA256 && uncompressed(65))
        || (*algorithm == PKCS_ECDSA_P384_SHA384 && uncompressed(97))
        || (*algorithm == PKCS_ED25519 && bytes.len() == 32);
    if accepted { Ok(key) } else { Err(RequestError::KeyKind) }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P521_SHA512, PKCS_RSA_SHA256};

    use super::*;

    fn request(algorithm: &'static rcgen::SignatureAlgorithm) -> (Vec<u8>, KeyPair) {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let params = CertificateParams::new(vec!["impostor.example".to_owned()]).unwrap();
        (params.serialize_request(&key).unwrap().der().to_vec(), key)
    }

    #[test]
    fn three_kinds_of_keys_are_accepted() {
        for (algorithm, accepted) in [
            (&PKCS_ECDSA_P256_SHA256, true),
            (&PKCS_ECDSA_P384_SHA384, true),
            (&PKCS_ED25519, true),
            (&PKCS_ECDSA_P521_SHA512, false),
            (&PKCS_RSA_SHA256, false),
        ] {
            let (der, key) = request(algorithm);
            match NodeKey::of_request(&der) {
                Ok(node_key) => {
                    assert!(accepted, "{algorithm:?}");
                    assert_eq!(node_key.fingerprint(), key_fingerprint(&key.subject_public_key_info()));
                }
                Err(error) => assert!(!accepted && error == RequestError::KeyKind, "{algorithm:?}: {error}"),
            }
        }
    }

    #[test]
    fn a_signature_is_by_one_key_over_one_message() {
        use rcgen::SigningKey;
        for algorithm in [&PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P384_SHA384, &PKCS_ED25519] {
            let (der, key) = request(algorithm);
            let node_key = NodeKey::of_request(&der).unwrap();
            let mut signature = key.sign(b"message").unwrap();
            assert!(node_key.signed(b"message", &signature), "{algorithm:?}");
            assert!(!node_key.signed(b"another", &signature));
            assert!(!NodeKey::of_request(&request(algorithm).0).unwrap().signed(b"message", &signature));
            *signature.last_mut().unwrap() ^= 1;
            assert!(!node_key.signed(b"message", &signature));
            assert!(!node_key.signed(b"message", &[]));
        }
    }

    #[test]
    fn a_request_proves_the_possession_of_its_key() {
        let (good, _) = request(&PKCS_ECDSA_P256_SHA256);
        let mut forged = good.clone();
        *forged.last_mut().unwrap() ^= 1;
        let mut renamed = good.clone();
        let name = renamed.windows(8).position(|window| window == b"impostor").unwrap();
        renamed[name] = b'X';
        let trailing = [good.as_slice(), &[0]].concat();
        for (der, expected) in [
            (forged, RequestError::Signature),
            (renamed, RequestError::Signature),
            (trailing, RequestError::Malformed),
            (good[..good.len() - 1].to_vec(), RequestError::Malformed),
            (Vec::new(), RequestError::Malformed),
            (vec![0; REQUEST_BYTES_MAX + 1], RequestError::TooLong(REQUEST_BYTES_MAX + 1)),
        ] {
            assert_eq!(NodeKey::of_request(&der).unwrap_err(), expected);
        }
    }
}
