// SPDX-License-Identifier: Apache-2.0
//! Takes a changed configuration without dropping anything: requests at hand are decided by what they began with, and targets that did not
//! change keep their connections. What cannot work is not taken; the old configuration stays, and the log says why.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cress_verify::SourceStatus;
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval};

use crate::broker::{Broker, Running};
use crate::config::{Config, Loaded};

/// How often files are looked at.
const POLL_PERIOD: Duration = Duration::from_secs(2);
/// How long the keys of an issuer are waited for. Requests with its tokens are refused with 503 while they are missing.
pub(crate) const KEYS_PATIENCE: Duration = Duration::from_secs(5);

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
    pub(crate) broker: Arc<Broker>,
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
            config.check_own().map_err(|error| error.to_string())?;
            Loaded::read(config).map_err(|error| error.to_string())
        });
        // The process stops, or the loader has a defect that the panic hook has told of.
        let Ok(read) = read.await else { return };
        match read {
            Ok(loaded) if loaded == self.broker.running().loaded => {
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
        let before = self.broker.running();
        let fixed = fixed_keys(&before.loaded.config, &loaded.config);
        match self.running(&before, loaded).await {
            Ok(running) => {
                for warning in running.warnings() {
                    tracing::warn!("{warning}");
                }
                if !fixed.is_empty() {
                    tracing::warn!(keys = ?fixed, "changed keys that count at the next start only");
                }
                let credentials = running.loaded.config.credentials.len();
                self.broker.replace(running);
                self.refused = None;
                tracing::info!(credentials, "took a new configuration");
            }
            Err(reason) => self.refuse(reason),
        }
    }

    /// No issuer whose tokens are checked now may be lost to a source that does not answer: it is tried again at the next look.
    async fn running(&self, before: &Running, loaded: Loaded) -> Result<Running, String> {
        let parts = &self.broker.parts;
        let running = Running::start(loaded, Some(before), &parts.callers(), &parts.build, &parts.providers)
            .map_err(|error| error.to_string())?;
        wait_for_keys(&running).await;
        if lost(before, &running).is_some() {
            // The first issuer without keys has ended the wait for the others.
            let _ = tokio::time::timeout(KEYS_PATIENCE, running.callers.verifier().refresh()).await;
        }
        match lost(before, &running) {
            None => Ok(running),
            Some(SourceStatus { issuer, last_error, .. }) => {
                let reason = last_error.map_or_else(|| "no answer yet".to_owned(), |error| error.to_string());
                Err(format!("issuer {issuer}: its keys could be had before, and cannot now: {reason}"))
            }
        }
    }

    fn refuse(&mut self, reason: String) {
        if self.refused.as_ref() != Some(&reason) {
            self.broker.parts.metrics.count_failed_reload();
            tracing::error!(%reason, "the new configuration is not taken; the old one stays");
            self.refused = Some(reason);
        }
    }
}

/// An issuer that is away is no reason not to start: the others' tokens can be checked, and its keys are tried again.
pub(crate) async fn wait_for_keys(running: &Running) {
    if let Ok(Err(error)) = tokio::time::timeout(KEYS_PATIENCE, running.callers.verifier().ready()).await {
        tracing::warn!(%error, "going on without the keys of an issuer; they are tried again");
    }
}

const fn is_usable(one: &SourceStatus) -> bool {
    one.key_ids.is_some() && !one.too_old
}

/// An issuer of both whose tokens could be checked and can no longer be.
fn lost(old: &Running, new: &Running) -> Option<SourceStatus> {
    let had: Vec<_> = old.callers.status().into_iter().filter(is_usable).map(|one| one.issuer).collect();
    new.callers.status().into_iter().find(|one| !is_usable(one) && had.contains(&one.issuer))
}

/// What is opened at the start alone.
fn fixed_keys(old: &Config, new: &Config) -> Vec<&'static str> {
    [
        ("data_dir", old.data_dir != new.data_dir),
        ("listen", old.listen != new.listen),
        ("public_url", old.public_url != new.public_url),
        ("tls", old.tls != new.tls),
        ("limits", old.limits != new.limits),
        ("metrics", old.metrics != new.metrics),
        ("store", old.store != new.store),
        ("key_encryption", old.key_encryption != new.key_encryption),
        ("audit", old.audit != new.audit),
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
