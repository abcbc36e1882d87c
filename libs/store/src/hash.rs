// SPDX-License-Identifier: Apache-2.0
//! SHA-256 values, each use a type of its own, so that none is compared with another's.

use std::fmt;
use std::str::FromStr;

/// A text that is no hash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a SHA-256 as 64 lower-case hexadecimal digits")]
pub struct HashError;

/// Lower-case hexadecimal digits only, so that one value has exactly one spelling.
pub(crate) fn parse_hex<const BYTES: usize>(text: &str) -> Option<[u8; BYTES]> {
    let lower_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() != 2 * BYTES || !text.bytes().all(lower_hex) {
        return None;
    }
    let mut bytes = [0; BYTES];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(bytes)
}

macro_rules! hashes {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// Takes the 32 bytes that SHA-256 gave.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The 32 bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = HashError;
            fn from_str(text: &str) -> Result<Self, HashError> {
                parse_hex(text).map(Self).ok_or(HashError)
            }
        }
    )*};
}

hashes! {
    /// SHA-256 of a public key (DER SubjectPublicKeyInfo): names a node's key.
    KeyFingerprint;
    /// SHA-256 of a certificate (DER): names a certificate authority.
    CertificateFingerprint;
    /// SHA-256 of a join token's secret: all that the store knows of it. The secret has 256 random bits, so no salt and no
    /// slow hash is needed.
    SecretHash;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_hash_are_one() {
        let hash = KeyFingerprint::from_bytes([0xa5; 32]);
        assert_eq!(hash.to_string().parse(), Ok(hash));
        for bad in ["", "a5", &"A5".repeat(32), &"a5".repeat(33), &"ä".repeat(32)] {
            assert_eq!(bad.parse::<KeyFingerprint>(), Err(HashError), "{bad}");
        }
    }
}
