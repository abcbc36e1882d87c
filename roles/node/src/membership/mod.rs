// SPDX-License-Identifier: Apache-2.0
//! The node's membership of a fleet: its key, its certificate, and whom it trusts.
//!
//! The key never leaves the node, and the join token's secret never goes to anyone who has not proved before that the
//! authority named by the join token stands behind him.

mod control_time;
mod enrolment;
mod error;
mod key;
mod record;
mod recovery;
mod renewal;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cress_api::node_protocol::Certificate;
use cress_domain::{Clock, MachineId, Random, Timestamp};
use cress_service::data_dir::DataDir;
use cress_service::tls::{ClientTls, Identity, Protocol, Roots, ServerTrust};

pub(crate) use enrolment::join;
pub use error::MembershipError;
pub use record::needs_join_token;
pub(crate) use recovery::NotRecovered;
pub(crate) use renewal::renew_ahead;

use crate::backoff::fraction;
use control_time::ControlClock;
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
    clock: ControlClock,
    random: Arc<dyn Random>,
    /// What is on the disk.
    record: Mutex<Record>,
    /// Where in the certificate's life it is to be renewed: 0 for the earliest, 1 for the latest.
    renewal: Mutex<f64>,
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
        // Whether its time is over is control's to say: the clock here may be wrong.
        identity.replace_pem_at_any_time(record.chain_pem.as_bytes(), &key.pem())?;
        let roots = Roots::from_der(&record.authorities()?)?;
        let clock = ControlClock::new(clock, record.control_time());
        let (machine_id, renewal) = (record.machine_id, Mutex::new(fraction(random.as_ref())));
        let record = Mutex::new(record.clone());
        Ok(Self { machine_id, data_dir, key, identity, roots, clock, random, record, renewal })
    }

    /// Who the node is.
    pub(crate) const fn machine_id(&self) -> MachineId {
        self.machine_id
    }

    /// When its certificate expires.
    pub(crate) fn not_after(&self) -> Timestamp {
        self.identity.not_after().unwrap_or_default()
    }

    /// What time it is at control, as far as it is known.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Control, which has proved itself, says what time it is.
    pub(crate) fn learn_time(&self, control_time: Timestamp) {
        self.clock.learn(control_time);
    }

    /// How much longer its certificate is good.
    pub(crate) fn remaining(&self) -> Duration {
        self.not_after().saturating_since(self.clock.now())
    }

    /// How members talk to control: each end shows a certificate of the fleet's authorities. New connections take the
    /// newest certificate.
    pub(crate) fn tls(&self) -> ClientTls {
        ClientTls {
            servers: whatever_the_clock(ServerTrust::Roots(self.roots.clone()), self.clock.has_been()),
            identity: self.identity.clone(),
            protocol: Protocol::Http2,
            clock: Arc::new(self.clock.clone()),
        }
    }

    /// Trusts these authorities from now on: what control says over a connection on which it has proved itself. On the disk first.
    pub(crate) fn trust(&self, authorities_pem: &str) -> Result<(), MembershipError> {
        let mut record = self.record();
        if record.authorities_pem == authorities_pem {
            return Ok(());
        }
        let changed = Record { authorities_pem: authorities_pem.to_owned(), ..record.clone() };
        let authorities = changed.authorities()?;
        Roots::from_der(&authorities)?;
        changed.save(&self.data_dir)?;
        self.roots.replace(&authorities)?;
        *record = changed;
        tracing::info!(authorities = authorities.len(), "control's certificate authorities have changed");
        Ok(())
    }

    /// Takes a renewed certificate, if it is one for this node and its key: on the disk first, then for new connections.
    fn renewed(&self, certificate: Certificate) -> Result<(), MembershipError> {
        let mut record = Record::of(certificate)?;
        if record.machine_id != self.machine_id {
            return Err(MembershipError::OtherMachine { expected: self.machine_id, got: record.machine_id });
        }
        let (chain, key, authorities) = (record.chain_pem.clone(), self.key.pem(), record.authorities()?);
        let chain = chain.as_bytes();
        self.clock.learn(record.control_time());
        // Tried out before anything is replaced, so that a useless answer changes nothing.
        Identity::none().replace_pem(chain, &key, &self.clock)?;
        Roots::from_der(&authorities)?;
        let mut current = self.record();
        record.join_token_hash.clone_from(&current.join_token_hash);
        record.save(&self.data_dir)?;
        self.roots.replace(&authorities)?;
        self.identity.replace_pem_at_any_time(record.chain_pem.as_bytes(), &key)?;
        *current = record;
        *self.renewal.lock().unwrap_or_else(PoisonError::into_inner) = fraction(self.random.as_ref());
        Ok(())
    }

    /// By the clock of now: what control has said about the time meanwhile counts.
    fn until_renewal(&self) -> Duration {
        let (life, random) = (self.record().life(), *self.renewal.lock().unwrap_or_else(PoisonError::into_inner));
        until_renewal(self.remaining().min(life), life, random)
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Control's certificate is not refused because the node's clock is wrong; only what ended before the last contact is over for sure.
fn whatever_the_clock(trust: ServerTrust, has_been: Timestamp) -> ServerTrust {
    ServerTrust::WhateverTheClock { trust: Box::new(trust), not_ended_before: has_been }
}

/// How long to wait with the renewal of a certificate that is good for `remaining` of its `life`.
fn until_renewal(remaining: Duration, life: Duration, random: f64) -> Duration {
    remaining.saturating_sub(life.mul_f64(1.0 - RENEW_EARLIEST - RENEW_SPREAD * random))
}

/// For the fuzz targets: reads a certificate as an enrolment does.
#[cfg(fuzzing)]
pub(crate) fn read_certificate(certificate: Certificate) {
    drop(Record::of(certificate).and_then(|record| record.authorities()));
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
