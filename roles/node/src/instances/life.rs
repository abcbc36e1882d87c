// SPDX-License-Identifier: Apache-2.0
//! The life of one instance, from its placement to its end, in a task of its own: whatever it waits for, no other instance
//! waits with it.
//!
//! The order is what makes its identity safe: the metadata service answers before the first instruction runs, a token is
//! there before each run, and what one run could read no later run is served.

use std::sync::Arc;
use std::time::Duration;

use cress_driver::{DriverError, DriverErrorKind, Exit, Running};

use super::assignment::Assignment;
use super::backend::InstanceBackend;
use super::condition::{Condition, InstanceState};
use super::context::{Context, Finished, blocking};
use super::orders::{End, Orders, OrdersReceiver};
use super::place::Place;
use super::probes::{Prober, follow};
use super::restart::{Delays, Next, next};
use crate::backoff::Backoff;
use crate::tokens::InstanceTokens;

/// Waits between tries of what the node itself cannot do just now.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(60);
/// How long an application that asked for its restart has to take the answer.
const RESTART_COURTESY: Duration = Duration::from_millis(100);
/// What of the drain time is kept for what follows the instances' own end.
const DRAIN_RESERVE: Duration = Duration::from_millis(1_500);

/// One instance.
pub(super) struct Life {
    pub(super) context: Arc<Context>,
    pub(super) assignment: Arc<Assignment>,
    pub(super) orders: Orders,
    pub(super) told: OrdersReceiver,
    pub(super) tokens: Arc<InstanceTokens>,
    pub(super) condition: Arc<Condition>,
    /// What an earlier life of the agent left running of it.
    pub(super) adopted: Option<Running>,
}

/// How the runs of an instance end.
enum Outcome {
    Ended(End),
    Finished(Finished),
}

/// How one run ends.
enum RunEnd {
    End(End),
    /// Its application asked for a restart.
    Asked,
    /// A probe says that it must not go on.
    Unhealthy(String),
    Exited(Exit),
    NotStarted(DriverError),
}

impl Life {
    pub(super) async fn live(mut self) {
        let end = match self.context.finished.get(self.assignment.instance_id) {
            Some(finished) => self.rest(&finished).await,
            None => self.be_run().await,
        };
        if end == End::ForGood {
            let (id, context) = (self.assignment.instance_id, Arc::clone(&self.context));
            blocking(move || {
                context.places.ports.notes.forget(id);
                context.finished.forget(id);
            })
            .await;
        }
        self.condition.forget();
    }

    async fn be_run(&mut self) -> End {
        let settled = tokio::select! {
            place = self.settle() => Ok(place),
            end = self.told.ended() => Err(end),
        };
        match settled {
            Err(end) => {
                self.leave(None, end).await;
                end
            }
            Ok(place) => match self.runs(&place).await {
                Outcome::Ended(end) => {
                    self.leave(Some(place), end).await;
                    end
                }
                Outcome::Finished(finished) => {
                    self.finish(place, finished.clone()).await;
                    self.rest(&finished).await
                }
            },
        }
    }

    /// Makes the instance's place and has its metadata service answer there, however long that takes.
    async fn settle(&self) -> Place {
        let mut backoff = Backoff::new(RETRY_FIRST, RETRY_MAX, Arc::clone(&self.context.random));
        loop {
            let (state, reason) = match self.try_to_settle().await {
                Ok(place) => return place,
                Err(failure) => failure,
            };
            let wait = backoff.wait();
            tracing::warn!(instance_id = %self.assignment.instance_id, reason, retry_seconds = wait.as_secs_f32(), "an instance has no place yet");
            self.condition.change(|facts| facts.rest(state, &reason));
            tokio::time::sleep(wait).await;
        }
    }

    async fn try_to_settle(&self) -> Result<Place, (InstanceState, String)> {
        let id = self.assignment.instance_id;
        let _turn = self.context.starts.acquire().await;
        let sandbox = self.context.driver.prepare(id).await.map_err(|error| (state_of(&error), error.to_string()))?;
        let backend = InstanceBackend {
            tokens: Arc::clone(&self.tokens),
            condition: Arc::clone(&self.condition),
            orders: self.orders.clone(),
        };
        let opened = self.context.places.open(id, sandbox, backend).await;
        let place = opened.map_err(|error| (InstanceState::Failed, error.to_string()))?;
        self.context.metrics.imds_opened(id, Arc::clone(&place.statistics));
        self.condition.change(|facts| {
            facts.rest(InstanceState::Creating, "waiting for its first token");
            facts.imds = Some(place.address);
        });
        Ok(place)
    }

    /// Runs it, and again as its policy says.
    async fn runs(&mut self, place: &Place) -> Outcome {
        let mut delays = Delays::default();
        let mut starts = 0;
        loop {
            self.told.restarted();
            let began = self.context.clock.monotonic();
            let end = self.one_run(place, &mut starts).await;
            let length = self.context.clock.monotonic().saturating_sub(began);
            // Whoever could read the tokens of this run is gone, so they are of no use to anyone honest.
            if !matches!(end, RunEnd::End(_)) {
                self.tokens.start_over();
            }
            let (reason, delay) = match self.after(end, &mut delays, length) {
                Ok(again) => again,
                Err(outcome) => return outcome,
            };
            tracing::info!(instance_id = %self.assignment.instance_id, reason, delay_seconds = delay.as_secs(), "an instance runs again");
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = self.told.restart() => {}
                end = self.told.ended() => return Outcome::Ended(end),
            }
        }
    }

    /// What follows the end of a run: why and when there is another, or the outcome.
    fn after(&self, end: RunEnd, delays: &mut Delays, length: Duration) -> Result<(String, Duration), Outcome> {
        let policy = self.assignment.definition.restart_policy;
        let (state, reason, next, delay) = match end {
            RunEnd::End(end) => return Err(Outcome::Ended(end)),
            RunEnd::Asked => {
                let reason = "its application asked for a restart".to_owned();
                (InstanceState::Running, reason, Next::RunAgain, Duration::ZERO)
            }
            RunEnd::Unhealthy(reason) => {
                (InstanceState::Running, reason, next(policy, Exit::Lost), delays.after(length))
            }
            RunEnd::Exited(exit) => {
                let reason = format!("its command ended with {exit}");
                (InstanceState::Running, reason, next(policy, exit), delays.after(length))
            }
            RunEnd::NotStarted(error) => {
                self.context.metrics.start_failed();
                tracing::error!(%error, "an instance does not start");
                // The policy is about its command, which has done nothing yet.
                let next = match error.kind() {
                    DriverErrorKind::Temporary => Next::RunAgain,
                    DriverErrorKind::Permanent => next(policy, Exit::Lost),
                };
                (state_of(&error), error.to_string(), next, delays.after(length))
            }
        };
        let succeeded = match next {
            Next::Succeeded => true,
            Next::Failed => false,
            Next::RunAgain => {
                self.condition.change(|facts| {
                    facts.rest(state, &reason);
                    facts.token_ready = false;
                });
                return Ok((reason, delay));
            }
        };
        Err(Outcome::Finished(Finished { succeeded, detail: reason }))
    }

    /// One run, from the token that it needs to its end.
    async fn one_run(&mut self, place: &Place, starts: &mut u32) -> RunEnd {
        let running = match self.adopted.take() {
            Some(running) => running,
            None => {
                self.say_if_waiting();
                tokio::select! {
                    is_open = self.tokens.ready() => if !is_open { return RunEnd::End(self.told.ended().await) },
                    end = self.told.ended() => return RunEnd::End(end),
                }
                match self.start(place).await {
                    Ok(running) => running,
                    Err(error) => return RunEnd::NotStarted(error),
                }
            }
        };
        *starts += 1;
        let restarts = *starts - 1;
        if restarts > 0 {
            self.context.metrics.restarted();
        }
        self.condition.change(|facts| {
            facts.rest(InstanceState::Running, "");
            facts.restarts = restarts;
            facts.token_ready = true;
        });
        self.supervise(running, place).await
    }

    /// While control is away a run may have to wait for its token for long.
    fn say_if_waiting(&self) {
        if !self.tokens.is_ready() {
            self.condition.change(|facts| {
                if facts.state == InstanceState::Running {
                    facts.detail = "waiting for a token for its next run".to_owned();
                }
            });
        }
    }

    async fn start(&self, place: &Place) -> Result<Running, DriverError> {
        let imds = super::condition::base_url(place.address);
        let launch = self.assignment.launch(self.context.machine_id, &imds);
        let _turn = self.context.starts.acquire().await;
        self.context.driver.start(self.assignment.instance_id, launch).await
    }

    /// Waits for whatever ends the run first. When it returns, nothing of the run is left, unless the instance itself is to end.
    async fn supervise(&self, running: Running, place: &Place) -> RunEnd {
        let probes = &self.assignment.definition.probes;
        let prober = Prober {
            driver: Arc::clone(&self.context.driver),
            id: self.assignment.instance_id,
            network: place.network.clone(),
        };
        let end = tokio::select! {
            biased;
            end = self.told.ended() => RunEnd::End(end),
            exit = running => RunEnd::Exited(exit),
            () = self.told.restart() => RunEnd::Asked,
            reason = follow(probes, &prober, &self.condition) => RunEnd::Unhealthy(reason),
        };
        if matches!(end, RunEnd::Asked) {
            tokio::time::sleep(RESTART_COURTESY).await;
        }
        if !matches!(end, RunEnd::Asked | RunEnd::Unhealthy(_)) {
            return end;
        }
        tokio::select! {
            () = self.stop_run(self.assignment.stop_grace()) => end,
            // It is stopped anew then, with the grace that this end leaves.
            end = self.told.ended() => RunEnd::End(end),
        }
    }

    /// Its work is done, or given up: what it needed is freed, and what became of it is kept.
    async fn finish(&self, place: Place, finished: Finished) {
        let (id, context) = (self.assignment.instance_id, Arc::clone(&self.context));
        blocking(move || context.finish(id, finished)).await;
        self.close(Some(place)).await;
    }

    /// Shows what became of it until control ends it.
    async fn rest(&self, finished: &Finished) -> End {
        self.tokens.close();
        let state = if finished.succeeded { InstanceState::Succeeded } else { InstanceState::Failed };
        self.condition.change(|facts| {
            facts.rest(state, &finished.detail);
            facts.token_ready = false;
        });
        self.told.ended().await
    }

    async fn leave(&self, place: Option<Place>, end: End) {
        self.condition.change(|facts| facts.rest(InstanceState::Stopping, ""));
        if end == End::ForGood {
            tokio::select! {
                () = self.stop_run(self.assignment.stop_grace()) => {}
                () = self.told.agent_stops() => self.stop_run(self.drain_grace()).await,
            }
        } else {
            self.stop_run(self.drain_grace()).await;
        }
        self.close(place).await;
        tracing::info!(instance_id = %self.assignment.instance_id, "an instance has ended");
    }

    /// What is left of its grace when the agent stops.
    fn drain_grace(&self) -> Duration {
        self.assignment.stop_grace().min(self.context.drain_time.saturating_sub(DRAIN_RESERVE))
    }

    async fn close(&self, place: Option<Place>) {
        self.tokens.close();
        if let Some(place) = place {
            place.close().await;
        }
        self.context.metrics.imds_closed(self.assignment.instance_id);
        self.insist("release", || self.context.driver.release(self.assignment.instance_id)).await;
    }

    /// Its metadata service still answers during the grace: an application may have something to hand in.
    async fn stop_run(&self, grace: Duration) {
        self.insist("stop", || self.context.driver.stop(self.assignment.instance_id, grace)).await;
    }

    /// Tries until it is done: what may still run must not be forgotten.
    async fn insist<F: Future<Output = Result<(), DriverError>>>(&self, what: &str, work: impl Fn() -> F) {
        let mut backoff = Backoff::new(RETRY_FIRST, RETRY_MAX, Arc::clone(&self.context.random));
        while let Err(error) = work().await {
            tracing::error!(%error, what, "an instance cannot be ended yet; trying again");
            self.condition.change(|facts| facts.detail = error.to_string());
            tokio::time::sleep(backoff.wait()).await;
        }
    }
}

const fn state_of(error: &DriverError) -> InstanceState {
    match error.kind() {
        DriverErrorKind::Temporary => InstanceState::Creating,
        DriverErrorKind::Permanent => InstanceState::Failed,
    }
}
