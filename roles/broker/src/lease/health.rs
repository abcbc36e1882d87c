// SPDX-License-Identifier: Apache-2.0
//! Which targets are known to be away: nothing is asked of them for a while, so that neither callers nor revocations pile up against a
//! wall, and one that comes back is found soon.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use cress_domain::{ProviderName, Random, Timestamp};

use super::pace::delay;

/// Failures in a row before callers are refused without asking.
const FAILURES_BEFORE_REFUSAL: u32 = 3;

/// A target that does not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Away {
    /// Since when.
    pub(super) since: Timestamp,
    /// Why, for the operator; no secret.
    pub(super) error: String,
    failures: u32,
    /// On the monotonic clock.
    until: Duration,
}

/// What is known of all targets.
#[derive(Debug, Default)]
pub(super) struct Health(Mutex<BTreeMap<ProviderName, Away>>);

impl Health {
    /// It answers.
    pub(super) fn is_up(&self, provider: &ProviderName) {
        if self.lock().remove(provider).is_some() {
            tracing::info!(%provider, "the target answers again");
        }
    }

    /// It does not answer. Says for how long it is to be left alone.
    pub(super) fn is_away(
        &self,
        provider: &ProviderName,
        error: String,
        (now, monotonic): (Timestamp, Duration),
        pace: (Duration, Duration),
        random: &dyn Random,
    ) -> Duration {
        let mut all = self.lock();
        let away = all.entry(provider.clone()).or_insert_with(|| {
            tracing::warn!(%provider, error, "the target does not answer; it is tried again and again");
            Away { since: now, error: String::new(), failures: 0, until: monotonic }
        });
        let pause = delay(pace, away.failures, random);
        *away = Away { error, failures: away.failures.saturating_add(1), until: monotonic + pause, ..away.clone() };
        pause
    }

    /// What is known of a target that is away.
    pub(super) fn of(&self, provider: &ProviderName) -> Option<Away> {
        self.lock().get(provider).cloned()
    }

    /// Why nobody is to be sent there now, and for how long.
    pub(super) fn refusal(&self, provider: &ProviderName, monotonic: Duration) -> Option<(String, Duration)> {
        let all = self.lock();
        let away = all.get(provider).filter(|away| away.failures >= FAILURES_BEFORE_REFUSAL)?;
        let left = away.until.checked_sub(monotonic).filter(|left| !left.is_zero())?;
        Some((away.error.clone(), left))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<ProviderName, Away>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use cress_testkit::SeededRandom;

    use super::*;

    #[test]
    fn a_target_is_left_alone_after_a_few_failures_and_at_once_used_again() {
        let (health, random, name) = (Health::default(), SeededRandom::new(1), "cache".parse().unwrap());
        let pace = (Duration::from_secs(1), Duration::from_secs(30));
        let fail = |at| health.is_away(&name, "refused".into(), (Timestamp::default(), at), pace, &random);
        let at = Duration::from_secs(10);
        for _ in 1..FAILURES_BEFORE_REFUSAL {
            fail(at);
            assert_eq!(health.refusal(&name, at), None);
        }
        let pause = fail(at);
        assert_eq!(health.refusal(&name, at), Some(("refused".into(), pause)));
        assert_eq!(health.refusal(&name, at + pause), None, "somebody has to try");
        health.is_up(&name);
        assert_eq!((health.refusal(&name, at), health.of(&name)), (None, None));
    }
}
