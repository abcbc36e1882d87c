// SPDX-License-Identifier: Apache-2.0
//! The task that fetches: asks for what is due, checks what comes, and decides when to ask again.

use std::pin::pin;
use std::time::Duration;

use cress_domain::Timestamp;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::{sleep, timeout};

use super::cache::{Shared, TokenCache};
use super::check::{Flaw, Good, check};
use super::limits::{CALL_LOST_AFTER, CALL_TIME_MAX, CHECKS_IN_A_ROW_MAX, EXPIRY_MARGIN};
use super::pace;
use super::queue::Ticket;
use super::slot::{Held, Slot};
use super::source::{Batch, Refusal, SourceError, TokenRequest};
use super::state::Asked;
use crate::imds::TokenBody;

/// How a call ended without an answer.
enum NoAnswer {
    Failed(SourceError),
    /// It was under way when the link to control broke.
    Lost,
}

/// What the tokens of one answer share.
struct Receipt {
    /// Monotonic: when they were asked for.
    sent: Duration,
    control_time: Timestamp,
    jitter: u16,
}

/// Why a token that was asked for cannot be served.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Flawed(#[from] Flaw),
}

impl TokenCache {
    /// Fetches what is due until `stop`. The cache serves only while this runs; one such task is enough and all there
    /// may be.
    pub async fn run(&self, stop: impl Future<Output = ()>) {
        let shared = &self.shared;
        shared.ask_again_for_what_was_in_flight();
        let mut stop = pin!(stop);
        let mut calls = FuturesUnordered::new();
        loop {
            while let Some(asked) = shared.next_batch(calls.len()) {
                calls.push(shared.fetch(asked));
            }
            let sleep_time = shared.state().sleep_time(shared.clock.monotonic(), calls.len());
            tokio::select! {
                biased;
                () = &mut stop => return,
                Some(()) = calls.next(), if !calls.is_empty() => {}
                () = shared.woken.notified() => {}
                () = sleep(sleep_time) => {}
            }
        }
    }
}

impl Shared {
    fn ask_again_for_what_was_in_flight(&self) {
        let now = self.clock.monotonic();
        let mut state = self.state();
        let left: Vec<Ticket> = state.queue.in_flight().collect();
        for ticket in left {
            state.queue.put_back(ticket, now, 0);
        }
    }

    fn next_batch(&self, calls: usize) -> Option<Asked> {
        let asked = self.state().take_batch(self.clock.monotonic(), calls);
        (!asked.is_empty()).then_some(asked)
    }

    async fn fetch(&self, asked: Asked) {
        let sent = self.clock.monotonic();
        match self.call(&asked, sent).await {
            Ok(batch) => {
                if self.state().gate.open() {
                    tracing::info!("control issues tokens again");
                }
                self.take_in(asked, batch, sent).await;
            }
            Err(no_answer) => self.call_failed(&asked, &no_answer, sent),
        }
    }

    async fn call(&self, asked: &Asked, sent: Duration) -> Result<Batch, NoAnswer> {
        let request = |slot: &Slot| TokenRequest {
            instance_id: slot.owner.identity.instance_id,
            audience: slot.audience.clone(),
        };
        let requests = asked.iter().map(|(_, slot)| request(slot)).collect();
        let answer = tokio::select! {
            answer = timeout(CALL_TIME_MAX, self.source.issue(requests)) => answer,
            () = self.link_came_back_since(sent) => return Err(NoAnswer::Lost),
        };
        match answer.unwrap_or(Err(SourceError::TimedOut)) {
            Ok(batch) if batch.results.len() == asked.len() => Ok(batch),
            Ok(batch) => {
                let (asked, answered) = (asked.len(), batch.results.len());
                Err(NoAnswer::Failed(SourceError::Mismatch { asked, answered }))
            }
            Err(error) => Err(NoAnswer::Failed(error)),
        }
    }

    /// Resolves when the link to control comes back at a time when this call should long have been answered.
    async fn link_came_back_since(&self, sent: Duration) {
        loop {
            self.reconnected.notified().await;
            if self.clock.monotonic().saturating_sub(sent) >= CALL_LOST_AFTER {
                return;
            }
        }
    }

    fn call_failed(&self, asked: &Asked, no_answer: &NoAnswer, sent: Duration) {
        let now = self.clock.monotonic();
        let mut state = self.state();
        for (ticket, _) in asked {
            let failures = state.queue.failures(*ticket).unwrap_or_default();
            state.queue.put_back(*ticket, now, failures);
        }
        let NoAnswer::Failed(error) = no_answer else { return };
        self.metrics.calls_failed.inc();
        if state.gate.fail(sent, now, self.jitter()) {
            tracing::warn!(%error, "cannot get tokens; those held are served as long as they are good");
            for (_, slot) in state.queue.items().filter(|(_, slot)| slot.good(now).is_none()) {
                slot.owner.changed.notify_waiters();
            }
        } else {
            tracing::debug!(%error, "still cannot get tokens");
        }
    }

    async fn take_in(&self, asked: Asked, batch: Batch, sent: Duration) {
        // One for all: what came together is asked for together again.
        let receipt = Receipt { sent, control_time: batch.control_time, jitter: self.jitter() };
        for (index, ((ticket, slot), result)) in asked.into_iter().zip(batch.results).enumerate() {
            if index % CHECKS_IN_A_ROW_MAX == CHECKS_IN_A_ROW_MAX - 1 {
                tokio::task::yield_now().await;
            }
            let jwt = result.map(|token| token.jwt);
            let served = jwt
                .map_err(Trouble::from)
                .and_then(|jwt| Ok(self.check_and_hold(ticket, &slot, jwt.expose(), &receipt)?));
            if let Err(trouble) = served {
                self.try_again(ticket, &slot, &trouble);
            }
            slot.owner.changed.notify_waiters();
        }
    }

    fn check_and_hold(&self, ticket: Ticket, slot: &Slot, jwt: &str, receipt: &Receipt) -> Result<(), Flaw> {
        let Some(keys) = self.keys.load_full() else { return Ok(()) };
        let good = check(jwt, &slot.owner.identity, slot.audience.as_ref(), &keys, receipt.control_time)?;
        let body = TokenBody::new(jwt);
        // The first clone of shared bytes allocates their counter: here, not for the first caller.
        drop(body.clone());
        // From here on under the lock: neither a restart nor a new key set may come in between.
        let mut state = self.state();
        self.check_key_again(&good)?;
        if state.queue.failures(ticket).is_none() {
            return Ok(());
        }
        // Control read its clock after the call was sent, so measured from then the token never outlives its `exp`, even
        // if the machine slept before the answer was read.
        let expires = receipt.sent + good.life.saturating_sub(EXPIRY_MARGIN);
        let now = self.clock.monotonic();
        if expires <= now {
            state.queue.put_back(ticket, now, 0);
            return Ok(());
        }
        state.queue.put_back(ticket, receipt.sent + pace::refresh_after(good.life, receipt.jitter), 0);
        if slot.hold(Held { body, kid: good.kid, life: good.life, expires }, now) {
            self.metrics.expired.inc();
        }
        self.metrics.fetched.inc();
        Ok(())
    }

    /// The key may have been revoked while the signature was being checked.
    fn check_key_again(&self, good: &Good) -> Result<(), Flaw> {
        let is_known = self.keys.load().as_ref().is_some_and(|keys| keys.keys.get(good.kid.as_str()).is_some());
        if is_known { Ok(()) } else { Err(cress_token::Rejection::KeyUnknown { kid: good.kid.clone() }.into()) }
    }

    fn try_again(&self, ticket: Ticket, slot: &Slot, trouble: &Trouble) {
        let mut state = self.state();
        let Some(failures) = state.queue.failures(ticket) else { return };
        let failures = failures.saturating_add(1);
        let due = self.clock.monotonic() + pace::retry_after(failures, self.jitter());
        state.queue.put_back(ticket, due, failures);
        drop(state);
        self.report(slot, trouble, failures);
    }

    fn report(&self, slot: &Slot, trouble: &Trouble, failures: u32) {
        let instance_id = slot.owner.identity.instance_id;
        let code = match trouble {
            Trouble::Refused(_) => {
                self.metrics.refused.inc();
                "refused"
            }
            Trouble::Flawed(flaw) => {
                self.metrics.rejected.inc();
                flaw.code()
            }
        };
        let passes = matches!(trouble, Trouble::Flawed(flaw) if flaw.is_key_unknown());
        match (failures, trouble) {
            (1, Trouble::Flawed(_)) if !passes => {
                tracing::error!(%instance_id, audience = ?slot.audience, code, error = %trouble, "control sent a token that must not be served");
            }
            (1, _) => {
                tracing::warn!(%instance_id, audience = ?slot.audience, code, error = %trouble, "no token for an instance, trying again");
            }
            _ => {
                tracing::debug!(%instance_id, audience = ?slot.audience, code, failures, error = %trouble, "still no token for an instance");
            }
        }
    }
}
