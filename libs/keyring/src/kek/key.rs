// SPDX-License-Identifier: Apache-2.0
//! One key-encryption key with its id.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::aead::{AES_256_GCM, RandomizedNonceKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hkdf::{HKDF_SHA256, Prk, Salt};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cress_domain::Secret;
use zeroize::Zeroizing;

use super::KeyEncryptionKeyError;

/// Of AES-256.
pub(super) const KEY_BYTES: usize = 32;
/// How much of a key's hash stands in an envelope, to tell a wrong key from a damaged envelope.
pub(super) const FINGERPRINT_BYTES: usize = 8;

const ID_BYTES_MAX: usize = 64;
const DERIVATION_CONTEXT: &[u8] = b"cress key-encryption key derivation 1";
const FINGERPRINT_CONTEXT: &[u8] = b"cress key-encryption key fingerprint 1\0";

/// The id of a key-encryption key: given by the operator, or else made from the key's hash.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyEncryptionKeyId(String);

/// One key-encryption key, ready to seal and open.
pub struct KeyEncryptionKey {
    id: KeyEncryptionKeyId,
    fingerprint: [u8; FINGERPRINT_BYTES],
    cipher: RandomizedNonceKey,
    derivation: Prk,
}

/// Keys as they stand in their file: one a line, `<base64>` or `<id>:<base64>`, the one that seals first; empty lines and lines that
/// begin with `#` do not count. None if anything else is there, or no key.
pub(super) fn parse(text: &str) -> Option<Vec<KeyEncryptionKey>> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let keys = lines.map(parse_line).collect::<Option<Vec<_>>>()?;
    (!keys.is_empty()).then_some(keys)
}

fn parse_line(line: &str) -> Option<KeyEncryptionKey> {
    let (id, encoded) = match line.split_once(':') {
        Some((id, encoded)) => (Some(id.trim().parse().ok()?), encoded.trim()),
        None => (None, line),
    };
    let bytes = STANDARD.decode(encoded).map(Zeroizing::new).ok()?;
    let bytes: &[u8; KEY_BYTES] = bytes.as_slice().try_into().ok()?;
    KeyEncryptionKey::new(id, &Secret::new(*bytes)).ok()
}

impl KeyEncryptionKey {
    /// A key of these bytes. Without an id it gets one made from its hash.
    ///
    /// # Errors
    /// [`KeyEncryptionKeyError::Failed`].
    pub fn new(id: Option<KeyEncryptionKeyId>, bytes: &Secret<[u8; KEY_BYTES]>) -> Result<Self, KeyEncryptionKeyError> {
        let fingerprint = fingerprint(bytes);
        let id = id.unwrap_or_else(|| KeyEncryptionKeyId::of(fingerprint));
        let cipher =
            RandomizedNonceKey::new(&AES_256_GCM, bytes.expose()).map_err(|_| KeyEncryptionKeyError::Failed)?;
        let derivation = Salt::new(HKDF_SHA256, DERIVATION_CONTEXT).extract(bytes.expose());
        Ok(Self { id, fingerprint, cipher, derivation })
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> &KeyEncryptionKeyId {
        &self.id
    }

    /// The key's id and a part of its hash: tells apart two keys that were given the same id.
    #[must_use]
    pub fn description(&self) -> String {
        format!("{} {:016x}", self.id, u64::from_be_bytes(self.fingerprint))
    }

    pub(super) const fn fingerprint(&self) -> [u8; FINGERPRINT_BYTES] {
        self.fingerprint
    }

    /// A key for one envelope alone: `context` has to be different for each.
    pub(super) fn derived(&self, context: &[u8]) -> Option<RandomizedNonceKey> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        self.derivation.expand(&[context], &AES_256_GCM).ok()?.fill(bytes.as_mut()).ok()?;
        RandomizedNonceKey::new(&AES_256_GCM, bytes.as_ref()).ok()
    }

    pub(super) const fn cipher(&self) -> &RandomizedNonceKey {
        &self.cipher
    }
}

/// A hash of 256 random bits tells nothing about them.
fn fingerprint(bytes: &Secret<[u8; KEY_BYTES]>) -> [u8; FINGERPRINT_BYTES] {
    let input = Zeroizing::new([FINGERPRINT_CONTEXT, bytes.expose()].concat());
    let mut fingerprint = [0; FINGERPRINT_BYTES];
    for (byte, hashed) in fingerprint.iter_mut().zip(digest(&SHA256, &input).as_ref()) {
        *byte = *hashed;
    }
    fingerprint
}

impl KeyEncryptionKeyId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn of(fingerprint: [u8; FINGERPRINT_BYTES]) -> Self {
        Self(format!("kek-{:016x}", u64::from_be_bytes(fingerprint)))
    }
}

impl FromStr for KeyEncryptionKeyId {
    type Err = KeyEncryptionKeyError;
    fn from_str(text: &str) -> Result<Self, KeyEncryptionKeyError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        if (1..=ID_BYTES_MAX).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(KeyEncryptionKeyError::Id)
        }
    }
}

impl fmt::Display for KeyEncryptionKeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for KeyEncryptionKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "KeyEncryptionKey({})", self.id)
    }
}
