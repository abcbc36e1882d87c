// SPDX-License-Identifier: Apache-2.0
//! What the operator sees and does.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use cress_domain::{LeaseId, ProviderName, Timestamp};
use cress_store::StoreError;

use super::{LeaseFilter, LeaseView, Leases, Page, Selection, Shared};

/// Leases that are revoked in one transaction.
const REVOKED_AT_ONCE: u32 = 2_000;
/// How long a target that was released may be cleaned without asking.
const RELEASED_FOR: Duration = Duration::from_secs(3_600);
/// A revocation that is due for longer is told of as stuck.
const STUCK_AFTER: Duration = Duration::from_secs(30);

/// How it stands with a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetState {
    /// Its name. Text, since it may be configured no more.
    pub provider: String,
    /// What is wrong.
    pub condition: TargetCondition,
    /// Leases that are not gone.
    pub leases: u64,
    /// Revocations that are due; no more than a hundred thousand are counted.
    pub due: u64,
    /// Since when the oldest of them is.
    pub oldest_due_at: Option<Timestamp>,
    /// Why the last attempt failed; no secret.
    pub last_error: Option<String>,
    /// Accounts without a lease that were found there last.
    pub strays: u64,
}

/// What is wrong with a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetCondition {
    /// Nothing that is known.
    Well,
    /// It does not answer.
    Away {
        /// Since when.
        since: Timestamp,
    },
    /// It is not in the configuration any more, so that nothing can be ended there.
    Unconfigured,
    /// Accounts without a lease wait there for the operator.
    Held {
        /// Since when.
        since: Timestamp,
        /// Why.
        reason: String,
    },
}

impl fmt::Display for TargetCondition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Well => formatter.write_str("it answers"),
            Self::Away { since } => {
                write!(formatter, "it has not answered since {since}; it is tried again and again, see its last error")
            }
            Self::Unconfigured => formatter.write_str(
                "it is not in the configuration any more, so that nothing can be ended there; put it back until its leases are gone",
            ),
            Self::Held { since, reason } => {
                write!(formatter, "accounts without a lease are left alone since {since}: {reason}")
            }
        }
    }
}

impl TargetState {
    /// Whether an operator should look at it.
    #[must_use]
    pub fn is_stuck(&self, now: Timestamp) -> bool {
        let late = self.oldest_due_at.is_some_and(|oldest| now.saturating_since(oldest) > STUCK_AFTER);
        late || !matches!(self.condition, TargetCondition::Well)
    }
}

impl Leases {
    /// Leases that fit, by id, also those that are gone and not yet forgotten.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn list(&self, filter: &LeaseFilter, page: Page) -> Result<Vec<LeaseView>, StoreError> {
        self.0.store.leases(filter, page).await
    }

    /// One lease.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn show(&self, lease: LeaseId) -> Result<Option<LeaseView>, StoreError> {
        self.0.store.lease(lease).await
    }

    /// The account of a lease at its target, for one that has any.
    #[must_use]
    pub fn account(&self, lease: LeaseId) -> cress_domain::AccountName {
        self.0.account(lease)
    }

    /// Ends every lease that was granted until now and is selected. Says how many were good. It returns when all of them are written
    /// down as to be ended; that they are, at their targets, comes after.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails: some may have been ended then, and the same call ends the rest.
    pub async fn revoke(&self, selection: &Selection) -> Result<u64, StoreError> {
        let (now, mut leases, mut after) = (self.0.clock.now(), 0, None);
        loop {
            let part = self.0.store.revoke(selection, after, now, REVOKED_AT_ONCE).await?;
            self.0.due.notify_waiters();
            leases += part.leases;
            after = part.next_after;
            if after.is_none() {
                return Ok(leases);
            }
        }
    }

    /// Targets at which an operator should look.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn stuck(&self) -> Result<Vec<TargetState>, StoreError> {
        let now = self.0.clock.now();
        let targets = self.targets().await?;
        Ok(targets.into_iter().filter(|target| target.is_stuck(now)).collect())
    }

    /// Every target that is configured or that has leases.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn targets(&self) -> Result<Vec<TargetState>, StoreError> {
        let counts: std::collections::BTreeMap<_, _> = self.0.store.counts_by_provider().await?.into_iter().collect();
        let configured = self.0.targets.load().providers.keys().map(ToString::to_string).collect::<Vec<_>>();
        let names: BTreeSet<String> = counts.keys().cloned().chain(configured).collect();
        let mut states = Vec::with_capacity(names.len());
        for name in names {
            let leases = counts.get(&name).copied().unwrap_or(0);
            if let Ok(provider) = name.parse() {
                states.push(self.0.state_of(&provider, leases).await?);
            }
        }
        Ok(states)
    }

    /// Lets accounts without a lease be removed at a target, however many they are: for an operator who has looked at what is held there.
    /// Says whether anything was held.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn release(&self, provider: &ProviderName) -> Result<bool, StoreError> {
        let released = self.0.store.release(provider, self.0.clock.now() + RELEASED_FOR).await?;
        self.0.due.notify_waiters();
        Ok(released)
    }
}

impl Shared {
    async fn state_of(&self, provider: &ProviderName, leases: u64) -> Result<TargetState, StoreError> {
        let owed = self.store.owed(provider, self.clock.now()).await?;
        let target = self.store.target(provider).await?;
        let away = self.health.of(provider);
        let last_error = away.as_ref().map(|away| away.error.clone()).or(owed.last_error);
        let condition = match (self.target(provider), away, target.held) {
            (None, _, _) => TargetCondition::Unconfigured,
            (_, Some(away), _) => TargetCondition::Away { since: away.since },
            (_, _, Some((since, reason))) => TargetCondition::Held { since, reason },
            _ => TargetCondition::Well,
        };
        Ok(TargetState {
            provider: provider.to_string(),
            condition,
            leases,
            due: owed.due,
            oldest_due_at: owed.oldest,
            last_error,
            strays: target.strays,
        })
    }
}
