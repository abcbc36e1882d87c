// SPDX-License-Identifier: Apache-2.0
//! First contact: the one thing known of the server is the fingerprint of its authority's certificate.

use rustls::client::danger::ServerCertVerified;
use rustls::{CertificateError, Error};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::fingerprint;
use super::roots::Verifiers;

/// Finds the pinned authority in the chain that the server shows, and then verifies as if it alone had always been trusted: signatures,
/// times, purposes, and the server's name. The pin is over the whole certificate, so nothing else about the authority is up to the server.
pub(super) fn verify_pinned(
    pin: &[u8; 32],
    end_entity: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    server_name: &ServerName<'_>,
    now: UnixTime,
) -> Result<ServerCertVerified, Error> {
    // The server's own certificate is not looked at: an authority does not serve.
    let unknown = Error::InvalidCertificate(CertificateError::UnknownIssuer);
    let authority = intermediates.iter().find(|certificate| fingerprint(certificate) == *pin).ok_or(unknown)?;
    let verifiers =
        Verifiers::new(std::slice::from_ref(authority)).map_err(|error| Error::General(error.to_string()))?;
    verifiers.of_servers.verify_server_cert(end_entity, intermediates, server_name, &[], now)
}
