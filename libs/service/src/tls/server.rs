// SPDX-License-Identifier: Apache-2.0
//! A server's TLS configuration, and the check of clients' certificates.

use std::fmt;
use std::sync::Arc;

use cress_domain::Clock;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme};
use rustls_pki_types::{CertificateDer, UnixTime};

use super::time::ClockTime;
use super::{Identity, Protocol, Roots, TlsError, provider};

/// What a server's TLS is made from.
#[derive(Clone)]
pub struct ServerTls {
    /// With what the server proves itself.
    pub identity: Identity,
    /// Whether clients prove themselves too.
    pub clients: ClientCertificates,
    /// What is spoken within.
    pub protocol: Protocol,
    /// The time at which clients' certificates are checked.
    pub clock: Arc<dyn Clock>,
}

/// Whether clients prove themselves with certificates.
#[derive(Debug, Clone)]
pub enum ClientCertificates {
    /// They are not asked.
    Ignored,
    /// They may; a certificate that is shown must be good. [`crate::listen::Peer::certificates`] tells whether one was.
    Optional(Roots),
    /// They must.
    Required(Roots),
}

impl ServerTls {
    /// The configuration. With client certificates it is TLS 1.3 alone (1.2 would send them unencrypted) and without
    /// resumption; else TLS 1.3 or 1.2.
    ///
    /// # Errors
    /// [`TlsError::Configuration`]
    pub fn config(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let (roots, presence) = match &self.clients {
            ClientCertificates::Ignored => (None, Presence::Optional),
            ClientCertificates::Optional(roots) => (Some(roots), Presence::Optional),
            ClientCertificates::Required(roots) => (Some(roots), Presence::Required),
        };
        let versions: &[_] = if roots.is_some() { &[&TLS13] } else { &[&TLS13, &TLS12] };
        let time = Arc::new(ClockTime(Arc::clone(&self.clock)));
        let builder = ServerConfig::builder_with_details(provider(), time)
            .with_protocol_versions(versions)
            .map_err(|error| TlsError::Configuration(error.to_string()))?;
        let identity = Arc::new(self.identity.clone());
        let mut config = match roots {
            None => builder.with_no_client_auth().with_cert_resolver(identity),
            Some(roots) => {
                let verifier = Arc::new(ClientVerifier { roots: roots.clone(), presence });
                builder.with_client_cert_verifier(verifier).with_cert_resolver(identity)
            }
        };
        if roots.is_some() {
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        config.alpn_protocols = self.protocol.alpn();
        Ok(Arc::new(config))
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ServerTls")
            .field("clients", &self.clients)
            .field("protocol", &self.protocol)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    Optional,
    Required,
}

/// Checks clients by the roots of the moment.
#[derive(Debug)]
struct ClientVerifier {
    roots: Roots,
    presence: Presence,
}

impl ClientCertVerifier for ClientVerifier {
    fn client_auth_mandatory(&self) -> bool {
        self.presence == Presence::Required
    }

    /// No hints: they would be of the roots at the start, and a client has but one certificate to show.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.roots.verifiers().of_clients.verify_client_cert(end_entity, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &provider().signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &provider().signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}
