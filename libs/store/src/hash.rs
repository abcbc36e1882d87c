// SPDX-License-Identifier: Apache-2.0
//! SHA-256 values, each use a type of its own, so that none is compared with another's.

use std::fmt;

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
