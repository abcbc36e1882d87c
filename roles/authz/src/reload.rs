// SPDX-License-Identifier: Apache-2.0
//! Takes a changed configuration without dropping anything: requests at hand are decided by the rules that they began with. What
//! cannot work is not taken; the old configuration stays, and the log says why.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use cress_domain::Clock;
use cress_verify::SourceStatus;
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval};

use crate::config::{Config, Loaded};
use crate::judge::Judge;
use crate::metrics::AuthzMetrics;
use crate::start::{KEYS_PATIENCE, wait_for_keys};
use crate::warnings;

/// How often files are looked at.
const POLL_PERIOD: Duration = Duration::from_secs(2);

/// How a new configuration is had.
#[derive(Clone)]
pub struct Reload {
    /// Loads it as at the start, not yet checked. The error is one sentence. May block on the disk.
    pub load: Arc<dyn Fn() -> Result<Config, String> + Send + Sync>,
    /// Asks for it to be looked at now, rather than when its files are next looked at.
    pub asked: Arc<Notify>,
}

/// What follows the configuration.
pub(crate) struct Follower {
    pub(crate) reload: Reload,
    pub(crate) judge: Arc<ArcSwap<Judge>>,
    pub(crate) metrics: AuthzMetrics,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) current: Loaded,
    /// The last refusal, so that each is said once.
    pub(crate) refused: Option<String>,
}

impl Follower {
    /// Follows until dropped.
    pub(crate) async fn run(mut self) {
        let mut ticks = interval(POLL_PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.tick().await;
        loop {
            let is_asked = tokio::select! {
                _ = ticks.tick() => false,
                () = self.reload.asked.notified() => true,
            };
            self.look(is_asked).await;
        }
    }

    async fn look(&mut self, is_asked: bool) {
        if is_asked {
            self.refused = None;
        }
        let load = Arc::clone(&self.reload.load);
        let read = tokio::task::spawn_blocking(move || {
            let config = load()?;
            config.check().map_err(|error| error.to_string())?;
            Loaded::read(config).map_err(|error| error.to_string())
        });
        // The process stops, or the loader has a defect that the panic hook has told of.
        let Ok(read) = read.await else { return };
        match read {
            Ok(loaded) if loaded == self.current => {
                self.refused = None;
                if is_asked {
                    tracing::info!("asked for a new configuration; it is as it was");
                }
            }
            Ok(loaded) => self.take(loaded).await,
            Err(reason) => self.refuse(reason),
        }
    }

    async fn take(&mut self, loaded: Loaded) {
        match self.judge_for(&loaded).await {
            Ok(judge) => {
                warnings::log(&loaded.config, judge.rules());
                self.judge.store(Arc::new(judge));
                let rules = &loaded.config.rules;
                self.metrics.keep_rules(|name| rules.iter().any(|rule| rule.name == name));
                self.metrics.count_reload();
                let fixed = fixed_keys(&self.current.config, &loaded.config);
                if !fixed.is_empty() {
                    tracing::warn!(keys = ?fixed, "changed keys that count at the next start only");
                }
                tracing::info!(rules = loaded.config.rules.len(), "took a new configuration");
                (self.current, self.refused) = (loaded, None);
            }
            Err(reason) => self.refuse(reason),
        }
    }

    /// With the keys that are there already, if they are of the same issuers. Otherwise no issuer whose tokens are checked now may be
    /// lost to a source that does not answer: it is tried again at the next look.
    async fn judge_for(&self, loaded: &Loaded) -> Result<Judge, String> {
        let (old, new) = (&self.current.config, &loaded.config);
        let clock = Arc::clone(&self.clock);
        if old.issuers == new.issuers && old.cached_tokens_max == new.cached_tokens_max {
            let verifier = self.judge.load().verifier().clone();
            return Judge::with_verifier(loaded, verifier, clock).map_err(|error| error.to_string());
        }
        let judge = Judge::start(loaded, clock).map_err(|error| error.to_string())?;
        wait_for_keys(&judge).await;
        let old = self.judge.load_full();
        if lost(&old, &judge).is_some() {
            // The first issuer without keys has ended the wait for the others.
            let _ = tokio::time::timeout(KEYS_PATIENCE, judge.verifier().refresh()).await;
        }
        match lost(&old, &judge) {
            None => Ok(judge),
            Some(SourceStatus { issuer, last_error, .. }) => {
                let reason = last_error.map_or_else(|| "no answer yet".to_owned(), |error| error.to_string());
                Err(format!("issuer {issuer}: its keys could be had before, and cannot now: {reason}"))
            }
        }
    }

    fn refuse(&mut self, reason: String) {
        if self.refused.as_ref() != Some(&reason) {
            self.metrics.count_failed_reload();
            tracing::error!(%reason, "the new configuration is not taken; the old one stays");
            self.refused = Some(reason);
        }
    }
}

const fn is_usable(one: &SourceStatus) -> bool {
    one.key_ids.is_some() && !one.too_old
}

/// An issuer of both whose tokens could be checked and can no longer be.
fn lost(old: &Judge, new: &Judge) -> Option<SourceStatus> {
    let had: Vec<_> = old.status().into_iter().filter(is_usable).map(|one| one.issuer).collect();
    new.status().into_iter().find(|one| !is_usable(one) && had.contains(&one.issuer))
}

/// What is opened at the start alone.
fn fixed_keys(old: &Config, new: &Config) -> Vec<&'static str> {
    [
        ("listen", old.listen != new.listen),
        ("tls", old.tls != new.tls),
        ("limits", old.limits != new.limits),
        ("metrics", old.metrics != new.metrics),
        ("grpc", old.grpc != new.grpc),
        ("drain_seconds", old.drain_seconds != new.drain_seconds),
    ]
    .into_iter()
    .filter_map(|(key, has_changed)| has_changed.then_some(key))
    .collect()
}

impl fmt::Debug for Reload {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Reload(..)")
    }
}
