// SPDX-License-Identifier: Apache-2.0
//! Ends what is due at one target, forever. Each target has a task of its own, so that a dead one delays no other.
//!
//! It claims about as much as it ends in a second, so that a claim is short however slow the target is; ends that many at the same
//! time as the settings allow; and writes down together what became of it. A process that dies leaves claims that end by themselves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cress_domain::{LeaseId, ProviderName, Timestamp, fault};
use cress_provider::{Footprint, Provider, ProviderError, ProviderErrorKind};
use cress_service::Shutdown;
use cress_store::StoreError;
use cress_store::broker::{DueLease, FailedRevocation};
use futures_util::{StreamExt, stream};

use super::pace::delay;
use super::run::{after, stoppable};
use super::target::Upkeep;
use super::{Event, Shared};

/// Claimed at once: at first, and at most.
const CLAIMED: (u32, u32) = (16, 512);
/// A claim that is worked off sooner is followed by a larger one, and one that takes longer than twice that by a smaller one.
const WORTH_OF_A_CLAIM: Duration = Duration::from_secs(1);
/// Outcomes that are written together.
const WRITTEN_TOGETHER: usize = 128;
/// How long one revocation may take, whatever the provider's own limit.
const REVOCATION_TIMEOUT: Duration = Duration::from_secs(60);

/// What became of one.
enum Outcome {
    Ended,
    Refused(ProviderError),
    Away(String),
    NotTried,
}

/// What became of a claim.
#[derive(Default)]
struct Tally {
    gone: Vec<LeaseId>,
    /// Ended, but perhaps before they were made.
    to_repeat: Vec<(LeaseId, Timestamp)>,
    failed: Vec<FailedRevocation>,
    not_tried: Vec<LeaseId>,
    away: Option<String>,
}

/// Ends what is due at this target until it is asked to stop, or the target is configured no more.
pub(super) async fn run(shared: Arc<Shared>, provider: ProviderName, shutdown: Shutdown) {
    let mut upkeep = Upkeep::default();
    let mut size = CLAIMED.0;
    while !shutdown.is_requested() {
        let Some(target) = shared.target(&provider) else { return };
        let pause = match shared.claim(&provider, size).await {
            Ok(due) if due.is_empty() => {
                upkeep.look_after(&shared, &provider, &target, &shutdown).await;
                shared.until_due(&provider).await
            }
            Ok(due) => match shared.work_off(&provider, &target, due, &mut size, &shutdown).await {
                Ok(pause) => pause,
                Err(error) => after(&error, "what became of revocations is not written down; they are tried again"),
            },
            Err(error) => after(&error, "what is due at a target cannot be claimed"),
        };
        tokio::select! {
            () = stoppable(&shutdown, pause) => {}
            // A target that is away is not found to be back by more that is due there.
            () = shared.due.notified(), if shared.health.of(&provider).is_none() => {}
        }
    }
}

impl Shared {
    async fn claim(&self, provider: &ProviderName, size: u32) -> Result<Vec<DueLease>, StoreError> {
        let now = self.clock.now();
        match self.store.next_due(provider).await? {
            Some(due) if due <= now => self.store.claim(provider, now, now + self.settings.claim, size).await,
            _ => Ok(Vec::new()),
        }
    }

    /// How long nothing is due.
    async fn until_due(&self, provider: &ProviderName) -> Duration {
        let poll = self.settings.poll;
        match self.store.next_due(provider).await {
            Ok(Some(due)) => due.saturating_since(self.clock.now()).min(poll),
            Ok(None) => poll,
            Err(error) => after(&error, "what is due at a target cannot be looked for"),
        }
    }

    /// Says how long to wait before the next claim.
    async fn work_off(
        &self,
        provider: &ProviderName,
        target: &Arc<dyn Provider>,
        due: Vec<DueLease>,
        size: &mut u32,
        shutdown: &Shutdown,
    ) -> Result<Duration, StoreError> {
        let begun = self.clock.monotonic();
        let (claimed, away) = (due.len(), AtomicBool::new(false));
        let mut outcomes = stream::iter(due)
            .map(|lease| {
                let away = &away;
                async move { (lease, self.end(target, &lease, away, shutdown).await) }
            })
            .buffer_unordered(self.settings.revocations_at_once);
        let mut tally = Tally::default();
        while let Some((lease, outcome)) = outcomes.next().await {
            self.count(provider, lease, outcome, &mut tally);
            if tally.gone.len() >= WRITTEN_TOGETHER {
                self.store.gone(&std::mem::take(&mut tally.gone), self.clock.now()).await?;
            }
        }
        let is_away = tally.away.is_some();
        let pause = match &tally.away {
            Some(error) => {
                let now = (self.clock.now(), self.clock.monotonic());
                self.health.is_away(provider, error.clone(), now, self.settings.away, &*self.random)
            }
            None => Duration::ZERO,
        };
        if !is_away && !shutdown.is_requested() {
            self.health.is_up(provider);
        }
        self.write_down(tally, pause).await?;
        *size = next_size(*size, claimed, self.clock.monotonic().saturating_sub(begun), is_away);
        Ok(pause)
    }

    /// Once one has found the target away, those that have not begun are not tried.
    async fn end(
        &self,
        target: &Arc<dyn Provider>,
        lease: &DueLease,
        away: &AtomicBool,
        shutdown: &Shutdown,
    ) -> Outcome {
        if away.load(Ordering::Relaxed) || shutdown.is_requested() {
            return Outcome::NotTried;
        }
        let account = self.account(lease.id);
        fault::point("before an account is ended");
        let outcome = tokio::select! {
            ended = tokio::time::timeout(REVOCATION_TIMEOUT, target.revoke(&account)) => match ended {
                Ok(Ok(())) => Outcome::Ended,
                Ok(Err(error)) if error.kind() == ProviderErrorKind::Gone => Outcome::Ended,
                Ok(Err(error)) if error.kind() == ProviderErrorKind::Unavailable => Outcome::Away(error.to_string()),
                Ok(Err(error)) => Outcome::Refused(error),
                Err(_) => Outcome::Away(format!("it has not answered for {} seconds", REVOCATION_TIMEOUT.as_secs())),
            },
            () = shutdown.expired() => Outcome::NotTried,
        };
        fault::point("after an account is ended");
        if matches!(outcome, Outcome::Away(_)) {
            away.store(true, Ordering::Relaxed);
        }
        outcome
    }

    fn count(&self, provider: &ProviderName, lease: DueLease, outcome: Outcome, tally: &mut Tally) {
        let now = self.clock.now();
        let id = lease.id;
        let failed = |error: String, pause: Duration| FailedRevocation { lease: id, due_at: now + pause, error };
        self.metrics.count_revocation(provider, outcome.word());
        match outcome {
            Outcome::Ended => match lease.unconfirmed_since.map(|since| since + self.settings.intent_age) {
                // What was asked for may yet be made there.
                Some(settled) if settled > now => tally.to_repeat.push((id, settled)),
                _ => {
                    self.events.happened(Event::Ended { lease: id, provider: provider.clone() });
                    tally.gone.push(id);
                }
            },
            Outcome::NotTried => tally.not_tried.push(id),
            Outcome::Refused(error) => {
                let error = error.to_string();
                tracing::warn!(%provider, lease = %id, error, "a credential could not be ended; it is tried again");
                self.events.happened(Event::NotEnded { lease: id, provider: provider.clone(), error: error.clone() });
                tally.failed.push(failed(error, delay(self.settings.retry, lease.attempts, &*self.random)));
            }
            Outcome::Away(error) => {
                tally.failed.push(failed(error.clone(), Duration::ZERO));
                tally.away = Some(error);
            }
        }
    }

    /// What a target that is away owes is due again after `pause`.
    async fn write_down(&self, mut tally: Tally, pause: Duration) -> Result<(), StoreError> {
        let now = self.clock.now();
        if !tally.gone.is_empty() {
            self.store.gone(&tally.gone, now).await?;
        }
        if !tally.failed.is_empty() {
            tally.failed.iter_mut().for_each(|failed| failed.due_at = failed.due_at.max(now + pause));
            self.store.failed(&tally.failed).await?;
        }
        if !tally.not_tried.is_empty() {
            self.store.postpone(&tally.not_tried, now + pause).await?;
        }
        for (lease, due_at) in tally.to_repeat {
            self.store.postpone(&[lease], due_at).await?;
        }
        Ok(())
    }
}

impl Outcome {
    const fn word(&self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::Refused(_) => "refused",
            Self::Away(_) => "away",
            Self::NotTried => "not_tried",
        }
    }
}

/// One only for a target that is away: to see whether it is back.
fn next_size(size: u32, claimed: usize, took: Duration, away: bool) -> u32 {
    if away {
        return 1;
    }
    if took > 2 * WORTH_OF_A_CLAIM {
        return (size / 2).max(1);
    }
    let full = usize::try_from(size).is_ok_and(|size| claimed >= size);
    if full && took < WORTH_OF_A_CLAIM { size.saturating_mul(2).clamp(CLAIMED.0, CLAIMED.1) } else { size }
}

/// Whether there is anything to end at a target.
pub(super) fn keeps_accounts(target: &Arc<dyn Provider>) -> bool {
    target.capability().footprint == Footprint::Account
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_worth_about_a_second() {
        let second = Duration::from_secs(1);
        for (size, claimed, took, away, next) in [
            (16, 16, second / 2, false, 32),
            (512, 512, second / 10, false, 512),
            (64, 10, second / 10, false, 64),
            (64, 64, second * 3 / 2, false, 64),
            (64, 64, second * 3, false, 32),
            (1, 1, second * 30, false, 1),
            (512, 512, second, true, 1),
            (1, 1, second / 100, false, 16),
        ] {
            assert_eq!(next_size(size, claimed, took, away), next, "{size} {claimed} {took:?} {away}");
        }
    }
}
