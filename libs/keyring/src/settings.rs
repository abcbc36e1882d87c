// SPDX-License-Identifier: Apache-2.0
//! What a ring is told about time. Every duration that the schedule knows stands here.

use std::time::Duration;

use cress_domain::limits::TOKEN_TTL_SECONDS_MAX;
use cress_domain::{KeyId, KeyIdError, Timestamp};
use cress_jose::SigningAlgorithm;
use cress_store::keyring::RingName;

/// Most keys that may ever be in the published set.
pub const PUBLISHED_KEYS_MAX: u32 = 128;

/// The longest duration that makes sense anywhere in a schedule.
const DURATION_MAX: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// A replica that could not ask the store for this share of the lead time neither signs nor publishes.
const STALE_SHARE: u32 = 14;

/// How a ring names its keys and how long each phase of a key lasts. A change applies to keys made from then on; times that
/// were already promised are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Which ring of the store.
    pub ring: RingName,
    /// What its keys sign with. A ring keeps the algorithm with which it was begun.
    pub algorithm: SigningAlgorithm,
    /// What a key id begins with; the time of creation follows.
    pub kid_prefix: String,
    /// How long a key is published before it signs.
    pub lead: Duration,
    /// How long a key signs.
    pub active: Duration,
    /// The longest life of a token signed here.
    pub token_life_max: Duration,
    /// How far ahead the start of a token's life may lie, if tokens are handed out in advance of an outage.
    pub outage_budget: Duration,
    /// How far apart the clocks of replicas and verifiers may be.
    pub skew: Duration,
    /// How long an HTTP cache may keep the published set.
    pub jwks_cache_life: Duration,
}

/// Settings with which a good token could be refused, or that make no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The prefix cannot start a key id.
    #[error("expected a key id prefix that makes a key id: {0}")]
    KidPrefix(KeyIdError),
    /// No verifier could keep the published set for any time.
    #[error("expected a lead time of more than {} s, which is the JWKS cache life, the clock skew and a fourteenth of the lead time together, got {} s", least.as_secs(), lead.as_secs())]
    LeadTooShort {
        /// The lead time given.
        lead: Duration,
        /// What it must exceed.
        least: Duration,
    },
    /// A key would retire before its successor may sign.
    #[error("expected keys to sign for at least their successor's lead time of {} s, got {} s", lead.as_secs(), active.as_secs())]
    ActiveTooShort {
        /// The lead time.
        lead: Duration,
        /// How long a key was to sign.
        active: Duration,
    },
    /// Retired keys would pile up.
    #[error(
        "expected token life, outage budget, skew and cache life that keep at most {PUBLISHED_KEYS_MAX} keys published, these keep {0}; shorten them or lengthen the lead time"
    )]
    TooManyKeys(u128),
    /// Longer than ten years.
    #[error("expected {name} of at most ten years, got {} s", got.as_secs())]
    TooLong {
        /// Which duration.
        name: &'static str,
        /// What was given.
        got: Duration,
    },
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const WEEK: u64 = 7 * 24 * HOUR;

impl Settings {
    /// The ring that signs workload tokens, with the reference platform's times and key ids.
    #[must_use]
    pub fn workload() -> Self {
        Self {
            ring: RingName::new("workload"),
            algorithm: SigningAlgorithm::Es256,
            kid_prefix: "salad-workload-".to_owned(),
            lead: Duration::from_secs(WEEK),
            active: Duration::from_secs(WEEK),
            token_life_max: Duration::from_secs(u64::from(TOKEN_TTL_SECONDS_MAX)),
            outage_budget: Duration::ZERO,
            skew: Duration::from_secs(5 * MINUTE),
            jwks_cache_life: Duration::from_secs(HOUR),
        }
    }

    /// A ring that signs the broker's assertions, one for each algorithm. Their key ids differ, so that both may be published in one
    /// set. With the times of [`Self::workload`], but for tokens that live up to `token_life_max`.
    #[must_use]
    pub fn broker(algorithm: SigningAlgorithm, token_life_max: Duration) -> Self {
        let (ring, kid_prefix) = match algorithm {
            SigningAlgorithm::Es256 => ("broker-es256", "cress-broker-es256-"),
            SigningAlgorithm::Rs256 => ("broker-rs256", "cress-broker-rs256-"),
        };
        let (ring, kid_prefix) = (RingName::new(ring), kid_prefix.to_owned());
        Self { ring, algorithm, kid_prefix, token_life_max, ..Self::workload() }
    }

    /// Checks that the durations fit together.
    ///
    /// # Errors
    /// [`SettingsError`] naming the first that does not.
    pub fn check(&self) -> Result<(), SettingsError> {
        self.kid(Timestamp::default()).map_err(SettingsError::KidPrefix)?;
        for (name, got) in [
            ("a lead time", self.lead),
            ("an active time", self.active),
            ("a token life", self.token_life_max),
            ("an outage budget", self.outage_budget),
            ("a clock skew", self.skew),
            ("a JWKS cache life", self.jwks_cache_life),
        ] {
            if got > DURATION_MAX {
                return Err(SettingsError::TooLong { name, got });
            }
        }
        let least = self.stale_max() + self.jwks_cache_life + self.skew;
        if self.lead <= least {
            return Err(SettingsError::LeadTooShort { lead: self.lead, least });
        }
        if self.active < self.lead {
            return Err(SettingsError::ActiveTooShort { lead: self.lead, active: self.active });
        }
        let published = self.published_keys_bound();
        if published > u128::from(PUBLISHED_KEYS_MAX) {
            return Err(SettingsError::TooManyKeys(published));
        }
        Ok(())
    }

    /// How long a replica may go on with what it last read from the store: a fourteenth of the lead time, which is twelve hours
    /// of a week.
    #[must_use]
    pub fn stale_max(&self) -> Duration {
        self.lead / STALE_SHARE
    }

    /// How old a verifier's copy of the published set may be, at most, so that it checks every good token: six days and almost
    /// eleven hours, unless configured.
    #[must_use]
    pub fn verifier_age_max(&self) -> Duration {
        self.lead.saturating_sub(self.stale_max()).saturating_sub(self.jwks_cache_life).saturating_sub(self.skew)
    }

    /// How long a key stays published after it could last sign. A replica that cannot read the store may not know that an
    /// emergency has the key sign for longer; as long as it publishes at all, it must not drop the key: hence `stale_max`.
    #[must_use]
    pub fn tail(&self) -> Duration {
        self.token_life_max + self.outage_budget + self.skew + self.jwks_cache_life + self.stale_max()
    }

    /// Most keys that are published at once: the one that signs, the next, one more while replicas' clocks disagree about which
    /// is which, and those that are still in their tail.
    pub(crate) fn published_keys_bound(&self) -> u128 {
        let retired = (self.tail() + self.stale_max() + self.skew).as_nanos().div_ceil(self.lead.as_nanos().max(1));
        retired.saturating_add(3)
    }

    /// The id of a key made at this moment.
    pub(crate) fn kid(&self, created_at: Timestamp) -> Result<KeyId, KeyIdError> {
        KeyId::try_from(format!("{}{}", self.kid_prefix, created_at.rfc3339_seven_digits()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_the_reference_platforms() {
        let settings = Settings::workload();
        assert_eq!(settings.check(), Ok(()));
        assert!(settings.verifier_age_max() > Duration::from_secs(6 * 24 * HOUR));
        let made = Timestamp::from_unix_microseconds(1_742_403_591_002_009);
        assert_eq!(settings.kid(made).unwrap().as_str(), "salad-workload-2025-03-19T16:59:51.0020090Z");
    }

    #[test]
    fn the_brokers_rings_are_told_apart_by_their_key_ids() {
        let day = Duration::from_secs(24 * HOUR);
        let rings =
            [SigningAlgorithm::Es256, SigningAlgorithm::Rs256].map(|algorithm| Settings::broker(algorithm, day));
        assert_eq!(rings.each_ref().map(Settings::check), [Ok(()), Ok(())]);
        let kids = rings.each_ref().map(|ring| ring.kid(Timestamp::default()).unwrap());
        assert_ne!(kids[0], kids[1]);
        assert_ne!(rings[0].ring, rings[1].ring);
    }

    #[test]
    fn a_ring_may_turn_in_minutes() {
        let (minute, second) = (Duration::from_secs(MINUTE), Duration::from_secs(1));
        let quick =
            Settings { lead: minute, active: minute, skew: second, jwks_cache_life: second, ..Settings::workload() };
        assert_eq!(quick.check(), Ok(()));
        assert!(quick.verifier_age_max() > Duration::from_secs(50));
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        let week = Duration::from_secs(WEEK);
        let settings = Settings::workload;
        for (bad, message) in [
            (Settings { kid_prefix: "no spaces ".to_owned(), ..settings() }, "expected a key id prefix"),
            (Settings { kid_prefix: "x".repeat(228), ..settings() }, "expected a key id prefix"),
            (Settings { lead: Duration::from_secs(HOUR), ..settings() }, "expected a lead time of more than"),
            (Settings { lead: Duration::ZERO, ..settings() }, "expected a lead time of more than"),
            (Settings { jwks_cache_life: week, ..settings() }, "expected a lead time of more than"),
            (Settings { active: week / 2, ..settings() }, "expected keys to sign for at least"),
            (Settings { outage_budget: week * 130, ..settings() }, "expected token life, outage budget"),
            (Settings { skew: Duration::MAX, ..settings() }, "expected a clock skew of at most ten years"),
        ] {
            let error = bad.check().unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
        }
    }
}
