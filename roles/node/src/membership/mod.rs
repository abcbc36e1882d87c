// SPDX-License-Identifier: Apache-2.0
//! The node's membership of a fleet: its key, its certificate, and whom it trusts.
//!
//! The key never leaves the node, and the join token's secret never goes to anyone who has not proved before that the
//! authority named by the join token stands behind him.

mod enrolment;
mod error;
mod key;
mod record;
mod renewal;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cress_api::node_protocol::Certificate;
use cress_domain::{Clock, MachineId, Random, Timestamp};
use cress_service::data_dir::DataDir;
use cress_service::tls::{ClientTls, Identity, Protocol, Roots, ServerTrust};

pub(crate) use enrolment::join;
pub use error::MembershipError;
pub use record::needs_join_token;
pub(crate) use renewal::renew_ahead;

use crate::backoff::fraction;
use key::NodeKey;
use record::Record;

/// A certificate is renewed when between this much of its life ...
const RENEW_EARLIEST: f64 = 0.5;
/// ... and this much more has passed, at random, so that nodes that were enrolled together do not renew together.
const RENEW_SPREAD: f64 = 0.1;

/// A node that is a member.
pub(crate) struct Membership {
    machine_id: MachineId,
    data_dir: Arc<DataDir>,
    key: Arc<NodeKey>,
    identity: Identity,
    roots: Roots,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    /// When the certificate is to be renewed, by the monotonic clock.
    renewal_due: Mutex<Duration>,
}

/// What making a membership takes.
#[derive(Clone)]
pub(crate) struct Means {
    pub(crate) data_dir: Arc<DataDir>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
}

impl Membership {
    fn new(means: Means, key: Arc<NodeKey>, record: &Record) -> Result<Self, MembershipError> {
        let Means { data_dir, clock, random } = means;
        let identity = Identity::none();
        identity.replace_pem(record.chain_pem.as_bytes(), &key.pem(), clock.as_ref())?;
        let roots = Roots::from_der(&record.authorities()?)?;
        let machine_id = record.machine_id;
        let renewal_due = Mutex::new(Duration::ZERO);
        let membership = Self { machine_id, data_dir, key, identity, roots, clock, random, renewal_due };
        membership.schedule(record.life());
        Ok(membership)
    }

    /// Who the node is.
    pub(crate) const fn machine_id(&self) -> MachineId {
        self.machine_id
    }

    /// When its certificate expires.
    pub(crate) fn not_after(&self) -> Timestamp {
        self.identity.not_after().unwrap_or_default()
    }

    /// The wall clock of the node.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// How much longer its certificate is good.
    pub(crate) fn remaining(&self) -> Duration {
        self.not_after().saturating_since(self.clock.now())
    }

    /// How members talk to control: each end shows a certificate of the fleet's authorities. New connections take the
    /// newest certificate.
    pub(crate) fn tls(&self) -> ClientTls {
        ClientTls {
            servers: ServerTrust::Roots(self.roots.clone()),
            identity: self.identity.clone(),
            protocol: Protocol::Http2,
            clock: Arc::clone(&self.clock),
        }
    }

    /// Takes a renewed certificate, if it is one for this node and its key: on the disk first, then for new connections.
    fn renewed(&self, certificate: Certificate) -> Result<(), MembershipError> {
        let record = Record::of(certificate)?;
        if record.machine_id != self.machine_id {
            return Err(MembershipError::OtherMachine { expected: self.machine_id, got: record.machine_id });
        }
        let (chain, key, authorities) = (record.chain_pem.as_bytes(), self.key.pem(), record.authorities()?);
        // Tried out before anything is replaced, so that a useless answer changes nothing.
        Identity::none().replace_pem(chain, &key, self.clock.as_ref())?;
        Roots::from_der(&authorities)?;
        record.save(&self.data_dir)?;
        self.roots.replace(&authorities)?;
        self.identity.replace_pem(chain, &key, self.clock.as_ref())?;
        self.schedule(record.life());
        Ok(())
    }

    fn schedule(&self, life: Duration) {
        let wait = until_renewal(self.remaining(), life, fraction(self.random.as_ref()));
        *self.renewal_due.lock().unwrap_or_else(PoisonError::into_inner) = self.clock.monotonic() + wait;
    }

    fn until_renewal(&self) -> Duration {
        let due = *self.renewal_due.lock().unwrap_or_else(PoisonError::into_inner);
        due.saturating_sub(self.clock.monotonic())
    }
}

/// How long to wait with the renewal of a certificate that is good for `remaining` of its `life`.
fn until_renewal(remaining: Duration, life: Duration, random: f64) -> Duration {
    remaining.saturating_sub(life.mul_f64(1.0 - RENEW_EARLIEST - RENEW_SPREAD * random))
}

#[cfg(test)]
mod tests {
    use cress_service::tls::TlsError;
    use cress_service::{SystemClock, SystemRandom};
    use rcgen::{CertificateParams, CertificateSigningRequestParams, KeyPair, SanType};

    use super::*;

    #[test]
    fn renewal_is_due_after_half_of_the_life() {
        let seconds = Duration::from_secs;
        assert_eq!(until_renewal(seconds(100), seconds(100), 0.0), seconds(50));
        assert_eq!(until_renewal(seconds(100), seconds(100), 1.0).as_millis(), 60_000);
        assert_eq!(until_renewal(seconds(70), seconds(100), 0.0), seconds(20));
        assert_eq!(until_renewal(seconds(10), seconds(100), 0.5), seconds(0));
    }

    /// A certificate for the key of this request.
    fn certificate(request: &[u8], machine_id: MachineId, not_after_year: i32) -> Certificate {
        let issuer = rcgen::Issuer::new(CertificateParams::default(), KeyPair::generate().unwrap());
        let authority = CertificateParams::default().self_signed(issuer.key()).unwrap();
        let mut request = CertificateSigningRequestParams::from_der(&request.to_vec().into()).unwrap();
        let name = format!("urn:cress:node:{machine_id}");
        request.params.subject_alt_names = vec![SanType::URI(name.try_into().unwrap())];
        request.params.not_after = rcgen::date_time_ymd(not_after_year, 1, 1);
        let chain_pem = request.signed_by(&issuer).unwrap().pem();
        Certificate { chain_pem, authorities_pem: authority.pem(), not_after: i64::MAX, control_time: 0 }
    }

    #[test]
    fn only_a_certificate_for_this_node_and_its_key_is_taken() {
        let directory = tempfile::tempdir().unwrap();
        let means = Means {
            data_dir: Arc::new(DataDir::open(directory.path()).unwrap()),
            clock: Arc::new(SystemClock::new()),
            random: Arc::new(SystemRandom),
        };
        let key = Arc::new(NodeKey::load_or_make(&means.data_dir).unwrap());
        let (own, other) = (MachineId::from_bytes([1; 16]), MachineId::from_bytes([2; 16]));
        let request = key.signing_request().unwrap();
        let other_request =
            CertificateParams::default().serialize_request(&KeyPair::generate().unwrap()).unwrap().der().to_vec();
        let record = Record::of(certificate(&request, own, 3_000)).unwrap();
        let membership = Membership::new(means.clone(), key, &record).unwrap();

        let renewed = |certificate| membership.renewed(certificate).unwrap_err();
        let with = |change: fn(&mut Certificate)| {
            let mut changed = certificate(&request, own, 3_001);
            change(&mut changed);
            changed
        };
        let error = renewed(certificate(&request, other, 3_001));
        assert!(matches!(error, MembershipError::OtherMachine { expected, got } if expected == own && got == other));
        let error = renewed(certificate(&other_request, own, 3_001));
        assert!(matches!(error, MembershipError::Tls(TlsError::KeyMismatch)), "{error}");
        let error = renewed(certificate(&request, own, 2_000));
        assert!(matches!(error, MembershipError::Tls(TlsError::Expired { .. })), "{error}");
        let error = renewed(with(|certificate| certificate.authorities_pem.clear()));
        assert!(matches!(error, MembershipError::Tls(TlsError::NoCertificate)), "{error}");
        let error = renewed(with(|certificate| certificate.chain_pem = "nonsense".to_owned()));
        assert!(matches!(error, MembershipError::Answer(_)), "{error}");
        let until = membership.not_after();
        assert_eq!(Record::load(directory.path()).unwrap(), None, "a refused certificate was kept");

        membership.renewed(certificate(&request, own, 3_001)).unwrap();
        assert!(membership.not_after() > until);
        let kept = Record::load(directory.path()).unwrap().unwrap();
        assert_eq!(kept.machine_id, own);
    }
}
