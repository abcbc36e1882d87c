// SPDX-License-Identifier: Apache-2.0
//! What is recorded of requests: who asked for what, what came of it, and why.

use std::collections::BTreeMap;
use std::time::Duration;

use cress_domain::{CredentialName, LeaseId};
use cress_provider::FieldValue;

use super::{Broker, Failure, Given, Running};
use crate::audit::{AuditUnavailable, Event, Hashed, Reason, Record, What, Who};
use crate::caller::{Bucket, Caller, Rate, Refused};
use crate::decision::{Denial, Moment, Permit};

/// Bad tokens that are recorded in a second. Anyone can send them, and records are kept for long; all are counted.
const STRANGERS_PER_SECOND: u32 = 20;
const STRANGERS_AT_ONCE: u32 = 200;

/// How often bad tokens are recorded.
pub(super) struct Strangers {
    rate: Rate,
    bucket: Bucket,
}

impl Strangers {
    pub(super) fn new() -> Self {
        Self { rate: Rate::new(STRANGERS_PER_SECOND, STRANGERS_AT_ONCE), bucket: Bucket::default() }
    }

    fn is_one_recorded(&self, now: Duration) -> bool {
        self.rate.take(&self.bucket, now).is_ok()
    }
}

impl Broker {
    pub(super) fn note_stranger(&self, running: &Running, token: &str, refused: &Refused) {
        let is_bad = refused.refusal.status == http::StatusCode::UNAUTHORIZED;
        if is_bad && self.strangers.is_one_recorded(self.parts.clock.monotonic()) {
            let who = running.callers.stranger(token);
            let reason = Reason::new(refused.refusal.code, String::new());
            let now = self.parts.clock.now();
            self.parts.audit.note(&Record::refused(now, Event::TokenCheck, who, What::default(), reason));
        }
    }

    pub(super) async fn record_denial(
        &self,
        caller: &Caller,
        credential: &CredentialName,
        (ttl_seconds, parameters): (Option<u32>, BTreeMap<String, String>),
        denial: &Denial,
        moment: Moment,
    ) {
        let what = What { credential: Some(credential.clone()), ttl_seconds, parameters, ..What::default() };
        let reason = Reason::new(denial.code, denial.detail.clone());
        let record = Record::refused(moment.time, Event::Issue, caller.who(), what, reason)
            .by_policies(&denial.policies)
            .from_address(moment.source_address);
        // It is denied whether or not that can be written; what cannot is counted.
        let _counted = self.parts.audit.record(&record).await;
    }

    pub(super) fn note_failed_issue(
        &self,
        caller: &Caller,
        permit: &Permit,
        failure: &Failure,
        detail: &str,
        moment: Moment,
    ) {
        let reason = Reason::new(failure.code(), detail);
        let record = Record::failed(moment.time, Event::Issue, caller.who(), what(permit), reason)
            .by_policies(permit.decision.decided_by())
            .from_address(moment.source_address);
        self.parts.audit.note(&record);
    }

    pub(super) async fn record_issue(
        &self,
        caller: &Caller,
        permit: &Permit,
        given: &Given,
        moment: Moment,
    ) -> Result<(), AuditUnavailable> {
        let fields = given.granted.issued.fields.iter();
        let secrets = fields.filter_map(|(name, value)| match value {
            FieldValue::Secret(secret) => {
                Some((name.clone(), self.parts.audit.hash(Hashed::Secret, secret.expose().as_bytes())))
            }
            FieldValue::Text(_) | FieldValue::Number(_) => None,
        });
        let what = What {
            lease: Some(given.granted.lease_id),
            expires_at: Some(given.granted.expires_at),
            secrets: secrets.collect(),
            ..what(permit)
        };
        let record = Record::done(moment.time, Event::Issue, caller.who(), what)
            .by_policies(permit.decision.decided_by())
            .from_address(moment.source_address);
        self.parts.audit.record(&record).await
    }

    /// Something about a lease, by its owner.
    pub(super) fn of_lease(&self, event: Event, caller: &Caller, lease: LeaseId, failure: Option<&Failure>) -> Record {
        let (now, who) = (self.parts.clock.now(), caller.who());
        let what = What { lease: Some(lease), ..What::default() };
        match failure {
            None => Record::done(now, event, who, what),
            Some(failure) => Record::refused(now, event, who, what, Reason::new(failure.code(), String::new())),
        }
    }

    /// What an operator did to leases.
    pub(crate) fn note_operator(&self, what: What) {
        self.parts.audit.note(&Record::done(self.parts.clock.now(), Event::Revoke, Who::Operator, what));
    }
}

fn what(permit: &Permit) -> What {
    What {
        credential: Some(permit.offered.offer.name.clone()),
        provider: Some(permit.offered.offer.provider.clone()),
        ttl_seconds: Some(permit.ttl_seconds),
        parameters: permit.parameters.clone(),
        ..What::default()
    }
}
