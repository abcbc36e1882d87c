// SPDX-License-Identifier: Apache-2.0
//! Compares the accounts at a target with the leases, and removes those that no lease is known of.
//!
//! Since an intent is durable before its account is made, there is no such account but where the target or the store went back in time.
//! After the first, strays are what their leases' ends have removed already: they may go. After the second they belong to workloads
//! whose leases were forgotten: they are left alone at least for as long as any lease may live; and if their names tell that they were
//! made when, as far as this store knows, no broker was alive, or if there are many of them, the operator is asked first. Accounts of
//! another deployment, such as of a store that was emptied, are never looked at.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use cress_domain::{AccountName, LeaseId, ProviderName, Timestamp, fault};
use cress_provider::Provider;
use cress_store::StoreError;
use futures_util::{StreamExt, stream};

use super::{Event, Shared};

/// How long listing and comparing may take before another replica may begin anew.
const COMPARISON_CLAIM: Duration = Duration::from_secs(600);
/// Leases that are looked up in one transaction.
const LOOKED_UP_AT_ONCE: usize = 1_000;
/// Strays that are removed at the same time.
const REMOVED_AT_ONCE: usize = 8;

/// What a comparison found.
#[derive(Debug, Default)]
struct Found {
    /// Accounts of this deployment.
    accounts: usize,
    /// Those without a lease.
    strays: Vec<AccountName>,
}

impl Shared {
    /// Compares, if it is this replica's turn.
    pub(super) async fn compare(&self, provider: &ProviderName, target: &Arc<dyn Provider>) {
        let now = self.clock.now();
        let before = now - self.settings.compare_every;
        match self.store.claim_comparison(provider, now, now + COMPARISON_CLAIM, before).await {
            Ok(false) => {}
            Ok(true) => {
                if let Err(error) = self.compare_now(provider, target).await {
                    tracing::warn!(%provider, error, "accounts and leases could not be compared; it is tried again");
                }
            }
            Err(error) => tracing::warn!(%provider, %error, "accounts and leases cannot be compared yet"),
        }
    }

    async fn compare_now(&self, provider: &ProviderName, target: &Arc<dyn Provider>) -> Result<(), String> {
        let listed = tokio::time::timeout(COMPARISON_CLAIM / 2, target.accounts(self.deployment)).await;
        let accounts = listed.map_err(|_| "the target took too long".to_owned())?.map_err(|error| error.to_string())?;
        let found = self.strays_of(accounts).await.map_err(|error| error.to_string())?;
        let ripe: Vec<AccountName> = found.strays.iter().filter(|account| self.is_ripe(account)).copied().collect();
        let held = self.reason_to_hold(provider, &found, &ripe).await.map_err(|error| error.to_string())?;
        let removed = match &held {
            Some(reason) => {
                tracing::warn!(%provider, strays = found.strays.len(), reason, "accounts without a lease are left alone");
                self.events.happened(Event::StraysHeld { provider: provider.clone(), reason: reason.clone() });
                0
            }
            None => self.remove(provider, target, ripe).await,
        };
        let left = found.strays.len().saturating_sub(removed) as u64;
        let noted = self.store.note_comparison(provider, left, held.as_deref(), self.clock.now()).await;
        noted.map_err(|error| error.to_string())
    }

    /// The accounts were listed before the leases are looked at: the lease of each was durable before.
    async fn strays_of(&self, accounts: Vec<AccountName>) -> Result<Found, StoreError> {
        let own: Vec<_> = accounts.into_iter().filter(|account| account.deployment() == self.deployment).collect();
        let mut found = Found { accounts: own.len(), strays: Vec::new() };
        for part in own.chunks(LOOKED_UP_AT_ONCE) {
            let leases: Vec<LeaseId> = part.iter().map(AccountName::lease).collect();
            let live = self.store.live_of(&leases).await?;
            found.strays.extend(part.iter().filter(|account| !live.contains(&account.lease())));
        }
        Ok(found)
    }

    /// Whether whatever lease it may have had is over. An account that does not tell its age is never ripe.
    fn is_ripe(&self, account: &AccountName) -> bool {
        let life = self.settings.intent_age + self.targets.load().longest_lease;
        account.lease().granted_at().is_some_and(|granted_at| granted_at + life < self.clock.now())
    }

    /// Why nothing may be removed before the operator says so.
    async fn reason_to_hold(
        &self,
        provider: &ProviderName,
        found: &Found,
        ripe: &[AccountName],
    ) -> Result<Option<String>, StoreError> {
        let released = self.store.target(provider).await?.released_until;
        if found.strays.is_empty() || released.is_some_and(|until| until > self.clock.now()) {
            self.went_back.store(false, Ordering::Relaxed);
            return Ok(None);
        }
        if self.went_back.load(Ordering::Relaxed) {
            return Ok(Some("the store has gone back in time while a broker ran on it".to_owned()));
        }
        let gaps = self.store.gaps().await?;
        let in_a_gap = |account: &&AccountName| made_in(account, &gaps);
        let forgotten = found.strays.iter().filter(in_a_gap).count();
        if forgotten > 0 {
            return Ok(Some(format!(
                "{forgotten} accounts were made when no broker was alive as far as the store knows: it was restored from a backup"
            )));
        }
        let most = (found.accounts * self.settings.strays_percent_max / 100).max(self.settings.strays_max);
        Ok((ripe.len() > most).then(|| {
            format!(
                "{} of {} accounts have no lease, more than the {most} that are removed without asking",
                ripe.len(),
                found.accounts
            )
        }))
    }

    /// Says how many it removed. What fails is found again the next time.
    async fn remove(&self, provider: &ProviderName, target: &Arc<dyn Provider>, ripe: Vec<AccountName>) -> usize {
        stream::iter(ripe)
            .map(|account| async move {
                fault::point("before a stray account is ended");
                let ended = target.revoke(&account).await;
                fault::point("after a stray account is ended");
                match ended {
                    Ok(()) => {
                        tracing::info!(%provider, %account, "removed an account that had no lease");
                        self.events.happened(Event::StrayRemoved { account, provider: provider.clone() });
                        1
                    }
                    Err(error) => {
                        tracing::warn!(%provider, %account, %error, "an account without a lease could not be removed");
                        0
                    }
                }
            })
            .buffer_unordered(REMOVED_AT_ONCE)
            .fold(0, |sum, one| async move { sum + one })
            .await
    }
}

fn made_in(account: &AccountName, gaps: &[(Timestamp, Timestamp)]) -> bool {
    let Some(granted_at) = account.lease().granted_at() else { return false };
    gaps.iter().any(|(from, to)| *from < granted_at && granted_at < *to)
}
