// SPDX-License-Identifier: Apache-2.0
//! Public keys as other programs take them: SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7) in DER and PEM (RFC 7468).
//!
//! The few structures that are needed are written by hand; nothing is ever read here.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::Jwk;
use crate::key_material::{Curve, KeyMaterial};

/// Contents of the object identifiers, in DER.
mod oid {
    /// 1.2.840.10045.2.1 (RFC 5480 section 2.1.1).
    pub(super) const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
    /// 1.2.840.10045.3.1.7.
    pub(super) const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
    /// 1.3.132.0.34.
    pub(super) const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
    /// 1.2.840.113549.1.1.1 (RFC 3279 section 2.3.1).
    pub(super) const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
    /// 1.3.101.112 (RFC 8410 section 3).
    pub(super) const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
}

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const NULL: u8 = 0x05;
const OBJECT_IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
/// The first octet of a point that is written with both coordinates (SEC 1 section 2.3.3).
const UNCOMPRESSED: u8 = 0x04;
/// RFC 7468 section 2.
const PEM_LINE_CHARACTERS: usize = 64;

impl Jwk {
    /// The key as SubjectPublicKeyInfo in DER. It says neither the key's id nor its algorithm.
    #[must_use]
    pub fn to_spki_der(&self) -> Vec<u8> {
        let (algorithm, key) = match self.material() {
            KeyMaterial::Ec { curve, x, y } => {
                let curve = match curve {
                    Curve::P256 => oid::P256,
                    Curve::P384 => oid::P384,
                };
                let algorithm =
                    [element(OBJECT_IDENTIFIER, &[oid::EC_PUBLIC_KEY]), element(OBJECT_IDENTIFIER, &[curve])];
                (algorithm.concat(), [&[UNCOMPRESSED], x.as_slice(), y].concat())
            }
            KeyMaterial::Rsa { n, e } => {
                let algorithm = [element(OBJECT_IDENTIFIER, &[oid::RSA]), element(NULL, &[])];
                (algorithm.concat(), element(SEQUENCE, &[&unsigned(n), &unsigned(e)]))
            }
            KeyMaterial::Ed25519 { x } => (element(OBJECT_IDENTIFIER, &[oid::ED25519]), x.clone()),
        };
        // The bit string's first octet says that no bit of the last one is unused.
        element(SEQUENCE, &[&element(SEQUENCE, &[&algorithm]), &element(BIT_STRING, &[&[0], &key])])
    }

    /// The key as SubjectPublicKeyInfo in PEM, as `openssl pkey -pubin` reads and writes it, with a line break at its end.
    #[must_use]
    pub fn to_spki_pem(&self) -> String {
        let mut pem = String::from("-----BEGIN PUBLIC KEY-----");
        for (index, character) in STANDARD.encode(self.to_spki_der()).chars().enumerate() {
            if index % PEM_LINE_CHARACTERS == 0 {
                pem.push('\n');
            }
            pem.push(character);
        }
        pem + "\n-----END PUBLIC KEY-----\n"
    }
}

/// One element of DER: tag, length, content.
fn element(tag: u8, contents: &[&[u8]]) -> Vec<u8> {
    let content = contents.concat();
    let mut bytes = vec![tag];
    match u8::try_from(content.len()) {
        Ok(length) if length < 0x80 => bytes.push(length),
        _ => {
            let length = content.len().to_be_bytes();
            let significant: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
            // At most eight octets, so this never meets the limit of its type.
            bytes.push(0x80 | u8::try_from(significant.len()).unwrap_or(0x7f));
            bytes.extend(significant);
        }
    }
    bytes.extend(content);
    bytes
}

/// A number without a sign: one zero before it keeps its first bit from being taken for one.
fn unsigned(number: &[u8]) -> Vec<u8> {
    let sign: &[u8] = if number.first().is_some_and(|first| first & 0x80 != 0) { &[0] } else { &[] };
    element(INTEGER, &[sign, number])
}
