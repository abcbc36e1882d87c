// SPDX-License-Identifier: Apache-2.0
//! What may be wrong with certificates, keys and where TLS is missing.

use std::net::SocketAddr;
use std::path::PathBuf;

use cress_domain::Timestamp;

/// Why TLS cannot be set up. Never holds key material.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why, in plain words.
        reason: String,
    },
    /// What is wrong with the content of a pair of files.
    #[error("certificate {} with key {}: {cause}", certificate_file.display(), key_file.display())]
    Files {
        /// The file with the chain.
        certificate_file: PathBuf,
        /// The file with the key.
        key_file: PathBuf,
        /// What is wrong.
        #[source]
        cause: Box<TlsError>,
    },
    /// No certificate where one is needed.
    #[error("expected at least one certificate in PEM (-----BEGIN CERTIFICATE-----), found none")]
    NoCertificate,
    /// No key where one is needed.
    #[error("expected one private key in PEM (PKCS#8, PKCS#1 or SEC1, not encrypted), found none")]
    NoKey,
    /// Bytes that are no certificate, or one that rustls cannot use.
    #[error("expected an X.509 certificate, got something else: {0}")]
    BadCertificate(String),
    /// Bytes that are no key, or one of an unsupported kind.
    #[error("expected an ECDSA P-256, P-384, P-521, Ed25519 or RSA (at least 2048 bits) private key: {0}")]
    BadKey(String),
    /// The key is another certificate's.
    #[error(
        "the private key does not belong to the certificate; the chain must begin with the certificate of that key"
    )]
    KeyMismatch,
    /// The certificate's time is over.
    #[error("the certificate expired at {not_after}; renew it")]
    Expired {
        /// Its end.
        not_after: Timestamp,
    },
    /// The certificate's time has not come.
    #[error("the certificate is not valid before {not_before}; check it and this machine's clock")]
    NotYetValid {
        /// Its begin.
        not_before: Timestamp,
    },
    /// Plain HTTP where others could read along.
    #[error(
        "{address} is reachable from other machines, so plain HTTP would show tokens to the network; give a TLS certificate and key, \
         listen on a loopback address, or say that a proxy in front does TLS with --behind-proxy"
    )]
    PlainHttp {
        /// The address.
        address: SocketAddr,
    },
    /// rustls refuses a configuration.
    #[error("TLS cannot be configured: {0}")]
    Configuration(String),
}
