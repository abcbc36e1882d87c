// SPDX-License-Identifier: Apache-2.0
//! A credential is asked for: decided, leased, recorded, and only then given out.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use cress_api::broker::IssueRequest;
use cress_domain::CredentialName;
use tokio::sync::oneshot;

use super::{Broker, Failure, Running};
use crate::caller::Caller;
use crate::decision::{Moment, Offered, Permit};
use crate::lease::{Granted, Idempotency, Request};

/// What someone asks for.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) credential: CredentialName,
    pub(crate) request: IssueRequest,
    pub(crate) idempotency: Option<Idempotency>,
    pub(crate) source_address: Option<IpAddr>,
}

/// What is given out.
#[derive(Debug)]
pub(crate) struct Given {
    pub(crate) granted: Granted,
    pub(crate) offered: Arc<Offered>,
}

impl Broker {
    /// Gives out what the caller may have. What was begun is brought to its end even if nobody waits for it any more.
    pub(crate) async fn issue(
        self: &Arc<Self>,
        running: &Running,
        caller: &Arc<Caller>,
        asked: Asked,
    ) -> Result<Given, Failure> {
        let moment = Moment { time: self.parts.clock.now(), source_address: asked.source_address };
        let Asked { credential, request, idempotency, .. } = asked;
        let asked_for = (request.ttl_seconds, request.parameters.clone());
        match running.decisions.decide(caller, &credential, request, moment) {
            Ok(permit) => self.grant(caller, permit, idempotency, moment).await,
            Err(denial) => {
                let is_known = running.decisions.catalog().get(&credential).is_some();
                self.parts.metrics.count_issue(is_known.then_some(&credential), denial.code);
                self.record_denial(caller, &credential, asked_for, &denial, moment).await;
                Err(Failure::Denied(denial.problem))
            }
        }
    }

    /// In a task of its own: a caller who hangs up must not leave a credential that no record tells of.
    async fn grant(
        self: &Arc<Self>,
        caller: &Arc<Caller>,
        permit: Permit,
        idempotency: Option<Idempotency>,
        moment: Moment,
    ) -> Result<Given, Failure> {
        let (broker, caller) = (Arc::clone(self), Arc::clone(caller));
        let (answer, answered) = oneshot::channel();
        self.parts.shutdown.spawn("grant a credential", async move {
            let given = broker.lease(&caller, &permit, idempotency, moment).await;
            if let Err(Ok(given)) = answer.send(given)
                && idempotency.is_none()
                && !given.granted.replayed
            {
                // Nobody has seen it, and nobody can ask for it again.
                broker.take_back(&permit, &given).await;
            }
        });
        answered.await.unwrap_or(Err(Failure::Stopping))
    }

    async fn lease(
        &self,
        caller: &Caller,
        permit: &Permit,
        idempotency: Option<Idempotency>,
        moment: Moment,
    ) -> Result<Given, Failure> {
        let offered = &permit.offered;
        let name = &offered.offer.name;
        let granted = match self.parts.leases.grant(request(caller, permit, idempotency, moment)).await {
            Ok(granted) => granted,
            Err(error) => {
                let failure = Failure::of_grant(&error);
                self.parts.metrics.count_issue(Some(name), failure.code());
                self.note_failed_issue(caller, permit, &failure, &error.to_string(), moment);
                return Err(failure);
            }
        };
        let given = Given { granted, offered: Arc::clone(offered) };
        if let Err(error) = self.record_issue(caller, permit, &given, moment).await {
            tracing::error!(%error, credential = name.as_str(), "a credential is not given out, since no record of it can be written");
            self.parts.metrics.count_issue(Some(name), "audit-unavailable");
            if !given.granted.replayed {
                self.take_back(permit, &given).await;
            }
            return Err(Failure::AuditUnavailable);
        }
        self.parts.metrics.count_issue(Some(name), "given");
        Ok(given)
    }

    /// A lease of what was not given out. If that fails it ends by itself.
    async fn take_back(&self, permit: &Permit, given: &Given) {
        if let Err(error) = self.parts.leases.end(&permit.owner, given.granted.lease_id).await {
            tracing::warn!(%error, lease = %given.granted.lease_id, "a lease that nobody got is not ended before its time");
        }
    }
}

fn request(caller: &Caller, permit: &Permit, idempotency: Option<Idempotency>, moment: Moment) -> Request {
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    let expires_at = moment.time + seconds(permit.ttl_seconds);
    let lifetime = seconds(permit.offered.lifetime_seconds_max);
    Request {
        offer: Arc::clone(&permit.offered.offer),
        subject: caller.subject.clone(),
        owner: permit.owner.clone(),
        granted_at: moment.time,
        expires_at,
        renew_until: if permit.offered.is_renewable() { moment.time + lifetime } else { expires_at },
        parameters: permit.parameters.clone(),
        idempotency,
    }
}
