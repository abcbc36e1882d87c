// SPDX-License-Identifier: Apache-2.0
//! A client's TLS configuration, for connections between parts of cress.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cress_domain::{Clock, Timestamp};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::version::TLS13;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::pinned::verify_pinned;
use super::time::ClockTime;
use super::{Identity, Protocol, Roots, TlsError, provider};

/// What a client's TLS is made from.
#[derive(Clone)]
pub struct ClientTls {
    /// By what the server is known.
    pub servers: ServerTrust,
    /// With what the client proves itself, once it has a certificate; [`Identity::none`] for never.
    pub identity: Identity,
    /// What is spoken within.
    pub protocol: Protocol,
    /// The time at which the server's certificate is checked.
    pub clock: Arc<dyn Clock>,
}

/// By what a server is known. Its certificate must be for the name that the client connects to, in every case.
#[derive(Debug, Clone)]
pub enum ServerTrust {
    /// Its certificate comes from one of these authorities.
    Roots(Roots),
    /// Its certificate comes from the authority whose certificate has this SHA-256 [`super::fingerprint`]; the server shows that certificate in its chain.
    PinnedAuthority([u8; 32]),
    /// As the trust within, by a client whose clock may be wrong: a certificate whose time has not come or is over by that clock is checked
    /// as of its last moment, unless that is before a time that is known to have been.
    WhateverTheClock {
        /// By what it is known else.
        trust: Box<ServerTrust>,
        /// What ended before this is over for sure.
        not_ended_before: Timestamp,
    },
}

impl ClientTls {
    /// The configuration: TLS 1.3, since both ends are ours, and without resumption, so that a renewed certificate counts from the next
    /// connection on.
    ///
    /// # Errors
    /// [`TlsError::Configuration`]
    pub fn config(&self) -> Result<Arc<ClientConfig>, TlsError> {
        let time = Arc::new(ClockTime(Arc::clone(&self.clock)));
        let mut config = ClientConfig::builder_with_details(provider(), time)
            .with_protocol_versions(&[&TLS13])
            .map_err(|error| TlsError::Configuration(error.to_string()))?
            // "Dangerous" is rustls's word for any verifier of one's own. This one delegates every check to webpki.
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(ServerVerifier(self.servers.clone())))
            .with_client_cert_resolver(Arc::new(self.identity.clone()));
        config.resumption = Resumption::disabled();
        config.alpn_protocols = self.protocol.alpn();
        Ok(Arc::new(config))
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ClientTls")
            .field("servers", &self.servers)
            .field("protocol", &self.protocol)
            .finish_non_exhaustive()
    }
}

impl ServerTrust {
    fn verify(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self {
            Self::Roots(roots) => {
                let verifiers = roots.verifiers();
                verifiers.of_servers.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            }
            Self::PinnedAuthority(pin) => verify_pinned(pin, end_entity, intermediates, server_name, now),
            Self::WhateverTheClock { trust, not_ended_before } => {
                let verify = |time| trust.verify(end_entity, intermediates, server_name, ocsp_response, time);
                match verify(now) {
                    Err(error) if is_about_time(&error) => match last_moment(end_entity, *not_ended_before) {
                        Some(moment) => verify(moment),
                        None => Err(error),
                    },
                    verified => verified,
                }
            }
        }
    }
}

const fn is_about_time(error: &Error) -> bool {
    use CertificateError::{Expired, ExpiredContext, NotValidYet, NotValidYetContext};
    matches!(
        error,
        Error::InvalidCertificate(Expired | ExpiredContext { .. } | NotValidYet | NotValidYetContext { .. })
    )
}

/// The last moment of a certificate's life, unless it is before that time.
fn last_moment(certificate: &CertificateDer<'_>, not_before: Timestamp) -> Option<UnixTime> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let not_after = Timestamp::from_unix_seconds(parsed.validity().not_after.timestamp());
    let seconds = u64::try_from(not_after.unix_seconds()).ok()?;
    (not_after >= not_before).then(|| UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
}

/// Checks servers by the trust of the moment.
#[derive(Debug)]
struct ServerVerifier(ServerTrust);

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.0.verify(end_entity, intermediates, server_name, ocsp_response, now)
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
