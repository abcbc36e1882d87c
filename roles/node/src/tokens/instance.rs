// SPDX-License-Identifier: Apache-2.0
//! The tokens of one instance.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use cress_domain::limits::ALLOWED_AUDIENCES_MAX;
use cress_domain::{Audience, ExtraClaims, GroupDefinition, TokenTtl};

use super::cache::Shared;
use super::identity::InstanceIdentity;
use super::slot::{Owner, Slot};
use crate::imds::TokenAnswer;

/// The tokens of one instance, from its placement to its end. Dropping it is as good as [`Self::close`].
pub struct InstanceTokens {
    shared: Arc<Shared>,
    owner: Arc<Owner>,
    default: Arc<Slot>,
    /// One place for each audience on the container group's allow-list.
    allowed: ArcSwap<Vec<Arc<Slot>>>,
    terms: Mutex<Terms>,
}

/// The part of a container group's definition that its tokens depend on.
#[derive(PartialEq)]
struct Terms {
    allowed_audiences: Vec<Audience>,
    token_ttl: TokenTtl,
    extra_claims: ExtraClaims,
}

impl InstanceTokens {
    pub(super) fn new(shared: Arc<Shared>, identity: InstanceIdentity, definition: &GroupDefinition) -> Self {
        let owner = Arc::new(Owner::new(identity));
        let terms = Terms::of(definition);
        let tokens = Self {
            shared,
            default: Arc::new(Slot::new(Arc::clone(&owner), None)),
            allowed: ArcSwap::from_pointee(places(&owner, &terms, &[])),
            terms: Mutex::new(terms),
            owner,
        };
        tokens.shared.fetch_anew(&tokens.default);
        tokens
    }

    /// The token for this audience, or for the default one: the organization. From memory, without waiting.
    #[must_use]
    pub fn token(&self, audience: Option<&Audience>) -> TokenAnswer {
        let Some(audience) = audience else { return self.shared.answer(&self.default) };
        let allowed = self.allowed.load();
        if let Some(slot) = allowed.iter().find(|slot| slot.audience.as_ref() == Some(audience)) {
            return self.shared.answer(slot);
        }
        if self.owner.is_closed() {
            TokenAnswer::InstanceUnknown
        } else if is_organization(audience, &self.owner.identity) {
            self.shared.answer(&self.default)
        } else {
            TokenAnswer::AudienceNotAllowed
        }
    }

    /// Resolves with the answer of [`Self::token`] as soon as that is not [`TokenAnswer::Pending`].
    pub async fn settled_token(&self, audience: Option<&Audience>) -> TokenAnswer {
        loop {
            let changed = self.owner.changed.notified();
            match self.token(audience) {
                TokenAnswer::Pending => changed.await,
                settled => return settled,
            }
        }
    }

    /// Resolves with true as soon as the default token is there, however long control stays away, and with false when the
    /// instance is closed. To be awaited before each run of the instance.
    pub async fn ready(&self) -> bool {
        loop {
            let changed = self.owner.changed.notified();
            match self.token(None) {
                TokenAnswer::Ready(_) => return true,
                TokenAnswer::InstanceUnknown => return false,
                _ => changed.await,
            }
        }
    }

    /// Whether the default token can be served now.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.default.good(self.shared.clock.monotonic()).is_some()
    }

    /// Follows the container group's definition. An audience that is not allowed any more is refused from now on. If
    /// anything changed that tokens depend on, fresh ones are fetched and those held are served until then; if nothing did,
    /// nothing happens.
    pub fn update(&self, definition: &GroupDefinition) {
        let mut terms = self.terms.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = Terms::of(definition);
        if *terms == changed || self.owner.is_closed() {
            return;
        }
        let before = self.allowed.load_full();
        let after = Arc::new(places(&self.owner, &changed, &before));
        *terms = changed;
        self.allowed.store(Arc::clone(&after));
        let is_gone = |slot: &&Arc<Slot>| !after.iter().any(|kept| Arc::ptr_eq(kept, slot));
        before.iter().filter(is_gone).for_each(|slot| slot.remove());
        self.shared.drop_tokens(before.iter().filter(is_gone));
        self.shared.renew(after.iter().chain([&self.default]));
        self.owner.changed.notify_waiters();
    }

    /// Drops every token, since the run that could read them has ended, and has a fresh default token fetched for the next
    /// run. What control is just signing for the old run is never served.
    pub fn start_over(&self) {
        self.shared.drop_tokens(self.allowed.load().iter().chain([&self.default]));
        if !self.owner.is_closed() {
            self.shared.fetch_anew(&self.default);
        }
    }

    /// Drops every token for good: the instance has ended. From now on every answer is [`TokenAnswer::InstanceUnknown`].
    pub fn close(&self) {
        let _updates_are_over = self.terms.lock().unwrap_or_else(PoisonError::into_inner);
        self.owner.close();
        self.shared.drop_tokens(self.allowed.load().iter().chain([&self.default]));
        self.owner.changed.notify_waiters();
    }
}

impl Drop for InstanceTokens {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for InstanceTokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("InstanceTokens").field("identity", &self.owner.identity).finish_non_exhaustive()
    }
}

impl Terms {
    fn of(definition: &GroupDefinition) -> Self {
        Self {
            allowed_audiences: definition.allowed_audiences.clone(),
            token_ttl: definition.token_ttl_seconds,
            extra_claims: definition.extra_claims.clone(),
        }
    }
}

/// A place for each allowed audience but the default one; those that were there stay.
fn places(owner: &Arc<Owner>, terms: &Terms, before: &[Arc<Slot>]) -> Vec<Arc<Slot>> {
    let place = |audience: &Audience| {
        let same = before.iter().find(|slot| slot.audience.as_ref() == Some(audience));
        same.map_or_else(|| Arc::new(Slot::new(Arc::clone(owner), Some(audience.clone()))), Arc::clone)
    };
    let others = terms.allowed_audiences.iter().filter(|audience| !is_organization(audience, &owner.identity));
    others.take(ALLOWED_AUDIENCES_MAX).map(place).collect()
}

/// Whether this is the default audience, by its name.
fn is_organization(audience: &Audience, identity: &InstanceIdentity) -> bool {
    audience.as_str().parse() == Ok(identity.organization_id)
}
