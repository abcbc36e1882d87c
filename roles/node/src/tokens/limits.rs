// SPDX-License-Identifier: Apache-2.0
//! The token cache's limits and times.

use std::time::Duration;

/// Batches that wait for control's answer at once; a batch has at most [`cress_domain::limits::ISSUE_BATCH_MAX`] tokens.
pub const BATCHES_MAX: usize = 4;
/// How long control may take to answer a batch.
pub const CALL_TIME_MAX: Duration = Duration::from_secs(10);
/// A call that is older than this when the link to control comes back is taken for lost, and asked anew.
pub const CALL_LOST_AFTER: Duration = Duration::from_secs(1);
/// How long the first request of a batch waits for others to join it.
pub const GATHER_TIME: Duration = Duration::from_millis(10);
/// Tokens due within this time join a batch that is sent anyway.
pub const GATHER_AHEAD: Duration = Duration::from_secs(2);
/// A token is not served in the last moments of its life: it could not be used any more, and what it is measured with
/// (control's clock, a verifier's) may differ by as much.
pub const EXPIRY_MARGIN: Duration = Duration::from_secs(5);
/// First wait after a failure; it doubles with each further one.
pub const RETRY_TIME_MIN: Duration = Duration::from_millis(250);
/// Longest wait after a failure. Short, since a token fetched late has little life left to wait with.
pub const RETRY_TIME_MAX: Duration = Duration::from_secs(5);
/// After how many failures in a row callers are no longer asked to wait. The first few pass by themselves: a replica of
/// control may learn of a placement, and this node of a new key, a moment after the other.
pub const FAILURES_WORTH_WAITING: u32 = 3;
/// An audience without a token is given up when nobody asked for it for this long.
pub const UNASKED_TIME_MAX: Duration = Duration::from_secs(300);
/// A token that is held although nobody asks for it is looked at no more often than this.
pub const UNASKED_LOOK_MIN: Duration = Duration::from_secs(1);
/// Longest sleep of the task that fetches, so that it notices soon that the machine was suspended.
pub const SLEEP_MAX: Duration = Duration::from_secs(10);
/// Tokens checked in one go before other tasks get their turn: about half a millisecond of signatures.
pub const CHECKS_IN_A_ROW_MAX: usize = 8;
