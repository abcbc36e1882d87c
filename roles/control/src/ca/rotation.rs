// SPDX-License-Identifier: Apache-2.0
//! How one authority follows another, without a moment at which a node and control do not know each other.
//!
//! A new authority is stored and told to nodes at once, signs after the lead time, and the one before it stays trusted for the overlap after
//! that, which is longer than anything lives that it signed. The new one's certificate by the old one stands in the server's chain, so
//! that a node which slept through all of it still knows control; it proves its key then to get a certificate by the new one.
//! Each step is one transaction of the store, which any replica may take; the times stand in the store, so no replica has to be there
//! when they come.

use std::future::Future;
use std::time::Duration;

use cress_domain::Timestamp;
use cress_store::control::AuthorityRetirement;
use cress_store::{CertificateFingerprint, StoreErrorKind};

use super::authority::{Authority, Term};
use super::currency::Complaints;
use super::{CaError, CertificateAuthority, stored};
use crate::clock_trust::ClockTrust;

/// How often the store is asked for what other replicas did.
const FOLLOW_PERIOD: Duration = Duration::from_secs(2);
/// How long after a refusal the database is asked again to clean up.
const SCRUB_RETRY_PERIOD: Duration = Duration::from_secs(600);
/// How often a rotation is tried while other replicas are faster.
const TRIES_MAX: usize = 8;
/// So long before its end an authority is followed by another, without being asked.
const ROTATE_WHEN_LEFT: Duration = Duration::from_secs(180 * 24 * 3_600);

/// When authorities change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RotationSettings {
    /// How long a new authority is told to nodes before it signs.
    pub(crate) lead: Duration,
    /// How long an old one is trusted after the new one began to sign.
    pub(crate) overlap: Duration,
}

/// What an authority does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AuthorityState {
    /// Trusted, signs nothing yet.
    Next,
    /// Signs.
    Signing,
    /// Trusted, signs nothing any more.
    Retiring,
}

/// One authority, to be listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AuthoritySummary {
    pub(crate) fingerprint: CertificateFingerprint,
    pub(crate) state: AuthorityState,
    pub(crate) created_at: Timestamp,
    pub(crate) signs_from: Timestamp,
    pub(crate) retires_at: Option<Timestamp>,
    pub(crate) not_after: Timestamp,
}

impl CertificateAuthority {
    /// Takes over what the store has, such as what another replica did. What cannot be used is left out and told; if nothing can be used,
    /// everything stays as it was.
    ///
    /// # Errors
    /// [`CaError`]; [`CaError::Unusable`] after everything else was taken over.
    pub(crate) async fn refresh(&self) -> Result<(), CaError> {
        let (inner, asked_at) = (&self.0, self.0.clock.monotonic());
        let records = inner.store.certificate_authorities().await?;
        let (terms, unusable) = stored::terms(records, &self.terms(), &inner.keys);
        if terms.is_empty() {
            return Err(unusable.into_iter().next().map_or(CaError::Missing, |(_, error)| error));
        }
        self.replace(terms.into())?;
        self.note_list(asked_at, unusable.len());
        match unusable.first() {
            None => Ok(()),
            Some((fingerprint, error)) => {
                let (count, fingerprint, reason) = (unusable.len(), *fingerprint, error.to_string());
                Err(CaError::Unusable { count, fingerprint, reason })
            }
        }
    }

    /// The same for who can work with what is of use.
    pub(crate) async fn refresh_what_is_good(&self) -> Result<(), CaError> {
        match self.refresh().await {
            Err(CaError::Unusable { .. }) => Ok(()),
            outcome => outcome,
        }
    }

    /// Makes a successor of the newest authority, unless one waits to sign already: so repeating it does no harm.
    pub(crate) async fn rotate(&self) -> Result<(), CaError> {
        let mut outdated = CaError::Missing;
        for _ in 0..TRIES_MAX {
            self.refresh_what_is_good().await?;
            let (inner, now) = (&self.0, self.0.clock.now());
            let newest = self.terms().last().cloned().ok_or(CaError::Missing)?;
            if newest.signs_from > now {
                return Ok(());
            }
            let successor = self.successor(&newest, now)?;
            let retires_at = successor.signs_from + inner.settings.overlap;
            let record = stored::seal(&successor, &inner.keys)?;
            let predecessor = CertificateFingerprint::from_bytes(newest.authority.fingerprint());
            match inner.store.succeed_certificate_authority(predecessor, &record, retires_at).await {
                Ok(_) => {
                    let (signs_from, fingerprint) = (successor.signs_from, record.fingerprint);
                    tracing::info!(%fingerprint, %signs_from, "made another certificate authority");
                    return self.refresh_what_is_good().await;
                }
                // Another replica was faster.
                Err(error) if error.kind() == StoreErrorKind::Outdated => outdated = error.into(),
                Err(error) => return Err(error.into()),
            }
        }
        // The newest is of no use here, so that nothing can follow it: say what is wrong with it.
        self.refresh().await?;
        Err(outdated)
    }

    /// Trusts an authority no more, at once, if there is another: for the emergency that its private key is known to others.
    pub(crate) async fn retire(&self, fingerprint: CertificateFingerprint) -> Result<AuthorityRetirement, CaError> {
        let (store, now) = (&self.0.store, self.0.clock.now());
        let retirement = store.retire_certificate_authority(fingerprint, now).await?;
        if retirement == AuthorityRetirement::Retired {
            tracing::warn!(%fingerprint, "a certificate authority is trusted no more");
            self.refresh_what_is_good().await?;
            store.scrub_if_due().await?;
        }
        Ok(retirement)
    }

    /// Every authority, oldest first.
    pub(crate) fn list(&self) -> Vec<AuthoritySummary> {
        let terms = self.terms();
        let signing = self.signing_term().map(|term| term.authority.fingerprint());
        let summary = |term: &Term, state| AuthoritySummary {
            fingerprint: CertificateFingerprint::from_bytes(term.authority.fingerprint()),
            state,
            created_at: term.created_at,
            signs_from: term.signs_from,
            retires_at: term.retires_at,
            not_after: term.authority.not_after,
        };
        let (mut state, mut summaries) = (AuthorityState::Retiring, Vec::new());
        for term in terms.iter() {
            if signing.as_ref().is_ok_and(|signing| *signing == term.authority.fingerprint()) {
                summaries.push(summary(term, AuthorityState::Signing));
                state = AuthorityState::Next;
            } else {
                summaries.push(summary(term, state));
            }
        }
        summaries
    }

    /// Follows the store, forgets what is over and rotates ahead of the end, until `cancel` resolves. While the clock is wrong it only follows.
    pub(crate) async fn follow(self, clock: ClockTrust, cancel: impl Future<Output = ()> + Send) {
        let follow = async {
            let mut complaints = Complaints::default();
            loop {
                tokio::time::sleep(FOLLOW_PERIOD).await;
                let outcome = if clock.check().is_ok() { self.step().await } else { self.refresh().await };
                complaints.note(&outcome, self.check_current());
            }
        };
        tokio::select! {
            () = follow => {}
            () = cancel => {}
        }
    }

    /// One look. The store is written to only when a time has come.
    pub(crate) async fn step(&self) -> Result<(), CaError> {
        let refreshed = self.refresh().await;
        if !matches!(refreshed, Ok(()) | Err(CaError::Unusable { .. })) {
            return refreshed;
        }
        self.step_on().await.and(refreshed)
    }

    async fn step_on(&self) -> Result<(), CaError> {
        let now = self.0.clock.now();
        let terms = self.terms();
        if terms.iter().any(|term| !term.is_trusted(now)) {
            let forgotten = self.0.store.forget_retired_certificate_authorities(now).await?;
            if forgotten > 0 {
                tracing::info!(forgotten, "the time of certificate authorities is over; they are trusted no more");
            }
            self.refresh_what_is_good().await?;
        }
        self.scrub_if_due().await?;
        if terms.last().is_some_and(|newest| newest.authority.not_after <= now + ROTATE_WHEN_LEFT) {
            self.rotate().await?;
        }
        Ok(())
    }

    /// Cleans up after what was removed, also by another process that was cut off before it could. What the database refuses for good is not
    /// asked for all the time.
    async fn scrub_if_due(&self) -> Result<(), CaError> {
        let (now, refused_at) = (self.0.clock.monotonic(), self.list_state().scrub_refused_at);
        if refused_at.is_some_and(|refused_at| now.saturating_sub(refused_at) < SCRUB_RETRY_PERIOD) {
            return Ok(());
        }
        let outcome = self.0.store.scrub_if_due().await;
        let is_refused = outcome.as_ref().is_err_and(|error| error.kind() == StoreErrorKind::Permanent);
        self.list_state().scrub_refused_at = is_refused.then_some(now);
        Ok(outcome?)
    }

    fn successor(&self, newest: &Term, now: Timestamp) -> Result<Term, CaError> {
        let random = self.0.random.as_ref();
        let authority = Authority::generate(now, random)?;
        let cross = newest.authority.vouch_for(&authority, &newest.cross, now, random)?;
        let signs_from = now + self.0.settings.lead;
        Ok(Term { authority: std::sync::Arc::new(authority), created_at: now, signs_from, retires_at: None, cross })
    }
}

impl Default for RotationSettings {
    /// A day, so that whoever is cut off for a night hears of it before; and eight days, which is longer than a join token lives.
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 3_600);
        Self { lead: DAY, overlap: 8 * DAY }
    }
}
