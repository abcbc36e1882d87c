// SPDX-License-Identifier: Apache-2.0
//! SHA-256 values, each use a type of its own, so that none is compared with another's.

use std::fmt;
use std::str::FromStr;

use cress_domain::Hex;
pub(crate) use cress_domain::parse_hex;

/// A text that is no hash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a SHA-256 as 64 lower-case hexadecimal digits")]
pub struct HashError;

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
                Hex(&self.0).fmt(formatter)
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
