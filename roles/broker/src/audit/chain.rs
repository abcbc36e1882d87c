// SPDX-License-Identifier: Apache-2.0
//! The lines of one start of the process. Each begins with the chain's id, its own number and the hash of the line before, so each
//! line vouches for all before it.
//!
//! ```text
//! {"chain":"<32 hex>","seq":0,"prev":"<64 zeros>","kind":"start","at":"...","deployment":"...","version":"...","after":[...]}
//! {"chain":"<32 hex>","seq":1,"prev":"<SHA-256 of the line before, without its newline>","kind":"checkpoint","at":"...","signature":"..."}
//! {"chain":"<32 hex>","seq":2,"prev":"...","kind":"record","at":"...","event":"credential.issue","outcome":"done",...}
//! ```

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};
use cress_domain::{DeploymentId, Hex, Random, Timestamp, parse_hex};
use cress_jose::SigningKey;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::checkpoint;

/// Which start of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ChainId([u8; 16]);

/// SHA-256 of a line without its newline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LineHash([u8; 32]);

/// Where a chain has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// Which chain.
    pub chain: ChainId,
    /// The number of its last line.
    pub seq: u64,
    /// The hash of that line.
    pub hash: LineHash,
}

/// Where a chain had ended in one kind of sink. After a kill one sink may have lines that another has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ended {
    pub(super) chain: ChainId,
    pub(super) seq: u64,
    pub(super) hash: LineHash,
    #[serde(rename = "in")]
    pub(super) place: Place,
}

/// A kind of sink that can be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Place {
    /// The broker's store.
    Store,
    /// Files.
    File,
}

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum LineKind {
    /// The first of a chain. It says where the last chains ended.
    Start,
    /// A record.
    Record,
    /// Says that records were lost.
    Lost,
    /// Signs all before it.
    Checkpoint,
    /// The same, at an orderly end: nothing comes after it.
    End,
}

/// A line that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) chain: ChainId,
    pub(super) seq: u64,
    /// Without its newline.
    pub(super) text: String,
}

/// The chain of this start.
#[derive(Debug)]
pub(super) struct Chain {
    id: ChainId,
    next: u64,
    last: LineHash,
    /// Lines since one was signed.
    unsigned: u64,
}

/// What the first line tells of the process.
#[derive(Debug, Clone)]
pub(super) struct Start<'a> {
    pub(super) at: Timestamp,
    pub(super) deployment: DeploymentId,
    pub(super) version: &'a str,
    /// Where the last chains ended, as far as the sinks tell.
    pub(super) after: &'a [Ended],
}

impl Chain {
    /// A chain with its first line.
    pub(super) fn begin(random: &dyn Random, start: &Start<'_>) -> (Self, Line) {
        let mut chain = Self { id: ChainId::generate(random), next: 0, last: LineHash::NONE, unsigned: 0 };
        let body = json!({
            "at": start.at.rfc3339_seven_digits(),
            "deployment": start.deployment.to_string(),
            "version": start.version,
            "after": start.after,
        });
        let line = chain.line(LineKind::Start, &body.to_string());
        (chain, line)
    }

    /// A record's line.
    pub(super) fn record(&mut self, body: &str) -> Line {
        self.line(LineKind::Record, body)
    }

    /// A line that says how many records were lost.
    pub(super) fn lost(&mut self, at: Timestamp, count: u64) -> Line {
        self.line(LineKind::Lost, &json!({ "at": at.rfc3339_seven_digits(), "count": count }).to_string())
    }

    /// A signed line. None if the signature could not be made: the next one will be.
    pub(super) fn checkpoint(&mut self, key: &SigningKey, at: Timestamp, kind: LineKind) -> Option<Line> {
        let text = self.text(kind, &json!({ "at": at.rfc3339_seven_digits() }).to_string());
        let line = self.take(checkpoint::signed(key, &text)?);
        self.unsigned = 0;
        Some(line)
    }

    /// How many lines nobody has signed yet.
    pub(super) const fn unsigned(&self) -> u64 {
        self.unsigned
    }

    fn line(&mut self, kind: LineKind, body: &str) -> Line {
        let text = self.text(kind, body);
        self.take(text)
    }

    fn text(&self, kind: LineKind, body: &str) -> String {
        let Self { id, next, last, .. } = self;
        let kind = kind.as_str();
        // A body is an object with members, made here.
        let members = body.strip_prefix('{').unwrap_or(body);
        format!(r#"{{"chain":"{id}","seq":{next},"prev":"{last}","kind":"{kind}",{members}"#)
    }

    fn take(&mut self, text: String) -> Line {
        let line = Line { chain: self.id, seq: self.next, text };
        self.last = LineHash::of(line.text.as_bytes());
        self.next = self.next.saturating_add(1);
        self.unsigned = self.unsigned.saturating_add(1);
        line
    }
}

impl Ended {
    pub(super) const fn new(head: Head, place: Place) -> Self {
        Self { chain: head.chain, seq: head.seq, hash: head.hash, place }
    }

    pub(super) const fn head(self) -> Head {
        Head { chain: self.chain, seq: self.seq, hash: self.hash }
    }
}

impl LineKind {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Record => "record",
            Self::Lost => "lost",
            Self::Checkpoint => "checkpoint",
            Self::End => "end",
        }
    }
}

impl ChainId {
    fn generate(random: &dyn Random) -> Self {
        let mut bytes = [0; 16];
        random.fill(&mut bytes);
        Self(bytes)
    }
}

impl LineHash {
    /// Before the first line.
    pub(super) const NONE: Self = Self([0; 32]);

    /// The hash of a line without its newline.
    #[must_use]
    pub fn of(line: &[u8]) -> Self {
        // SHA-256 has 32 bytes.
        Self(digest(&SHA256, line).as_ref().try_into().unwrap_or_default())
    }
}

macro_rules! hex {
    ($($name:ident, $what:literal;)*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                Hex(&self.0).fmt(formatter)
            }
        }

        impl FromStr for $name {
            type Err = &'static str;
            fn from_str(text: &str) -> Result<Self, &'static str> {
                parse_hex(text).map(Self).ok_or($what)
            }
        }

        impl TryFrom<String> for $name {
            type Error = &'static str;
            fn try_from(text: String) -> Result<Self, &'static str> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }
    )*};
}

hex! {
    ChainId, "expected the id of a chain as 32 lower-case hexadecimal digits";
    LineHash, "expected a SHA-256 as 64 lower-case hexadecimal digits";
}
