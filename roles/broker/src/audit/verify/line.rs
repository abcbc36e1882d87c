// SPDX-License-Identifier: Apache-2.0
//! A line, read again.

use serde::Deserialize;

use super::super::chain::{ChainId, Ended, Head, LineHash, LineKind, Place};

/// What every line has, and what the first of a chain has besides.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct ReadLine {
    pub(super) chain: ChainId,
    pub(super) seq: u64,
    pub(super) prev: LineHash,
    pub(super) kind: LineKind,
    pub(super) at: String,
    /// Where earlier chains had ended.
    #[serde(default)]
    pub(super) after: Vec<Ended>,
    /// How many records were lost.
    #[serde(default)]
    pub(super) count: u64,
}

impl ReadLine {
    /// Where earlier chains had ended in this kind of sink.
    pub(super) fn ended_in(&self, place: Place) -> Vec<Head> {
        self.after.iter().filter(|ended| ended.place == place).map(|ended| ended.head()).collect()
    }
}

/// Why a text is no line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoLine {
    /// It stops within.
    Unfinished,
    /// It is something else.
    Malformed,
}

pub(super) fn read(line: &[u8]) -> Result<ReadLine, NoLine> {
    serde_json::from_slice(line).map_err(|error| if error.is_eof() { NoLine::Unfinished } else { NoLine::Malformed })
}

/// Where a chain has come to with this line; none if it is no line of records.
#[must_use]
pub fn head(line: &[u8]) -> Option<Head> {
    let read = read(line).ok()?;
    Some(Head { chain: read.chain, seq: read.seq, hash: LineHash::of(line) })
}
