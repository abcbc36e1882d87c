// SPDX-License-Identifier: Apache-2.0
//! The place of one token: one instance, one audience.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use cress_domain::{Audience, KeyId};
use tokio::sync::Notify;

use super::identity::InstanceIdentity;
use super::limits::UNASKED_TIME_MAX;
use super::queue::Ticket;
use crate::imds::TokenBody;

/// What all places of one instance share.
pub(super) struct Owner {
    pub(super) identity: InstanceIdentity,
    /// Told of everything that may change an answer.
    pub(super) changed: Notify,
    closed: AtomicBool,
}

/// The place of one token. The token is read without a lock; everything else changes under the cache's.
pub(super) struct Slot {
    pub(super) owner: Arc<Owner>,
    /// None: the organization.
    pub(super) audience: Option<Audience>,
    token: ArcSwapOption<Held>,
    ticket: AtomicU64,
    /// Monotonic, whole seconds, so that a busy caller writes it once a second.
    asked_seconds: AtomicU64,
    /// Not on the allow-list any more.
    removed: AtomicBool,
}

/// A token that passed the check.
pub(super) struct Held {
    pub(super) body: TokenBody,
    pub(super) kid: KeyId,
    /// How long it was good when it came.
    pub(super) life: Duration,
    /// Monotonic: from here on it is not served.
    pub(super) expires: Duration,
}

impl Owner {
    pub(super) fn new(identity: InstanceIdentity) -> Self {
        Self { identity, changed: Notify::new(), closed: AtomicBool::new(false) }
    }

    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

impl Slot {
    pub(super) fn new(owner: Arc<Owner>, audience: Option<Audience>) -> Self {
        Self {
            owner,
            audience,
            token: ArcSwapOption::empty(),
            ticket: AtomicU64::new(Ticket::NONE.number()),
            asked_seconds: AtomicU64::new(0),
            removed: AtomicBool::new(false),
        }
    }

    /// The token, if it is good at this moment. The hot path: no lock, no allocation.
    pub(super) fn good(&self, now: Duration) -> Option<TokenBody> {
        match &*self.token.load() {
            Some(held) if now < held.expires => Some(held.body.clone()),
            _ => None,
        }
    }

    /// How long its token will still be served; none if there is none.
    pub(super) fn time_left(&self, now: Duration) -> Option<Duration> {
        let left = self.token.load().as_ref()?.expires.saturating_sub(now);
        (!left.is_zero()).then_some(left)
    }

    /// Remembers that someone wants this audience.
    pub(super) fn asked(&self, now: Duration) {
        if self.asked_seconds.load(Ordering::Relaxed) != now.as_secs() {
            self.asked_seconds.store(now.as_secs(), Ordering::Relaxed);
        }
    }

    /// Whether nobody asked during a whole life of its token. The default audience is always wanted.
    pub(super) fn is_unasked(&self, now: Duration) -> bool {
        let asked = Duration::from_secs(self.asked_seconds.load(Ordering::Relaxed));
        let patience = self.token.load().as_ref().map_or(UNASKED_TIME_MAX, |held| held.life);
        self.audience.is_some() && now.saturating_sub(asked) >= patience
    }

    /// Puts a token in, and says whether the one before had expired by then.
    pub(super) fn hold(&self, held: Held, now: Duration) -> bool {
        self.token.swap(Some(Arc::new(held))).is_some_and(|before| before.expires <= now)
    }

    /// Drops the token.
    pub(super) fn drop_token(&self) {
        self.token.store(None);
    }

    /// Whether the token held was signed by a key for which this says no.
    pub(super) fn is_signed_by_other_than(&self, is_known: impl Fn(&KeyId) -> bool) -> bool {
        self.token.load().as_ref().is_some_and(|held| !is_known(&held.kid))
    }

    pub(super) fn remove(&self) {
        self.removed.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_removed(&self) -> bool {
        self.removed.load(Ordering::Relaxed)
    }

    pub(super) fn ticket(&self) -> Ticket {
        Ticket::from_number(self.ticket.load(Ordering::Relaxed))
    }

    pub(super) fn set_ticket(&self, ticket: Ticket) {
        self.ticket.store(ticket.number(), Ordering::Relaxed);
    }
}

/// A token is held here: `Debug` shows none of it.
impl fmt::Debug for Slot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Slot").field("audience", &self.audience).finish_non_exhaustive()
    }
}
