// SPDX-License-Identifier: Apache-2.0
//! Gives out a credential: written down first, then made, then confirmed.

use std::time::Duration;

use cress_domain::{LeaseId, Timestamp, fault};
use cress_provider::{Footprint, Grant, Issued, ProviderErrorKind, Renewal};
use cress_store::broker::{
    Abandonment, Activation, Caps, Ending, Intention, KeptAnswer, NewAnswer, NewLease, Write, Written,
};

use super::queue::QueueError;
use super::{Cap, GrantError, Granted, Leases, Request, Shared, Sharing, sealing};

/// How long an answer is given again to who repeats a request.
const ANSWER_LIFE: Duration = Duration::from_secs(120);
/// When to ask again while the first answer is being made.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// How often is looked for a shared credential that another request is having made.
const SHARED_POLL: Duration = Duration::from_millis(50);

impl Leases {
    /// Gives out a credential that has been decided to be given out.
    ///
    /// # Errors
    /// [`GrantError`]: nothing is given out then, and what may have been made is being removed.
    pub async fn grant(&self, request: Request) -> Result<Granted, GrantError> {
        let begun = self.0.begin().ok_or(GrantError::Stopping)?;
        let provider = request.offer.provider.clone();
        let shared = self.0.clone();
        let granted = match request.offer.capability.footprint {
            Footprint::Nothing => shared.grant(&request).await,
            // Goes on if nobody waits any more: what has been begun at the target is brought to an end.
            Footprint::Account => {
                let task = tokio::spawn(async move {
                    let _begun = begun;
                    shared.grant(&request).await
                });
                task.await.map_err(|_| GrantError::Stopping)?
            }
        };
        self.0.metrics.count_grant(&provider, &granted);
        granted
    }
}

impl Shared {
    async fn grant(&self, request: &Request) -> Result<Granted, GrantError> {
        if request.offer.capability.footprint == Footprint::Account
            && let Some((reason, retry_after)) = self.health.refusal(&request.offer.provider, self.clock.monotonic())
        {
            return Err(GrantError::Away { reason, retry_after });
        }
        let until = self.clock.monotonic() + self.settings.shared_wait;
        loop {
            match self.grant_once(request).await {
                Err(GrantError::InProgress { .. })
                    if request.offer.sharing == Sharing::Group && self.clock.monotonic() < until =>
                {
                    tokio::time::sleep(SHARED_POLL).await;
                }
                granted => return granted,
            }
        }
    }

    async fn grant_once(&self, request: &Request) -> Result<Granted, GrantError> {
        let lease = LeaseId::generate_at(request.granted_at, &*self.random);
        match request.offer.capability.footprint {
            Footprint::Nothing => self.grant_computed(request, lease).await,
            Footprint::Account => self.grant_account(request, lease).await,
        }
    }

    /// One write, with the answer in it if it is to be given again. Only what is written is given out.
    async fn grant_computed(&self, request: &Request, lease: LeaseId) -> Result<Granted, GrantError> {
        let Some(answer) = new_answer(request) else {
            return match self.intend(request, lease, None).await? {
                None => self.issued(request, lease, self.issue(request, lease).await?),
                Some(kept) => self.again(request, &kept),
            };
        };
        let issued = self.issue(request, lease).await?;
        let sealed = Some(sealing::seal(&self.keys, lease, &issued)?);
        match self.intend(request, lease, Some(NewAnswer { sealed, ..answer })).await? {
            None => self.issued(request, lease, issued),
            Some(kept) => self.again(request, &kept),
        }
    }

    async fn grant_account(&self, request: &Request, lease: LeaseId) -> Result<Granted, GrantError> {
        let answer = new_answer(request);
        let key = answer.as_ref().map(|answer| answer.key);
        if let Some(kept) = self.intend(request, lease, answer).await? {
            return self.again(request, &kept);
        }
        let made = match self.issue(request, lease).await {
            Ok(issued) => self.activate(lease, &issued, key).await.map(|()| issued),
            Err(error) => Err(error),
        };
        match made {
            Ok(issued) => self.issued(request, lease, issued),
            Err(error) => {
                self.abandon(lease, &error, key).await;
                Err(error)
            }
        }
    }

    /// Written down, or an earlier answer to give again.
    async fn intend(
        &self,
        request: &Request,
        lease: LeaseId,
        answer: Option<NewAnswer>,
    ) -> Result<Option<KeptAnswer>, GrantError> {
        let write = Write::Intend(Box::new(self.new_lease(request, lease, answer)));
        match self.queue.begin(write).await? {
            Written::Intention(Intention::Written) => Ok(None),
            Written::Intention(Intention::Answered(kept)) => Ok(Some(kept)),
            Written::Intention(Intention::TooManyOfOwner) => Err(GrantError::TooMany(Cap::Owner)),
            Written::Intention(Intention::TooManyOfGroup) => Err(GrantError::TooMany(Cap::Group)),
            Written::Intention(Intention::KeyReused) => Err(GrantError::KeyReused),
            _ => Err(GrantError::InProgress { retry_after: RETRY_AFTER }),
        }
    }

    fn new_lease(&self, request: &Request, id: LeaseId, answer: Option<NewAnswer>) -> NewLease {
        let account = request.offer.capability.footprint == Footprint::Account;
        // A group's one credential is none of an owner's many.
        let caps = match request.offer.sharing {
            Sharing::Own => request.offer.caps,
            Sharing::Group => Caps { per_owner: u32::MAX, ..request.offer.caps },
        };
        NewLease {
            id,
            credential: request.offer.name.clone(),
            provider: request.offer.provider.clone(),
            owner: request.owner.clone(),
            group_id: request.subject.group_id.clone(),
            ending: if account { Ending::Revoked } else { Ending::Lapses },
            granted_at: request.granted_at,
            expires_at: request.expires_at,
            renew_until: request.renew_until.max(request.expires_at),
            intended_until: account.then(|| self.clock.now() + self.settings.intent_age),
            caps,
            answer,
        }
    }

    async fn issue(&self, request: &Request, lease: LeaseId) -> Result<Issued, GrantError> {
        let grant = Grant {
            lease,
            account: self.account(lease),
            credential: request.offer.name.clone(),
            subject: request.subject.clone(),
            granted_at: request.granted_at,
            expires_at: request.expires_at,
            parameters: request.parameters.clone(),
        };
        fault::point("before a credential is made");
        let limit = self.settings.target_timeout;
        let made = match tokio::time::timeout(limit, request.offer.credential.issue(&grant)).await {
            Ok(made) => made.map_err(GrantError::from),
            Err(_) => Err(GrantError::Slow(limit)),
        };
        fault::point("after a credential is made");
        self.note_health(request, &made);
        made
    }

    fn note_health(&self, request: &Request, made: &Result<Issued, GrantError>) {
        let provider = &request.offer.provider;
        match made {
            Err(error) if error.provider_kind() == Some(ProviderErrorKind::Unavailable) => {
                let now = (self.clock.now(), self.clock.monotonic());
                self.health.is_away(provider, error.to_string(), now, self.settings.away, &*self.random);
            }
            Err(_) => {}
            Ok(_) => self.health.is_up(provider),
        }
    }

    async fn activate(&self, lease: LeaseId, issued: &Issued, key: Option<[u8; 32]>) -> Result<(), GrantError> {
        let answer = match key {
            Some(key) => Some((key, sealing::seal(&self.keys, lease, issued)?)),
            None => None,
        };
        let activation = Activation { lease, expires_at: issued.expires_at, answer };
        match self.queue.finish(Write::Activate(activation)).await? {
            Written::Activated(true) => Ok(()),
            _ => Err(GrantError::Revoked),
        }
    }

    /// Has it revoked now. If even this cannot be written, it is found when its intent is old.
    async fn abandon(&self, lease: LeaseId, error: &GrantError, answer: Option<[u8; 32]>) {
        let abandonment = Abandonment { lease, error: error.to_string(), answer };
        if let Err(error) = self.queue.finish(Write::Abandon(abandonment)).await {
            tracing::warn!(%lease, ?error, "a lease that was not given out is revoked later, when its intent is old");
        }
        self.due.notify_waiters();
    }

    fn issued(&self, request: &Request, lease_id: LeaseId, issued: Issued) -> Result<Granted, GrantError> {
        let expires_at = issued.expires_at.map_or(request.expires_at, |ends| ends.min(request.expires_at));
        let renewable = is_renewable(request, expires_at, request.renew_until);
        Ok(Granted { lease_id, expires_at, renewable, issued, replayed: false })
    }

    fn again(&self, request: &Request, kept: &KeptAnswer) -> Result<Granted, GrantError> {
        Ok(Granted {
            lease_id: kept.lease,
            expires_at: kept.expires_at,
            renewable: is_renewable(request, kept.expires_at, kept.renew_until),
            issued: sealing::open(&self.keys, kept.lease, &kept.sealed)?,
            replayed: true,
        })
    }
}

fn is_renewable(request: &Request, expires_at: Timestamp, renew_until: Timestamp) -> bool {
    request.offer.capability.renewal == Renewal::Extends && renew_until > expires_at
}

/// A shared credential is given to others for half of its life, so that each of them has it for a while.
fn new_answer(request: &Request) -> Option<NewAnswer> {
    match request.offer.sharing {
        Sharing::Group => Some(NewAnswer {
            key: sealing::sharing_key(&request.owner, &request.offer.name, &request.parameters),
            request: [0; 32],
            until: request.granted_at + request.expires_at.saturating_since(request.granted_at) / 2,
            sealed: None,
        }),
        Sharing::Own => request.idempotency.map(|idempotency| NewAnswer {
            key: sealing::idempotency_key(&request.owner, &idempotency.key),
            request: idempotency.request,
            until: request.granted_at + ANSWER_LIFE,
            sealed: None,
        }),
    }
}

impl From<QueueError> for GrantError {
    fn from(error: QueueError) -> Self {
        match error {
            QueueError::Busy => Self::Busy,
            QueueError::Stopping => Self::Stopping,
            QueueError::Store(error) => Self::Store(error),
        }
    }
}
