// SPDX-License-Identifier: Apache-2.0
//! What was found.

use std::fmt;

use serde::Serialize;

use super::super::chain::{ChainId, Head};

/// What was found in all records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Nothing is wrong with what is there. What no signature reaches is named in each chain.
    pub intact: bool,
    /// Lines that were read.
    pub lines: u64,
    /// Each chain, in the order in which they were met.
    pub chains: Vec<ChainReport>,
    /// What is wrong, in the order in which it was met; at most [`super::walk::FINDINGS_MAX`].
    pub findings: Vec<Finding>,
    /// How many things are wrong in all.
    pub findings_count: u64,
}

/// What was found in one chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChainReport {
    /// Its id.
    pub chain: ChainId,
    /// When it begins, as it says itself.
    pub begun_at: String,
    /// The number of its first line here: not 0 if the chain goes on from records that were not given.
    pub first_seq: u64,
    /// Where it has come to. To be kept elsewhere, if a later cut is to be noticed.
    pub head: Head,
    /// The number of the last line that a signature reaches; none if no signature does.
    pub anchored_seq: Option<u64>,
    /// How many lines no signature reaches: whoever can write the records could have changed or cut them.
    pub unanchored: u64,
    /// Whether it ends as an orderly stop does. If not, its process still runs or was killed, or the rest was cut off.
    pub ended: bool,
    /// How many records it says were lost.
    pub lost: u64,
    /// Bytes of a line that was being written.
    pub unfinished_bytes: u64,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Where the line is, such as `audit.log line 7`.
    pub place: String,
    /// In which chain, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chain: Option<ChainId>,
    /// What.
    #[serde(flatten)]
    pub problem: Problem,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "problem", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Problem {
    /// It is no line of records.
    Malformed,
    /// Lines are missing, or were moved.
    Gap {
        /// The number that should have come.
        expected: u64,
        /// What came.
        got: u64,
    },
    /// A line that was there before, or was moved.
    Repeated {
        /// The number that should have come.
        expected: u64,
        /// What came.
        got: u64,
    },
    /// The line before is not the one that was there when this one was written.
    Changed {
        /// The line that was changed.
        seq: u64,
    },
    /// A chain does not begin with its start.
    NoStart,
    /// A start within a chain.
    SecondStart,
    /// Something follows the end of a chain.
    AfterEnd,
    /// The signature does not fit the line.
    BadSignature,
    /// The line is signed by a key that was not given.
    UnknownKey {
        /// Which.
        kid: String,
    },
    /// A later start says that the chain went on to this line, and it is not there.
    CutOff {
        /// The line that was there.
        seq: u64,
    },
    /// A later start says that this line had another content.
    Replaced {
        /// The line.
        seq: u64,
    },
    /// A later start names a chain that is not there at all.
    ChainMissing,
    /// The store has lines of a chain that is not on its list.
    Unlisted,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.place, self.problem)?;
        match &self.chain {
            Some(chain) => write!(formatter, " (chain {chain})"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => formatter.write_str("expected a line of audit records, got something else"),
            Self::Gap { expected, got } => {
                write!(formatter, "expected line {expected} of its chain, got {got}: lines are missing or were moved")
            }
            Self::Repeated { expected, got } => {
                write!(formatter, "expected line {expected} of its chain, got {got}: a line is repeated or was moved")
            }
            Self::Changed { seq } => write!(formatter, "line {seq} of its chain was changed after it was written"),
            Self::NoStart => formatter.write_str("expected the start of a chain"),
            Self::SecondStart => formatter.write_str("a chain starts again"),
            Self::AfterEnd => formatter.write_str("a line follows the end of its chain"),
            Self::BadSignature => formatter.write_str("its signature does not fit it"),
            Self::UnknownKey { kid } => write!(formatter, "it is signed by the key {kid:?}, which was not given"),
            Self::CutOff { seq } => {
                write!(
                    formatter,
                    "the chain had a line {seq} when a later one began, and has it no more: its end was cut off"
                )
            }
            Self::Replaced { seq } => {
                write!(formatter, "line {seq} of the chain was another one when a later chain began")
            }
            Self::Unlisted => formatter.write_str("the store has lines of a chain that is not on its list"),
            Self::ChainMissing => {
                formatter.write_str("the chain was there when a later one began, and is not in what was given")
            }
        }
    }
}
