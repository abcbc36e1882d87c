// SPDX-License-Identifier: Apache-2.0
//! The keys of one issuer in memory: which they are, how old they are, and how callers wait for newer ones.
//!
//! Many read, one writes: the issuer's [`crate::refresher`]. Nothing here talks to a source.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use cress_domain::{Issuer, KeyId};
use cress_jose::{Jwk, JwkSet};
use cress_token::KeySet;
use tokio::sync::{Notify, watch};

use crate::FetchError;
use crate::unknown_key_ids::UnknownKeyIds;

/// Longest time for which a caller waits for keys. The fetch itself goes on.
const WAIT_MAX: Duration = Duration::from_secs(10);

pub(crate) struct IssuerKeys {
    issuer: Issuer,
    /// Nothing for keys that never change, for which there is nothing to fetch either.
    age_max: Option<Duration>,
    loaded: ArcSwapOption<LoadedKeys>,
    /// As in `loaded`; here it costs a reader less.
    generation: AtomicU64,
    /// Monotonic microseconds at which the source last said that these are the keys.
    confirmed_at: AtomicU64,
    unknown: UnknownKeyIds,
    progress: watch::Sender<Progress>,
    wanted: Notify,
}

pub(crate) struct LoadedKeys {
    pub(crate) keys: KeySet,
    /// Counts the sets, from 1.
    pub(crate) generation: u64,
    published: JwkSet,
}

/// Fetches are numbered from 1 and never overlap.
#[derive(Clone)]
struct Progress {
    started: u64,
    finished: u64,
    last_error: Option<FetchError>,
}

/// What [`IssuerKeys::install`] changed.
pub(crate) struct Change {
    pub(crate) generation: u64,
    pub(crate) added: Vec<KeyId>,
    pub(crate) removed: Vec<KeyId>,
}

impl IssuerKeys {
    /// Keys that are still to be fetched.
    pub(crate) fn awaited(issuer: Issuer, age_max: Duration) -> Self {
        Self::new(issuer, Some(age_max))
    }

    /// Keys that never change.
    pub(crate) fn fixed(issuer: Issuer, set: &JwkSet) -> Self {
        let keys = Self::new(issuer, None);
        keys.install(set.clone());
        keys.fetch_finished(None);
        keys
    }

    fn new(issuer: Issuer, age_max: Option<Duration>) -> Self {
        let progress = Progress { started: 0, finished: 0, last_error: Some(FetchError::Pending) };
        Self {
            issuer,
            age_max,
            loaded: ArcSwapOption::empty(),
            generation: AtomicU64::new(0),
            confirmed_at: AtomicU64::new(0),
            unknown: UnknownKeyIds::new(),
            progress: watch::Sender::new(progress),
            wanted: Notify::new(),
        }
    }

    pub(crate) const fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    pub(crate) fn loaded(&self) -> Option<Arc<LoadedKeys>> {
        self.loaded.load_full()
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// The age and its limit, if the keys are too old to be trusted.
    pub(crate) fn too_old(&self, monotonic: Duration) -> Option<(Duration, Duration)> {
        let max = self.age_max?;
        let age = self.age(monotonic);
        (age > max).then_some((age, max))
    }

    /// Since when the source has not confirmed the keys; zero for keys that never change.
    pub(crate) fn age(&self, monotonic: Duration) -> Duration {
        if self.age_max.is_none() {
            return Duration::ZERO;
        }
        monotonic.saturating_sub(Duration::from_micros(self.confirmed_at.load(Ordering::Acquire)))
    }

    /// Why the last fetch failed, if it did.
    pub(crate) fn last_error(&self) -> Option<FetchError> {
        self.progress.borrow().last_error.clone()
    }

    /// Whether it is known, from a look not long ago, that no key has this id.
    pub(crate) fn is_known_as_unknown(&self, kid: &KeyId, monotonic: Duration) -> bool {
        self.age_max.is_none() || self.unknown.contains(kid, monotonic)
    }

    /// Asks for a fetch without waiting for it.
    pub(crate) fn want(&self) {
        self.wanted.notify_one();
    }

    /// Waits until somebody asks for a fetch.
    pub(crate) async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// Waits for the first keys, or for the next attempt to fail.
    pub(crate) async fn wait_for_first(&self) {
        let mut progress = self.progress.subscribe();
        let Progress { started, finished, .. } = *progress.borrow_and_update();
        if started == finished {
            self.want();
        }
        let done = progress.wait_for(|progress| progress.finished > finished || self.loaded.load().is_some());
        let _ = tokio::time::timeout(WAIT_MAX, done).await;
    }

    /// Waits for a fetch that starts from now on.
    pub(crate) async fn wait_for_fetch(&self) {
        if self.age_max.is_none() {
            return;
        }
        self.wait_for_fetch_or(|| false).await;
    }

    /// Waits for a fetch that starts from now on, unless one that is under way brings the key. Whoever asks meanwhile waits for
    /// the same. An id that such a fetch does not bring is remembered.
    pub(crate) async fn wait_for_key(&self, kid: &KeyId, monotonic: impl Fn() -> Duration) {
        let fetched = self.wait_for_fetch_or(|| self.has(kid)).await;
        if fetched && !self.has(kid) {
            self.unknown.insert(kid.clone(), monotonic());
        }
    }

    /// Whether a fetch came to a good end.
    async fn wait_for_fetch_or(&self, satisfied: impl Fn() -> bool) -> bool {
        let mut progress = self.progress.subscribe();
        let started = progress.borrow_and_update().started;
        self.want();
        let done = progress.wait_for(|progress| progress.finished > started || satisfied());
        match tokio::time::timeout(WAIT_MAX, done).await {
            Ok(Ok(progress)) => progress.finished > started && progress.last_error.is_none(),
            Ok(Err(_)) | Err(_) => false,
        }
    }

    fn has(&self, kid: &KeyId) -> bool {
        self.loaded.load().as_ref().is_some_and(|loaded| loaded.keys.get(kid.as_str()).is_some())
    }

    pub(crate) fn fetch_started(&self) {
        self.progress.send_modify(|progress| progress.started += 1);
    }

    pub(crate) fn fetch_finished(&self, error: Option<FetchError>) {
        self.progress.send_modify(|progress| {
            progress.finished = progress.started;
            progress.last_error = error;
        });
    }

    /// The source confirmed at this moment that these are the keys.
    pub(crate) fn confirm(&self, monotonic: Duration) {
        let microseconds = u64::try_from(monotonic.as_micros()).unwrap_or(u64::MAX);
        self.confirmed_at.store(microseconds, Ordering::Release);
    }

    /// Takes over a set; what changed, if anything did.
    pub(crate) fn install(&self, set: JwkSet) -> Option<Change> {
        let before = self.loaded();
        let nothing = JwkSet::default();
        let published = before.as_ref().map_or(&nothing, |before| &before.published);
        let (added, removed) = (missing(&set, published), missing(published, &set));
        if before.is_some() && added.is_empty() && removed.is_empty() {
            return None;
        }
        let generation = self.generation() + 1;
        let loaded = LoadedKeys { keys: KeySet::new(&set), generation, published: set };
        self.loaded.store(Some(Arc::new(loaded)));
        self.generation.store(generation, Ordering::Release);
        self.unknown.clear();
        Some(Change { generation, added, removed })
    }
}

/// The keys of `set` that are not, or not the same, in `other`.
fn missing(set: &JwkSet, other: &JwkSet) -> Vec<KeyId> {
    let is_missing = |key: &&Jwk| key.kid().is_some_and(|kid| other.get(kid.as_str()) != Some(*key));
    set.keys().iter().filter(is_missing).filter_map(|key| key.kid().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use cress_testkit::TestIssuer;

    use super::*;

    #[test]
    fn only_a_real_change_counts() {
        let mut issuer = TestIssuer::new();
        issuer.add_key("test-2");
        let keys = IssuerKeys::awaited(issuer.issuer().clone(), Duration::from_secs(10));
        assert!(keys.loaded().is_none());

        let change = keys.install(issuer.jwks()).unwrap();
        assert_eq!((change.generation, change.added.len(), change.removed.len()), (1, 2, 0));
        let reversed = JwkSet::new(issuer.jwks().keys().iter().rev().cloned().collect()).unwrap();
        assert!(keys.install(reversed).is_none());

        // The same id, another key: as good as a removal.
        let change = keys.install(TestIssuer::new().jwks()).unwrap();
        assert_eq!((change.generation, change.added.len(), change.removed.len()), (2, 1, 2));
        assert_eq!(keys.generation(), 2);
    }

    #[test]
    fn keys_age_from_their_confirmation() {
        let issuer = TestIssuer::new();
        let seconds = Duration::from_secs;
        let keys = IssuerKeys::awaited(issuer.issuer().clone(), seconds(10));
        keys.confirm(seconds(100));
        assert_eq!(keys.too_old(seconds(110)), None);
        assert_eq!(keys.too_old(seconds(111)), Some((seconds(11), seconds(10))));
        let fixed = IssuerKeys::fixed(issuer.issuer().clone(), &issuer.jwks());
        assert_eq!(fixed.too_old(seconds(1_000_000)), None);
    }
}
