// SPDX-License-Identifier: Apache-2.0
//! What agent and supervisor say to each other: one JSON object a line. Both are the same program, so nothing here is
//! negotiated; a line that is not understood ends the conversation, and with it the instances.

use std::collections::BTreeMap;
use std::io;

use cress_domain::InstanceId;
use cress_driver::{DriverErrorKind, ExecOutcome, Exit};
use serde::{Deserialize, Serialize};

use crate::mark::Marks;

/// Longest request. exec(2) itself takes no more than 6 MiB of arguments and environment, and 2 MiB as a rule.
pub(crate) const REQUEST_BYTES_MAX: usize = 8 << 20;
/// Longest event.
pub(crate) const EVENT_BYTES_MAX: usize = 16 << 10;
/// Longest text in an event, before it is written as JSON.
pub(crate) const MESSAGE_CHARACTERS_MAX: usize = 1_000;

/// What the agent asks for. `request` numbers are the agent's, and are never used twice.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Request {
    /// Start a run. Answered with `Started`, later followed by `Ended` with the same number, or with `Refused`.
    Start { request: u64, instance: InstanceId, launch: Start },
    /// End the instance's run. Answered with `Stopped` when nothing of it is left.
    Stop { request: u64, instance: InstanceId, grace_ms: u64 },
    /// Run a command beside the instance's. Answered with `ExecEnded` or `Refused`.
    Exec { request: u64, instance: InstanceId, command: Vec<String>, timeout_ms: u64 },
}

/// A run to be started.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Start {
    pub(crate) command: Vec<String>,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) stop_grace_ms: u64,
    /// Path of the network namespace; none for the node's own.
    pub(crate) namespace: Option<String>,
    /// Path of the log file.
    pub(crate) log: String,
    /// Bytes that the log file and its predecessor may take together.
    pub(crate) log_bytes_max: u64,
}

/// What the supervisor tells.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Event {
    /// The first line: it is ready, and its instances will bear these marks.
    Ready { marks: Marks },
    /// The run has begun.
    Started { request: u64 },
    /// The request cannot be granted.
    Refused { request: u64, refusal: Refusal },
    /// The run of this `Start` is over, and nothing of it is left.
    Ended { run: u64, end: End },
    /// Nothing of the instance's run is left.
    Stopped { request: u64 },
    /// The command is over; none if it had to be killed.
    ExecEnded { request: u64, end: Option<End> },
    /// Something that the operator should know.
    Warning { instance: InstanceId, message: String },
}

/// Why a request was not granted.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Refusal {
    pub(crate) is_temporary: bool,
    pub(crate) message: String,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum End {
    Code(i32),
    Signal(i32),
}

impl Refusal {
    pub(crate) fn temporary(message: impl Into<String>) -> Self {
        Self { is_temporary: true, message: bounded(message.into()) }
    }

    pub(crate) fn permanent(message: impl Into<String>) -> Self {
        Self { is_temporary: false, message: bounded(message.into()) }
    }

    pub(crate) const fn kind(&self) -> DriverErrorKind {
        if self.is_temporary { DriverErrorKind::Temporary } else { DriverErrorKind::Permanent }
    }
}

impl From<End> for Exit {
    fn from(end: End) -> Self {
        match end {
            End::Code(code) => Self::Code(code),
            End::Signal(signal) => Self::Signal(signal),
        }
    }
}

impl End {
    pub(crate) fn outcome(end: Option<Self>) -> ExecOutcome {
        end.map_or(ExecOutcome::TimedOut, |end| ExecOutcome::Exited(end.into()))
    }
}

/// One line, with its end.
pub(crate) fn line(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    Ok(line)
}

/// The text, cut to what an event may carry.
pub(crate) fn bounded(text: String) -> String {
    match text.char_indices().nth(MESSAGE_CHARACTERS_MAX) {
        None => text,
        Some((end, _)) => text.get(..end).unwrap_or_default().to_owned() + "...",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_event_fits_its_bound() {
        // A control character takes six bytes in JSON.
        let refusal = Refusal::permanent("\u{1}".repeat(5_000));
        let line = line(&Event::Refused { request: u64::MAX, refusal }).unwrap();
        assert!(line.len() <= EVENT_BYTES_MAX, "{}", line.len());
        assert!(!line[..line.len() - 1].contains(&b'\n'));
        assert!(serde_json::from_slice::<Event>(&line).is_ok());
    }

    #[test]
    fn a_request_stays_on_one_line() {
        let start = Start {
            command: vec!["sh".into(), "-c".into(), "a\nb".into()],
            environment: BTreeMap::from([("A".into(), "\n".into())]),
            stop_grace_ms: 1,
            namespace: None,
            log: "/l".into(),
            log_bytes_max: 1,
        };
        let instance = InstanceId::from_bytes([7; 16]);
        let line = line(&Request::Start { request: 1, instance, launch: start }).unwrap();
        assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
    }
}
