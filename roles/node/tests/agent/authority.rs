// SPDX-License-Identifier: Apache-2.0
//! The certificate authority of a test's control.

use std::time::Duration;

use cress_api::node_protocol::Certificate;
use cress_domain::{Clock, MachineId, Secret};
use cress_service::SystemClock;
use cress_service::tls::{ClientCertificates, Identity, Protocol, Roots, ServerTls, fingerprint};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SanType,
};
use rustls::ServerConfig;
use time::OffsetDateTime;

/// An authority with a key in memory.
pub(crate) struct Authority {
    certificate: rcgen::Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        valid(&mut params, Duration::from_secs(86_400));
        let certificate = params.self_signed(&key).unwrap();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    pub(crate) fn fingerprint(&self) -> [u8; 32] {
        fingerprint(self.certificate.der())
    }

    /// TLS for a server at this address, which knows clients by this authority.
    pub(crate) fn server_tls(&self, address: &str) -> std::sync::Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![address.to_owned()]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        valid(&mut params, Duration::from_secs(86_400));
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let chain = [certificate.der().to_vec(), self.certificate.der().to_vec()];
        let clock = std::sync::Arc::new(SystemClock::new());
        let identity = Identity::from_der(&chain, &Secret::new(key.serialize_der()), clock.as_ref()).unwrap();
        let clients = ClientCertificates::Optional(Roots::from_der(&[self.certificate.der().to_vec()]).unwrap());
        ServerTls { identity, clients, protocol: Protocol::Http2, clock }.config().unwrap()
    }

    /// A node's certificate, and the public key that it is for.
    pub(crate) fn sign(&self, request: &[u8], machine_id: MachineId, life: Duration) -> Certificate {
        let mut request = CertificateSigningRequestParams::from_der(&request.to_vec().into()).unwrap();
        let uri = format!("urn:cress:node:{machine_id}");
        request.params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap())];
        request.params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        valid(&mut request.params, life);
        let not_after = request.params.not_after.unix_timestamp() * 1_000_000;
        let certificate = request.signed_by(&self.issuer).unwrap();
        Certificate {
            chain_pem: certificate.pem(),
            authorities_pem: self.certificate.pem(),
            not_after,
            control_time: SystemClock::new().now().unix_microseconds(),
        }
    }
}

/// What tells the key of a request from others; the request's signature is good.
pub(crate) fn key_of(request: &[u8]) -> Vec<u8> {
    use rcgen::PublicKeyData;
    CertificateSigningRequestParams::from_der(&request.to_vec().into()).unwrap().public_key.der_bytes().to_vec()
}

/// From an hour ago until so long from now.
fn valid(params: &mut CertificateParams, life: Duration) {
    let now = OffsetDateTime::from_unix_timestamp(SystemClock::new().now().unix_seconds()).unwrap();
    params.not_before = now - Duration::from_secs(3_600);
    params.not_after = now + life;
}
