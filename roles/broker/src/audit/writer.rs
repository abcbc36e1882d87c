// SPDX-License-Identifier: Apache-2.0
//! Makes lines of records and has them written, some at once. A line is made once and goes to each sink until it is durable there, so
//! that a sink that failed for a while has no gap. While one fails, whoever waits is told so.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cress_domain::Clock;
use cress_jose::SigningKey;
use cress_service::Shutdown;
use futures_util::future::join_all;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::chain::{Chain, Line, LineKind};
use super::metrics::AuditMetrics;
use super::queue::{Batch, Entry, Queue};
use super::sink::Sink;

/// How long after a failure a sink is tried again.
const RETRY: Duration = Duration::from_millis(250);
/// After a request to stop, how long there must be nothing to record until the chain is ended.
const QUIET: Duration = Duration::from_millis(500);

/// Writes one chain.
pub(super) struct Writer {
    pub(super) queue: Arc<Queue>,
    pub(super) chain: Chain,
    pub(super) key: Arc<SigningKey>,
    pub(super) sinks: Vec<Box<dyn Sink>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: AuditMetrics,
    pub(super) checkpoint_lines: u64,
    pub(super) checkpoint_every: Duration,
    /// When the lines that nobody has signed yet are signed at the latest.
    pub(super) checkpoint_due: Option<Instant>,
    /// How long a sink may be silent before it counts as failing.
    pub(super) patience: Duration,
}

/// Whom to tell when a batch is durable.
type Waiters = Mutex<Vec<oneshot::Sender<()>>>;

/// What comes next.
enum Next {
    Records(Batch),
    Checkpoint,
    End,
}

impl Writer {
    /// Writes these lines first, and then all that comes, until the process stops or all who record are gone.
    pub(super) async fn run(mut self, first: Vec<Line>, shutdown: Shutdown) {
        shutdown.run_until_expired(self.write_all(first, &shutdown)).await;
        // Dropping what is left tells those who wait.
        self.queue.close();
        while !self.queue.take().entries.is_empty() {}
    }

    async fn write_all(&mut self, first: Vec<Line>, shutdown: &Shutdown) {
        self.write(first, Vec::new()).await;
        loop {
            match self.next(shutdown).await {
                Next::Records(batch) => self.write_batch(batch).await,
                Next::Checkpoint => self.sign(LineKind::Checkpoint).await,
                Next::End => break,
            }
        }
        self.queue.close();
        loop {
            let batch = self.queue.take();
            if batch.is_empty() {
                break;
            }
            self.write_batch(batch).await;
        }
        self.sign(LineKind::End).await;
    }

    async fn next(&mut self, shutdown: &Shutdown) -> Next {
        self.checkpoint_due = match self.chain.unsigned() {
            0 => None,
            _ => self.checkpoint_due.or_else(|| Instant::now().checked_add(self.checkpoint_every)),
        };
        let checkpoint = async {
            match self.checkpoint_due {
                None => std::future::pending().await,
                Some(due) => sleep_until(due).await,
            }
        };
        let end = async {
            shutdown.requested().await;
            sleep(QUIET).await;
        };
        tokio::select! {
            biased;
            () = checkpoint => Next::Checkpoint,
            batch = self.queue.next() => batch.map_or(Next::End, Next::Records),
            () = end => Next::End,
        }
    }

    async fn write_batch(&mut self, batch: Batch) {
        let mut lines = Vec::with_capacity(batch.entries.len().saturating_add(2));
        let mut waiters = Vec::with_capacity(batch.entries.len());
        if batch.lost > 0 {
            lines.push(self.chain.lost(self.clock.now(), batch.lost));
        }
        for Entry { body, waiter } in batch.entries {
            lines.push(self.chain.record(&body));
            waiters.extend(waiter);
        }
        if self.chain.unsigned() >= self.checkpoint_lines {
            lines.extend(self.chain.checkpoint(&self.key, self.clock.now(), LineKind::Checkpoint));
        }
        self.write(lines, waiters).await;
    }

    async fn sign(&mut self, kind: LineKind) {
        let line = self.chain.checkpoint(&self.key, self.clock.now(), kind);
        self.checkpoint_due = None;
        self.write(line.into_iter().collect(), Vec::new()).await;
    }

    /// Returns when the lines are durable in every sink, however long that takes.
    async fn write(&mut self, lines: Vec<Line>, waiters: Vec<oneshot::Sender<()>>) {
        if lines.is_empty() {
            return;
        }
        let (began, count) = (self.clock.monotonic(), lines.len() as u64);
        let (lines, waiters): (Arc<[Line]>, _) = (lines.into(), Waiters::new(waiters));
        let (queue, patience) = (&self.queue, self.patience);
        let fail = || {
            queue.fail();
            taken(&waiters).clear();
        };
        join_all(self.sinks.iter_mut().map(|sink| until_durable(sink.as_mut(), &lines, patience, &fail))).await;
        self.metrics.observe(self.clock.monotonic().saturating_sub(began));
        self.metrics.written.inc_by(count);
        self.queue.recover();
        for waiter in taken(&waiters).drain(..) {
            // Whoever waited too long has gone.
            let _ = waiter.send(());
        }
    }
}

fn taken(waiters: &Waiters) -> std::sync::MutexGuard<'_, Vec<oneshot::Sender<()>>> {
    waiters.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn until_durable(sink: &mut dyn Sink, lines: &Arc<[Line]>, patience: Duration, fail: &(dyn Fn() + Sync)) {
    let name = sink.name().to_owned();
    let mut told = None;
    loop {
        let attempt = sink.append(lines);
        tokio::pin!(attempt);
        let outcome = match timeout(patience, &mut attempt).await {
            Ok(outcome) => outcome,
            Err(_) => {
                fail();
                tell(&name, &mut told, &format!("it has not answered for {} ms", patience.as_millis()));
                attempt.await
            }
        };
        match outcome {
            Ok(()) => break,
            Err(error) => {
                fail();
                tell(&name, &mut told, &error.0);
                sleep(RETRY).await;
            }
        }
    }
    if told.is_some() {
        tracing::info!(sink = %name, "audit records can be written again, and nothing is missing");
    }
}

/// Once for each reason, however often it is tried.
fn tell(sink: &str, told: &mut Option<String>, reason: &str) {
    if told.as_deref() != Some(reason) {
        tracing::error!(sink, reason, "audit records cannot be written: nothing new is given out until they can");
        *told = Some(reason.to_owned());
    }
}
