// SPDX-License-Identifier: Apache-2.0
//! How much at once, how long, how often.

use std::time::Duration;

/// How the lease engine works. The default is what the broker runs with; tests hurry.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Requests that wait for the store at most; more are refused.
    pub queue_max: usize,
    /// Requests that are written together at most.
    pub batch_max: usize,
    /// How long a target gets to make a credential, or to let it live longer.
    pub target_timeout: Duration,
    /// How old an intent gets before it is taken for abandoned. Longer than a target is waited for, so that nothing is made after that.
    pub intent_age: Duration,
    /// How long who revokes may be silent before another takes its place.
    pub claim: Duration,
    /// Revocations at one target that go on at the same time.
    pub revocations_at_once: usize,
    /// After what time a refused revocation is tried again, at first and at last.
    pub retry: (Duration, Duration),
    /// After what time a target that is away is tried again, at first and at last.
    pub away: (Duration, Duration),
    /// How often is looked for what is due, at the least.
    pub poll: Duration,
    /// How often a target is told to write down what should survive its restart.
    pub maintain_every: Duration,
    /// How often the accounts at a target are compared with the leases.
    pub compare_every: Duration,
    /// How many accounts without a lease are removed without asking, whatever their share.
    pub strays_max: usize,
    /// And which share of all accounts at a target, in percent.
    pub strays_percent_max: usize,
    /// How often it is noted that a broker is alive.
    pub beat_every: Duration,
    /// How long none has to be alive for that to be remembered.
    pub gap_min: Duration,
    /// How long is waited for another replica's request for a shared credential.
    pub shared_wait: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            queue_max: 16_384,
            batch_max: 512,
            target_timeout: seconds(30),
            intent_age: seconds(90),
            claim: seconds(30),
            revocations_at_once: 64,
            retry: (seconds(1), seconds(300)),
            away: (Duration::from_millis(500), seconds(30)),
            poll: seconds(1),
            maintain_every: seconds(60),
            compare_every: seconds(3_600),
            strays_max: 20,
            strays_percent_max: 10,
            beat_every: seconds(10),
            gap_min: seconds(60),
            shared_wait: seconds(5),
        }
    }
}
