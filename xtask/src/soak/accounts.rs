// SPDX-License-Identifier: Apache-2.0
//! What is counted: calls, failures that nothing excuses, and tokens, each of which must verify.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::fleet::Fleet;

/// Failures that are told one by one.
const TOLD_MAX: usize = 20;
/// Tokens that wait to be verified; one more in so many calls is kept.
const WAITING_MAX: usize = 200;
/// Tokens that are verified in one look.
const AT_ONCE: usize = 3;

/// Shared by all threads.
#[derive(Default)]
pub(super) struct Accounts {
    /// Whether a node's agent was killed and is not yet back, by its index: its calls may fail.
    excused: [AtomicBool; 2],
    pub(super) failed: AtomicU64,
    pub(super) excused_failures: AtomicU64,
    told: Mutex<Vec<String>>,
    tokens: Mutex<Vec<String>>,
    pub(super) verified: AtomicU64,
    refused: Mutex<Vec<String>>,
}

impl Accounts {
    pub(super) fn excuse(&self, node: usize, excused: bool) {
        if let Some(flag) = self.excused.get(node) {
            flag.store(excused, Ordering::SeqCst);
        }
    }

    pub(super) fn is_excused(&self, node: usize) -> bool {
        self.excused.get(node).is_some_and(|flag| flag.load(Ordering::SeqCst))
    }

    pub(super) fn failure(&self, excused: bool, what: String) {
        if excused {
            self.excused_failures.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.failed.fetch_add(1, Ordering::Relaxed);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() < TOLD_MAX {
            told.push(what);
        }
    }

    pub(super) fn told(&self) -> Vec<String> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn refused(&self) -> Vec<String> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn keep(&self, body: &str) {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        if tokens.len() < WAITING_MAX {
            tokens.extend(body.split('"').nth(3).map(str::to_owned));
        }
    }

    /// Verifies some of those that wait, while control can be asked for its keys.
    pub(super) fn verify_some(&self, fleet: &Fleet) {
        let waiting = {
            let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
            let keep = tokens.len().saturating_sub(AT_ONCE);
            let some = tokens.split_off(keep);
            tokens.clear();
            some
        };
        for token in waiting {
            self.verify(fleet, &token);
        }
    }

    fn verify(&self, fleet: &Fleet, token: &str) {
        match fleet.client().verify(&fleet.issuer(), &fleet.jwks_url(), token) {
            Ok(()) => {
                self.verified.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
                if refused.len() < TOLD_MAX {
                    refused.push(error);
                }
            }
        }
    }
}

impl super::fleet::Client {
    /// Has the product verify a token, as any service would.
    fn verify(&self, issuer: &str, jwks: &str, token: &str) -> Result<(), String> {
        let spawned = Command::new(self.binary())
            .args(["token", "verify", "--issuer", issuer, "--any-audience", "--jwks", jwks])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = spawned.map_err(|error| error.to_string())?;
        if let Some(mut stdin) = child.stdin.take() {
            let _closed = stdin.write_all(token.as_bytes());
        }
        let output = child.wait_with_output().map_err(|error| error.to_string())?;
        if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()) }
    }
}
