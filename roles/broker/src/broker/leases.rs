// SPDX-License-Identifier: Apache-2.0
//! What callers do with leases that they have. Someone else's lease is one that is not there.

use std::net::IpAddr;
use std::time::Duration;

use cress_api::broker::{self as wire, IssueRequest, RenewRequest};
use cress_domain::LeaseId;

use super::{Broker, Failure, Running};
use crate::audit::{Event, Record};
use crate::caller::Caller;
use crate::decision::Moment;
use crate::lease::{LeaseStatus, LeaseView, Owner, Page, Renewed};

/// Leases in one answer.
const PAGE: u32 = 1_000;

impl Broker {
    /// The caller's leases, and those that its container group shares.
    pub(crate) async fn leases_of(&self, caller: &Caller, after: Option<LeaseId>) -> Result<Vec<LeaseView>, Failure> {
        let page = Page { after, limit: PAGE };
        let mut leases = Vec::new();
        for owner in owners(caller) {
            let found = self.parts.leases.of_owner(owner, page).await;
            leases.extend(found.map_err(|error| Failure::of_lease(&error))?);
        }
        leases.sort_unstable_by_key(|lease| lease.id);
        leases.truncate(usize::try_from(PAGE).unwrap_or(usize::MAX));
        Ok(leases)
    }

    /// Lets a lease live on, if the policies would still give the credential out for as long.
    pub(crate) async fn renew(
        &self,
        running: &Running,
        caller: &Caller,
        lease: LeaseId,
        request: RenewRequest,
        source_address: Option<IpAddr>,
    ) -> Result<Renewed, Failure> {
        let moment = Moment { time: self.parts.clock.now(), source_address };
        let renewed = self.try_renew(running, caller, lease, request, moment).await;
        let outcome = renewed.as_ref().map_or_else(Failure::code, |_| "renewed");
        self.parts.metrics.count_lease("renew", outcome);
        let record = self.of_lease(Event::Renew, caller, lease, renewed.as_ref().err());
        let recorded = self.parts.audit.record(&record).await;
        match (renewed, recorded) {
            // The lease lives longer and nobody is told: it ends by itself.
            (Ok(_), Err(error)) => {
                tracing::error!(%error, "a renewal is not confirmed, since no record of it can be written");
                Err(Failure::AuditUnavailable)
            }
            (renewed, _) => renewed,
        }
    }

    /// Ends a lease, whether or not that can be recorded.
    pub(crate) async fn end(&self, caller: &Caller, lease: LeaseId) -> Result<(), Failure> {
        let ended = match self.owner_of(caller, lease).await {
            Ok((owner, _)) => self.parts.leases.end(owner, lease).await.map_err(|error| Failure::of_lease(&error)),
            Err(failure) => Err(failure),
        };
        self.parts.metrics.count_lease("end", ended.as_ref().map_or_else(Failure::code, |()| "ended"));
        let record: Record = self.of_lease(Event::Revoke, caller, lease, ended.as_ref().err());
        self.parts.audit.note(&record);
        ended
    }

    async fn try_renew(
        &self,
        running: &Running,
        caller: &Caller,
        lease: LeaseId,
        request: RenewRequest,
        moment: Moment,
    ) -> Result<Renewed, Failure> {
        let (owner, record) = self.owner_of(caller, lease).await?;
        let asked = IssueRequest { ttl_seconds: request.ttl_seconds, parameters: request.parameters };
        let permit = running.decisions.decide(caller, &record.credential, asked, moment);
        let permit = permit.map_err(|denial| Failure::Denied(denial.problem))?;
        let expires_at = moment.time + Duration::from_secs(permit.ttl_seconds.into());
        self.parts.leases.renew(owner, lease, expires_at).await.map_err(|error| Failure::of_lease(&error))
    }

    /// Which of the caller's two kinds of leases it is.
    async fn owner_of<'a>(&self, caller: &'a Caller, lease: LeaseId) -> Result<(&'a Owner, LeaseView), Failure> {
        for owner in owners(caller) {
            let found = self.parts.leases.owned(owner, lease).await.map_err(|error| Failure::of_lease(&error))?;
            if let Some(record) = found {
                return Ok((owner, record));
            }
        }
        Err(Failure::NoLease)
    }
}

fn owners(caller: &Caller) -> impl Iterator<Item = &Owner> {
    [Some(&caller.owner), caller.group.as_ref()].into_iter().flatten()
}

/// As its owner sees it.
pub(crate) fn shown(lease: &LeaseView) -> wire::Lease {
    wire::Lease {
        lease_id: lease.id,
        credential: lease.credential.clone(),
        status: status(lease.status),
        granted_at: lease.granted_at.rfc3339(),
        expires_at: lease.expires_at.rfc3339(),
    }
}

pub(crate) const fn status(status: LeaseStatus) -> wire::LeaseStatus {
    match status {
        LeaseStatus::Intended => wire::LeaseStatus::Intended,
        LeaseStatus::Active => wire::LeaseStatus::Active,
        LeaseStatus::Revoking => wire::LeaseStatus::Revoking,
        LeaseStatus::Gone => wire::LeaseStatus::Gone,
    }
}
