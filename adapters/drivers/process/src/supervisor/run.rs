// SPDX-License-Identifier: Apache-2.0
//! One run of an instance, from its start until nothing of it is left.

use std::collections::BTreeMap;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::log::Log;
use crate::mark::Mark;
use crate::processes::Process;
use crate::protocol::End;

pub(super) struct Run {
    /// The number of the request that started it.
    pub(super) number: u64,
    /// The command's process, which leads the process group.
    pub(super) leader: i32,
    pub(super) mark: Mark,
    /// For commands that are run beside it.
    pub(super) environment: BTreeMap<String, String>,
    pub(super) namespace: Option<String>,
    pub(super) log: Log,
    /// Where no request says it.
    pub(super) stop_grace: Duration,
    pub(super) phase: Phase,
    /// How the leader ended, once it has.
    pub(super) end: Option<End>,
    /// Requests to be answered when it is over.
    pub(super) stops: Vec<u64>,
    /// Looks in a row at which nothing of it was to be seen.
    pub(super) looks_unseen: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Running,
    /// To be ended, in peace until the deadline.
    Terminating {
        deadline: Duration,
        is_told: bool,
    },
    Killing,
}

impl Run {
    pub(super) fn is_ending(&self) -> bool {
        self.phase != Phase::Running
    }

    /// Ends it by the deadline, or earlier if that was asked for already.
    pub(super) fn stop(&mut self, deadline: Duration) {
        self.phase = match self.phase {
            Phase::Running => Phase::Terminating { deadline, is_told: false },
            Phase::Terminating { deadline: earlier, is_told } => {
                Phase::Terminating { deadline: deadline.min(earlier), is_told }
            }
            Phase::Killing => Phase::Killing,
        };
    }

    /// The command has ended. If nobody asked for that, what it left behind has no reason to stay.
    pub(super) fn leader_ended(&mut self, end: End) {
        self.end = Some(end);
        if self.phase == Phase::Running {
            self.phase = Phase::Killing;
        }
    }

    /// Whether the time for a peaceful end has just run out.
    pub(super) fn expire(&mut self, now: Duration) -> bool {
        let is_expired = self.deadline().is_some_and(|deadline| deadline <= now);
        if is_expired {
            self.phase = Phase::Killing;
        }
        is_expired
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        match self.phase {
            Phase::Terminating { deadline, .. } => Some(deadline),
            Phase::Running | Phase::Killing => None,
        }
    }

    /// Tells its processes to end: in peace once, by force as often as any are seen.
    pub(super) fn signal(&mut self, members: &[Process]) {
        match self.phase {
            Phase::Terminating { deadline, is_told: false } => {
                self.send(Signal::SIGTERM, members);
                self.phase = Phase::Terminating { deadline, is_told: true };
            }
            Phase::Killing => self.send(Signal::SIGKILL, members),
            Phase::Running | Phase::Terminating { .. } => {}
        }
    }

    /// The group at once, so that nobody in it sees another end first; then those that have left it.
    fn send(&self, signal: Signal, members: &[Process]) {
        // Without a member the group may be gone, and its number another's.
        let (group, others): (Vec<Process>, Vec<Process>) =
            members.iter().partition(|process| process.group == self.leader);
        if !group.is_empty() && self.leader > 1 {
            let _gone = killpg(Pid::from_raw(self.leader), signal);
        }
        others.iter().for_each(|process| process.signal(signal));
    }

    /// Takes note of a look that found these processes: whether it is over, unless the look missed one.
    pub(super) fn is_unseen(&mut self, members: &[Process]) -> bool {
        let is_unseen = self.end.is_some() && members.is_empty();
        self.looks_unseen = if is_unseen { self.looks_unseen + 1 } else { 0 };
        is_unseen
    }
}
