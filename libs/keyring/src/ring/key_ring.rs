// SPDX-License-Identifier: Apache-2.0
//! The ring itself: look at the store, do what is due, show the result.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use cress_domain::Clock;
use cress_store::keyring::{KeyRecord, KeyRingStore};
use tokio::sync::{Mutex, MutexGuard, watch};

use super::state::State;
use super::{KeyRingError, RingView};
use crate::schedule::Roster;
use crate::{KeyEncryptionKeys, Settings};

/// How often the store is looked at, at least.
const LOOK_PERIOD: Duration = Duration::from_secs(30);
/// How soon it is looked at again after a failure.
const RETRY_PERIOD: Duration = Duration::from_secs(5);
/// How soon at the earliest, whatever is due.
const PAUSE_MIN: Duration = Duration::from_millis(20);
/// Looks in the time that a view stays fresh.
const LOOKS_WHILE_FRESH: u32 = 8;
/// How often a change is tried while others change the ring.
pub(super) const WRITES_MAX: usize = 16;

/// A persistent, rotating key ring. Clones are the same; any number of rings, in any number of processes, may share a store.
#[derive(Clone)]
pub struct KeyRing(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) store: KeyRingStore,
    pub(super) keys: Arc<KeyEncryptionKeys>,
    pub(super) settings: Settings,
    pub(super) clock: Arc<dyn Clock>,
    state: Mutex<State>,
    view: ArcSwap<RingView>,
    changed: watch::Sender<Arc<RingView>>,
}

impl KeyRing {
    /// Opens the ring, does what is due (at the very first start it makes the first two keys), and can sign when it returns.
    ///
    /// # Errors
    /// [`KeyRingError`]: bad settings, store, a private key that cannot be opened.
    pub async fn open(
        store: KeyRingStore,
        keys: Arc<KeyEncryptionKeys>,
        settings: Settings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, KeyRingError> {
        settings.check()?;
        let nothing = Arc::new(RingView::new(cress_jose::JwkSet::default(), Vec::new(), clock.now()).stale());
        let ring = Self(Arc::new(Inner {
            view: ArcSwap::new(Arc::clone(&nothing)),
            changed: watch::Sender::new(nothing),
            state: Mutex::default(),
            store,
            keys,
            settings,
            clock,
        }));
        ring.advance().await?;
        Ok(ring)
    }

    /// What the ring shows now. One atomic load: take it anew for each batch of signatures and each answer.
    #[must_use]
    pub fn current(&self) -> Arc<RingView> {
        self.0.view.load_full()
    }

    /// Tells whenever keys come, go or change their times. What [`Self::current`] gives is as new, and may be fresher.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Arc<RingView>> {
        self.0.changed.subscribe()
    }

    /// Looks at the store, does what is due, and shows the result. Any number of replicas may do so at the same time.
    ///
    /// # Errors
    /// [`KeyRingError`]. What was shown stays shown until it is too old.
    pub async fn advance(&self) -> Result<(), KeyRingError> {
        let mut state = self.0.state.lock().await;
        let advanced = self.advance_with(&mut state).await;
        self.tell_if_clock_is_behind(&mut state);
        if advanced.is_err() {
            self.give_up_if_stale(&state);
        }
        advanced
    }

    /// Keeps the ring going until `cancel` resolves.
    pub async fn run(&self, cancel: impl Future<Output = ()>) {
        let mut cancel = pin!(cancel);
        loop {
            tokio::select! {
                () = &mut cancel => return,
                () = self.look_and_pause() => {}
            }
        }
    }

    async fn look_and_pause(&self) {
        let pause = match self.advance().await {
            Ok(()) => self.pause().await,
            Err(error) => {
                let ring = self.0.settings.ring.as_str();
                tracing::error!(ring, %error, "the key ring cannot be kept going; what it last showed stays");
                RETRY_PERIOD
            }
        };
        tokio::time::sleep(pause.min(self.0.settings.stale_max() / LOOKS_WHILE_FRESH).max(PAUSE_MIN)).await;
    }

    async fn pause(&self) -> Duration {
        let now = self.0.clock.now();
        let next_event = self.0.state.lock().await.roster().next_event(now);
        next_event.map_or(LOOK_PERIOD, |event| event.saturating_since(now).min(LOOK_PERIOD))
    }

    async fn advance_with(&self, state: &mut State) -> Result<(), KeyRingError> {
        let Inner { store, keys, settings, clock, .. } = self.0.as_ref();
        for _ in 0..WRITES_MAX {
            self.read(state).await?;
            self.show(state)?;
            let Some(planned) = state.roster().advanced(settings, clock.now()) else { return Ok(()) };
            if state.write(&planned, store, keys, settings).await? {
                return self.show(state);
            }
        }
        Err(KeyRingError::Contended)
    }

    pub(super) async fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().await
    }

    pub(super) async fn read(&self, state: &mut State) -> Result<(), KeyRingError> {
        let asked_at = self.0.clock.monotonic();
        state.read(&self.0.store, &self.0.settings).await?;
        state.read_at = asked_at;
        Ok(())
    }

    /// Plans and writes until nobody is faster, and shows the result.
    pub(super) async fn change(
        &self,
        state: &mut State,
        plan: impl Fn(&State) -> Result<Roster, KeyRingError>,
    ) -> Result<(), KeyRingError> {
        for _ in 0..WRITES_MAX {
            self.read(state).await?;
            let planned = plan(state)?;
            if planned == state.roster() {
                return self.show(state);
            }
            if state.write(&planned, &self.0.store, &self.0.keys, &self.0.settings).await? {
                return self.show(state);
            }
        }
        Err(KeyRingError::Contended)
    }

    pub(super) fn show(&self, state: &mut State) -> Result<(), KeyRingError> {
        let Inner { keys, settings, clock, view, .. } = self.0.as_ref();
        let now = clock.now();
        let read_at = now - clock.monotonic().saturating_sub(state.read_at);
        let next = Arc::new(state.view(keys, settings, now, read_at + settings.stale_max())?);
        state.shown_read_at = state.read_at;
        let last = view.swap(Arc::clone(&next));
        if last.was_given_up() || !next.shows_the_same_as(&last) {
            self.tell(&next);
        }
        Ok(())
    }

    fn tell(&self, view: &Arc<RingView>) {
        let signer = view.signing_key(self.0.clock.now()).map(|key| key.kid().as_str());
        let (ring, published) = (self.0.settings.ring.as_str(), view.published.keys().len());
        tracing::info!(ring, signer, published, "the key ring has changed");
        self.0.changed.send_replace(Arc::clone(view));
    }

    /// Nothing is done about it: the clock may be wrong now, or another one may have been when the key was made.
    fn tell_if_clock_is_behind(&self, state: &mut State) {
        let (ring, now) = (self.0.settings.ring.as_str(), self.0.clock.now());
        let is_ahead =
            |record: &&KeyRecord| record.revoked_at.is_none() && record.created_at > now + self.0.settings.skew;
        let ahead = state.records().iter().find(is_ahead).map(|record| (record.kid.clone(), record.created_at));
        if let Some((kid, created_at)) = ahead.as_ref().filter(|_| !state.told_clock_is_behind) {
            tracing::error!(
                ring, %kid, %created_at, %now,
                "a key was made in the future of this machine's clock; set the clock right, or, if it is, revoke that key"
            );
        }
        state.told_clock_is_behind = ahead.is_some();
    }

    fn give_up_if_stale(&self, state: &State) {
        let age = self.0.clock.monotonic().saturating_sub(state.shown_read_at);
        let view = self.current();
        if age > self.0.settings.stale_max() && !view.was_given_up() {
            let ring = self.0.settings.ring.as_str();
            tracing::error!(
                ring,
                "the key ring's store could not be asked for too long; nothing is signed or published"
            );
            let stale = Arc::new(view.stale());
            self.0.view.store(Arc::clone(&stale));
            self.0.changed.send_replace(stale);
        }
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (settings, view) = (&self.0.settings, self.current());
        formatter.debug_struct("KeyRing").field("ring", &settings.ring.as_str()).field("view", &view).finish()
    }
}
