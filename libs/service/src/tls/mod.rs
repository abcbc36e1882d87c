// SPDX-License-Identifier: Apache-2.0
//! TLS (rustls over aws-lc): identities and roots that change while connections go on, and the configurations made from them.
//!
//! Resumption is off wherever clients have certificates: a resumed session would carry a certificate past its end, and skip its check.

mod client;
mod error;
mod files;
mod identity;
mod pinned;
mod policy;
mod roots;
mod server;
mod time;

use std::sync::{Arc, LazyLock};

use rustls::crypto::CryptoProvider;

pub use client::{ClientTls, ServerTrust};
pub use error::TlsError;
pub use files::{CertificateFiles, FileIdentity};
pub use identity::Identity;
pub use policy::{Proxy, check_plain_http};
pub use roots::Roots;
pub use server::{ClientCertificates, ServerTls};

/// What is spoken within TLS (ALPN, RFC 7301).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1, which [`crate::listen::Server::serve`] speaks.
    Http1,
    /// HTTP/2, which gRPC needs.
    Http2,
}

impl Protocol {
    fn alpn(self) -> Vec<Vec<u8>> {
        match self {
            Self::Http1 => vec![b"http/1.1".to_vec()],
            Self::Http2 => vec![b"h2".to_vec()],
        }
    }
}

/// The one provider of cryptography; given everywhere, so that no process-wide default is needed.
fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    Arc::clone(&PROVIDER)
}

/// The channel binding "tls-exporter" (RFC 9266): the same at both ends of one TLS 1.3 connection, and different in every other. What is
/// signed over it proves something on this connection alone. None before TLS 1.3 and before the handshake is over.
#[must_use]
pub fn channel_binding<T>(connection: &rustls::ConnectionCommon<T>) -> Option<[u8; 32]> {
    if connection.protocol_version() != Some(rustls::ProtocolVersion::TLSv1_3) {
        return None;
    }
    connection.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", None).ok()
}

/// SHA-256 of a certificate in DER: what a join token pins.
#[must_use]
pub fn fingerprint(certificate: &[u8]) -> [u8; 32] {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, certificate);
    let mut fingerprint = [0; 32];
    for (byte, digit) in fingerprint.iter_mut().zip(digest.as_ref()) {
        *byte = *digit;
    }
    fingerprint
}

#[cfg(test)]
mod tests;
