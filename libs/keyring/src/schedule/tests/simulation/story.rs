// SPDX-License-Identifier: Apache-2.0
//! What happens in a simulation: drawn at random, told in words.

use std::fmt;
use std::ops::Range;

use proptest::prelude::*;

use super::REPLICAS;
use crate::schedule::tests::*;

/// What happens, one after another. Replicas are named by their number.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    /// Nothing but time.
    Wait(Duration),
    /// Time until so many seconds after the next switch or the next key's leaving; before it, if negative.
    WaitForEvent(i64),
    /// A replica reads the store, and decides by its own clock what is due.
    Look(usize),
    /// A replica writes what it decided when it last looked, if nobody was faster.
    Write(usize),
    /// Every replica looks and writes in turn, as they do every half minute.
    AllLookAndWrite,
    /// A replica is killed and started again some time later.
    Restart(usize),
    /// No replica runs for a while.
    Downtime(Duration),
    /// A replica signs a token.
    Sign(usize),
    /// A verifier fetches the published set from a replica.
    Fetch(usize),
    /// An operator asks a replica for a switch.
    Rotate(usize),
    /// An operator revokes one of the published keys.
    Revoke(usize, usize),
}

/// Steps that a person can read when they fail.
pub(super) struct Story(pub(super) Vec<Step>);

pub(super) fn story(step: impl Strategy<Value = Step>, length: Range<usize>) -> impl Strategy<Value = Story> {
    prop::collection::vec(step, length).prop_map(Story)
}

impl fmt::Debug for Story {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|step| write!(formatter, "\n    {step}"))
    }
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wait(time) => write!(formatter, "{} pass", Spell(*time)),
            Self::WaitForEvent(seconds) => write!(formatter, "time passes until {seconds} s after the next event"),
            Self::Look(replica) => write!(formatter, "replica {replica} reads the store and decides"),
            Self::Write(replica) => write!(formatter, "replica {replica} writes what it decided"),
            Self::AllLookAndWrite => write!(formatter, "each replica reads, decides and writes"),
            Self::Restart(replica) => write!(formatter, "replica {replica} is killed"),
            Self::Downtime(time) => write!(formatter, "no replica runs for {}; then all do", Spell(*time)),
            Self::Sign(replica) => write!(formatter, "replica {replica} signs"),
            Self::Fetch(replica) => write!(formatter, "a verifier fetches from replica {replica}"),
            Self::Rotate(replica) => write!(formatter, "replica {replica} is asked to switch"),
            Self::Revoke(replica, index) => write!(formatter, "replica {replica} revokes published key {index}"),
        }
    }
}

/// A duration as people say it.
struct Spell(Duration);

impl fmt::Display for Spell {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
        write!(formatter, "{days} d {hours} h {minutes} min {} s", seconds % 60)
    }
}

pub(super) fn duration(from: Duration, to: Duration) -> impl Strategy<Value = Duration> {
    (from.as_secs()..=to.as_secs()).prop_map(Duration::from_secs)
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let replica = || 0..REPLICAS;
    prop_oneof![
        2 => duration(Duration::from_secs(1), MINUTE).prop_map(Step::Wait),
        5 => duration(MINUTE, HOUR).prop_map(Step::Wait),
        6 => duration(HOUR, 2 * DAY).prop_map(Step::Wait),
        1 => duration(DAY, 3 * WEEK).prop_map(Step::Wait),
        8 => (-600_i64..=600).prop_map(Step::WaitForEvent),
        4 => replica().prop_map(Step::Look),
        4 => replica().prop_map(Step::Write),
        8 => Just(Step::AllLookAndWrite),
        1 => replica().prop_map(Step::Restart),
        1 => duration(HOUR, 3 * DAY).prop_map(Step::Downtime),
        1 => duration(DAY, 10 * WEEK).prop_map(Step::Downtime),
        10 => replica().prop_map(Step::Sign),
        10 => replica().prop_map(Step::Fetch),
        1 => replica().prop_map(Step::Rotate),
    ]
}

pub(super) fn emergency() -> impl Strategy<Value = Step> {
    (0..REPLICAS, 0..4_usize).prop_map(|(replica, index)| Step::Revoke(replica, index))
}
