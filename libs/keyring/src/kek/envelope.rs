// SPDX-License-Identifier: Apache-2.0
//! One envelope: version, fingerprint of the key-encryption key, nonce, ciphertext, tag.
//!
//! ```text
//! | 1 byte: version | 8 bytes: fingerprint | 12 bytes: nonce | ciphertext | 16 bytes: tag |
//! ```
//!
//! Authenticated besides the content: what it is for, its id, the key-encryption key's id. So an envelope that was moved to another
//! row, another ring or another use does not open there. Nonces are random, 96 bits: with the few envelopes that a key
//! ring makes, the chance that one repeats is nil (NIST SP 800-38D section 8.3 allows 2^32). Where there are many envelopes, each is
//! sealed under a key of its own, derived from the key-encryption key and all that is authenticated (HKDF, RFC 5869): version 2.

use std::ops::Deref;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use cress_domain::Secret;
use cress_store::Sealed;
use cress_store::keyring::RingName;
use zeroize::Zeroizing;

use super::key::FINGERPRINT_BYTES;
use super::{EnvelopeError, KeyEncryptionKey};

/// The first byte of an envelope sealed with the key-encryption key itself.
pub(super) const VERSION: u8 = 1;
/// The first byte of an envelope sealed with a key derived for it alone.
const VERSION_DERIVED: u8 = 2;

const HEAD_BYTES: usize = 1 + FINGERPRINT_BYTES + NONCE_LEN;
const AAD_CONTEXT: &[u8] = b"cress envelope";

/// What a sealed secret is for. It opens for nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Purpose {
    /// A signing key of this ring.
    SigningKey(RingName),
    /// The key of the certificate authority that certifies nodes.
    CertificateAuthority,
    /// A key that signs the broker's audit records.
    AuditSigningKey,
    /// The key that tokens and secrets are hashed with in audit records.
    AuditHashKey,
    /// A credential that the broker gives again under the same lease. There are millions of them.
    LeaseAnswer,
    /// A version of a secret that the broker gives out. Its id is `<name>#<version>`.
    StoredSecret,
}

impl Purpose {
    const fn name(self) -> &'static str {
        match self {
            Self::SigningKey(_) => "signing key",
            Self::CertificateAuthority => "certificate authority",
            Self::AuditSigningKey => "audit signing key",
            Self::AuditHashKey => "audit hash key",
            Self::LeaseAnswer => "lease answer",
            Self::StoredSecret => "stored secret",
        }
    }

    const fn ring(self) -> &'static str {
        match self {
            Self::SigningKey(ring) => ring.as_str(),
            Self::CertificateAuthority
            | Self::AuditSigningKey
            | Self::AuditHashKey
            | Self::StoredSecret
            | Self::LeaseAnswer => "",
        }
    }

    const fn version(self) -> u8 {
        match self {
            Self::SigningKey(_)
            | Self::CertificateAuthority
            | Self::AuditSigningKey
            | Self::AuditHashKey
            | Self::StoredSecret => VERSION,
            Self::LeaseAnswer => VERSION_DERIVED,
        }
    }
}

pub(super) fn seal(
    key: &KeyEncryptionKey,
    purpose: Purpose,
    id: &str,
    secret: &Secret<Vec<u8>>,
) -> Result<Sealed, EnvelopeError> {
    // With room for the tag from the start: growing would leave a copy of the secret behind.
    let mut content = Zeroizing::new(Vec::with_capacity(secret.expose().len() + AES_256_GCM.tag_len()));
    content.extend_from_slice(secret.expose());
    let authenticated = authenticated(key, purpose, id);
    let cipher = cipher(key, purpose, &authenticated)?;
    let aad = Aad::from(authenticated);
    let nonce = cipher.seal_in_place_append_tag(aad, &mut *content).map_err(|_| EnvelopeError::Failed)?;
    let bytes = [&[purpose.version()][..], &key.fingerprint(), nonce.as_ref(), &content].concat();
    Ok(Sealed { key_encryption_key: key.id().as_str().to_owned(), bytes })
}

pub(super) fn open(
    key: &KeyEncryptionKey,
    purpose: Purpose,
    id: &str,
    envelope: &[u8],
) -> Result<Secret<Vec<u8>>, EnvelopeError> {
    let (fingerprint, nonce, ciphertext) =
        split(envelope, purpose).ok_or(EnvelopeError::Malformed { length: envelope.len() })?;
    if fingerprint != key.fingerprint() {
        return Err(EnvelopeError::WrongKey { id: key.id().clone() });
    }
    let mut content = Zeroizing::new(ciphertext.to_vec());
    let authenticated = authenticated(key, purpose, id);
    let cipher = cipher(key, purpose, &authenticated)?;
    let aad = Aad::from(authenticated);
    let nonce = Nonce::assume_unique_for_key(nonce);
    let secret = cipher.open_in_place(nonce, aad, &mut content).map_err(|_| EnvelopeError::Damaged)?;
    Ok(Secret::new(secret.to_vec()))
}

/// What seals and opens.
enum Cipher<'a> {
    Own(&'a RandomizedNonceKey),
    Derived(RandomizedNonceKey),
}

impl Deref for Cipher<'_> {
    type Target = RandomizedNonceKey;
    fn deref(&self) -> &RandomizedNonceKey {
        match self {
            Self::Own(cipher) => cipher,
            Self::Derived(cipher) => cipher,
        }
    }
}

/// The key-encryption key's own, or one for this envelope alone.
fn cipher<'a>(key: &'a KeyEncryptionKey, purpose: Purpose, authenticated: &[u8]) -> Result<Cipher<'a>, EnvelopeError> {
    match purpose.version() {
        VERSION => Ok(Cipher::Own(key.cipher())),
        _ => key.derived(authenticated).map(Cipher::Derived).ok_or(EnvelopeError::Failed),
    }
}

fn split(envelope: &[u8], purpose: Purpose) -> Option<([u8; FINGERPRINT_BYTES], [u8; NONCE_LEN], &[u8])> {
    let (head, ciphertext) = envelope.split_at_checked(HEAD_BYTES)?;
    let (version, head) = head.split_first()?;
    let (fingerprint, nonce) = head.split_at_checked(FINGERPRINT_BYTES)?;
    let long_enough = ciphertext.len() >= AES_256_GCM.tag_len();
    (*version == purpose.version() && long_enough).then_some((
        fingerprint.try_into().ok()?,
        nonce.try_into().ok()?,
        ciphertext,
    ))
}

/// Each part after its length, so that no two lists of parts make the same bytes.
fn authenticated(key: &KeyEncryptionKey, purpose: Purpose, id: &str) -> Vec<u8> {
    let parts = [
        AAD_CONTEXT,
        &[purpose.version()],
        purpose.name().as_bytes(),
        purpose.ring().as_bytes(),
        id.as_bytes(),
        key.id().as_str().as_bytes(),
    ];
    parts.iter().flat_map(|part| (part.len() as u64).to_be_bytes().into_iter().chain(part.iter().copied())).collect()
}
