// SPDX-License-Identifier: Apache-2.0
//! The cache of the whole agent: what its instances, its link to control and its own task share.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use cress_domain::{Clock, GroupDefinition, Issuer, Random};
use cress_token::KeySet;
use tokio::sync::Notify;

use super::check::IssuerKeys;
use super::identity::InstanceIdentity;
use super::instance::InstanceTokens;
use super::limits::GATHER_TIME;
use super::metrics::TokenMetrics;
use super::slot::Slot;
use super::source::TokenSource;
use super::state::State;
use crate::imds::TokenAnswer;

/// The token cache of an agent. Clones are the same cache.
#[derive(Clone)]
pub struct TokenCache {
    pub(super) shared: Arc<Shared>,
}

/// What all parts of the cache share.
pub(super) struct Shared {
    pub(super) source: Arc<dyn TokenSource>,
    pub(super) clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    pub(super) keys: ArcSwapOption<IssuerKeys>,
    state: Mutex<State>,
    /// Told when there may be something to fetch.
    pub(super) woken: Notify,
    /// Told when the link to control is back.
    pub(super) reconnected: Notify,
    pub(super) metrics: TokenMetrics,
}

impl TokenCache {
    /// An empty cache. Nothing is fetched before [`Self::set_keys`], and only while [`Self::run`] runs.
    #[must_use]
    pub fn new(source: Arc<dyn TokenSource>, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        let shared = Shared {
            source,
            clock,
            random,
            keys: ArcSwapOption::empty(),
            state: Mutex::default(),
            woken: Notify::new(),
            reconnected: Notify::new(),
            metrics: TokenMetrics::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Begins to hold tokens for an instance and has its first one fetched. Call it as soon as the instance is placed, and
    /// wait for [`InstanceTokens::ready`] before its first instruction runs.
    #[must_use]
    pub fn open(&self, identity: InstanceIdentity, definition: &GroupDefinition) -> InstanceTokens {
        InstanceTokens::new(Arc::clone(&self.shared), identity, definition)
    }

    /// Takes the issuer and the key set that control sent, against which all tokens are checked from now on. Tokens signed
    /// by a key that is not in it any more (it was revoked) are dropped at once and fetched anew. An empty set is not
    /// taken: control never means it, and every token would be lost.
    pub fn set_keys(&self, issuer: Issuer, keys: KeySet) {
        if keys.is_empty() {
            tracing::error!(%issuer, "expected a key set with usable keys from control, got none; the last one stays");
            return;
        }
        let shared = &self.shared;
        let now = shared.clock.monotonic();
        let mut state = shared.state();
        let keys = Arc::new(IssuerKeys { issuer, keys });
        shared.keys.store(Some(Arc::clone(&keys)));
        state.has_keys = true;
        let places: Vec<_> = state.queue.items().map(|(ticket, slot)| (ticket, Arc::clone(slot))).collect();
        for (ticket, slot) in places {
            let is_lost = slot.is_signed_by_other_than(|kid| keys.keys.get(kid.as_str()).is_some());
            if is_lost {
                slot.drop_token();
            }
            if is_lost || state.queue.failures(ticket) > Some(0) {
                state.queue.hasten(ticket, now);
            }
        }
        shared.woken.notify_one();
    }

    /// Says that the link to control is back: what waits for control is asked for at once.
    pub fn wake(&self) {
        if self.shared.state().gate.open() {
            tracing::info!("control can be reached again, asking it for tokens");
        }
        self.shared.reconnected.notify_waiters();
        self.shared.woken.notify_one();
    }

    /// The cache's counters.
    #[must_use]
    pub fn metrics(&self) -> &TokenMetrics {
        &self.shared.metrics
    }
}

impl fmt::Debug for TokenCache {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TokenCache(..)")
    }
}

impl Shared {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn jitter(&self) -> u16 {
        let mut bytes = [0; 2];
        self.random.fill(&mut bytes);
        u16::from_le_bytes(bytes)
    }

    /// The answer for this place. The hot path ends at the first line that finds a token.
    pub(super) fn answer(&self, slot: &Arc<Slot>) -> TokenAnswer {
        let now = self.clock.monotonic();
        if slot.audience.is_some() {
            slot.asked(now);
        }
        slot.good(now).map_or_else(|| self.answer_without_token(slot, now), TokenAnswer::Ready)
    }

    /// Has a token fetched if none is on its way: the first request for an audience does this.
    fn answer_without_token(&self, slot: &Arc<Slot>, now: Duration) -> TokenAnswer {
        let mut state = self.state();
        if slot.owner.is_closed() {
            return TokenAnswer::InstanceUnknown;
        }
        if slot.is_removed() {
            return TokenAnswer::AudienceNotAllowed;
        }
        if let Some(body) = slot.good(now) {
            return TokenAnswer::Ready(body);
        }
        if state.queue.failures(slot.ticket()).is_none() {
            state.enqueue(slot, now + GATHER_TIME);
            self.woken.notify_one();
        } else if state.has_overslept(now) {
            self.woken.notify_one();
        }
        state.without_token(slot)
    }

    /// Has fresh tokens fetched for those of these places that are in use. What they hold is served until then; what nobody
    /// asks for is dropped, since nothing would replace it.
    pub(super) fn renew<'a>(&self, slots: impl IntoIterator<Item = &'a Arc<Slot>>) {
        let now = self.clock.monotonic();
        let mut state = self.state();
        for slot in slots {
            if slot.is_unasked(now) {
                state.forget(slot);
                slot.drop_token();
            } else if state.queue.failures(slot.ticket()).is_some() {
                state.enqueue(slot, now + GATHER_TIME);
            }
        }
        self.woken.notify_one();
    }

    /// Has a token fetched for this place, whether or not one is on its way already.
    pub(super) fn fetch_anew(&self, slot: &Arc<Slot>) {
        self.state().enqueue(slot, self.clock.monotonic() + GATHER_TIME);
        self.woken.notify_one();
    }

    /// Drops what these places hold and what is on its way to them.
    pub(super) fn drop_tokens<'a>(&self, slots: impl IntoIterator<Item = &'a Arc<Slot>>) {
        let mut state = self.state();
        for slot in slots {
            state.forget(slot);
            slot.drop_token();
        }
    }
}
