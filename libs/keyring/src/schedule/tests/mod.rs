// SPDX-License-Identifier: Apache-2.0
mod emergencies;
mod plan;
mod simulation;

use std::time::Duration;

use cress_domain::Timestamp;

use super::{KeyFacts, KeyState, Roster};
use crate::Settings;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);
const INSTANT: Duration = Duration::from_micros(1);

fn start() -> Timestamp {
    Timestamp::parse_rfc3339("2025-03-19T16:59:51Z").unwrap()
}

/// The ring as it is right after the very first start.
fn first_start(settings: &Settings) -> Roster {
    Roster::default().advanced(settings, start()).unwrap()
}

/// What a replica makes of it that looks often enough.
fn advance(roster: &mut Roster, settings: &Settings, now: Timestamp) {
    while let Some(next) = roster.advanced(settings, now) {
        *roster = next;
    }
}

fn states(roster: &Roster, now: Timestamp) -> Vec<KeyState> {
    roster.keys().iter().map(|key| roster.state(key, now)).collect()
}

fn signer(roster: &Roster, now: Timestamp) -> KeyFacts {
    roster.signer(now).expect("a key signs")
}
