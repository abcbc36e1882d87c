// SPDX-License-Identifier: Apache-2.0
//! The load: a few threads that ask for tokens at a fixed rate, over kept connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::ensure;

use super::accounts::Accounts;
use super::fleet::Target;
use super::http::Connection;
use super::now;

const THREADS: usize = 8;
/// Calls between two looks at the clock.
const BURST: u64 = 8;
/// One token in so many calls is kept, to be verified.
const KEPT: u64 = 500;

/// What came of all calls.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Calls {
    pub(super) asked: u64,
    pub(super) slowest: Duration,
}

/// Threads at work.
pub(super) struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Calls>>,
}

impl Load {
    /// How many calls a second these threads get answered when they do not wait.
    pub(super) fn trial(targets: &[Target], length: Duration) -> anyhow::Result<u64> {
        let accounts = Arc::new(Accounts::default());
        let load = Self::start(targets.to_vec(), u64::MAX, Arc::clone(&accounts));
        std::thread::sleep(length);
        let calls = load.finish();
        ensure!(
            accounts.failed.load(Ordering::Relaxed) == 0,
            "calls failed before anything broke: {:?}",
            accounts.told()
        );
        Ok(calls.asked / length.as_secs().max(1))
    }

    pub(super) fn start(targets: Vec<Target>, rate: u64, accounts: Arc<Accounts>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let threads = u64::try_from(THREADS).unwrap_or(1);
        let start = |index: usize| {
            let own = targets.iter().copied().skip(index).step_by(THREADS).collect();
            let (stop, accounts) = (Arc::clone(&stop), Arc::clone(&accounts));
            std::thread::spawn(move || ask(own, rate / threads, &stop, &accounts))
        };
        let threads = (0..THREADS).map(start).collect();
        Self { stop, threads }
    }

    pub(super) fn finish(self) -> Calls {
        self.stop.store(true, Ordering::Relaxed);
        let calls = self.threads.into_iter().map(|thread| thread.join().unwrap_or_default());
        calls.fold(Calls::default(), |all, one| Calls {
            asked: all.asked + one.asked,
            slowest: all.slowest.max(one.slowest),
        })
    }
}

/// One thread: its targets in turn. A thread that was held up does not make up for it.
fn ask(targets: Vec<Target>, rate: u64, stop: &AtomicBool, accounts: &Accounts) -> Calls {
    let mut connections: Vec<(Target, Connection)> =
        targets.into_iter().map(|target| (target, Connection::to(target.address))).collect();
    let mut calls = Calls::default();
    let burst = Duration::from_nanos(1_000_000_000_u64.saturating_mul(BURST) / rate.max(1));
    let mut due = now();
    while !stop.load(Ordering::Relaxed) && !connections.is_empty() {
        for (target, connection) in &mut connections {
            call(*target, connection, &mut calls, accounts);
            if calls.asked.is_multiple_of(BURST) {
                due = (due + burst).max(now().checked_sub(burst).unwrap_or(due));
                std::thread::sleep(due.saturating_duration_since(now()));
            }
        }
    }
    calls
}

fn call(target: Target, connection: &mut Connection, calls: &mut Calls, accounts: &Accounts) {
    let excused = accounts.is_excused(target.node);
    let begun = now();
    let outcome = connection.call("GET", "/v1/token");
    let took = begun.elapsed();
    calls.asked += 1;
    calls.slowest = calls.slowest.max(took);
    let excused = excused || accounts.is_excused(target.node);
    match outcome {
        Ok(answer) if answer.status == 200 => {
            if calls.asked.is_multiple_of(KEPT) {
                accounts.keep(&answer.body);
            }
        }
        Ok(answer) => accounts.failure(excused, format!("{}: status {}", target.address, answer.status)),
        Err(error) => {
            accounts.failure(excused, format!("{}: {error} after {took:?}", target.address));
            // A node that is away is not asked without end.
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
