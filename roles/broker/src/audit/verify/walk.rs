// SPDX-License-Identifier: Apache-2.0
//! Goes through lines in the order in which they were written, those of several chains mixed or one chain after the other.

use std::collections::HashMap;

use cress_domain::KeyId;
use cress_jose::{JwkSet, VerificationKey};

use super::super::chain::{ChainId, Head, LineHash, LineKind, Place};
use super::super::checkpoint::{self, Bad};
use super::line::{NoLine, ReadLine, read};
use super::{ChainReport, Finding, Problem, Report};

/// Most findings that are kept. The rest is counted.
pub(super) const FINDINGS_MAX: usize = 1_000;
/// Stands in every first line of a chain, and cheap to look for.
const START: &[u8] = br#""kind":"start""#;

/// The public keys that signatures are checked with.
#[derive(Debug, Clone, Default)]
pub struct Keys(HashMap<KeyId, VerificationKey>);

/// Looks at one line after the other.
#[derive(Debug)]
pub struct Verifier {
    keys: Keys,
    place: Place,
    /// Lines that later chains name.
    named: HashMap<(ChainId, u64), Named>,
    continued: bool,
    lines: u64,
    chains: Vec<State>,
    by_id: HashMap<ChainId, usize>,
    findings: Vec<Finding>,
    findings_count: u64,
}

/// A line that a later chain names, and the hash that was found there.
#[derive(Debug, Default)]
struct Named {
    found: Option<LineHash>,
}

/// A chain so far.
#[derive(Debug)]
struct State {
    report: ChainReport,
    place: String,
    /// Where earlier chains had ended when it began.
    after: Vec<Head>,
}

impl Keys {
    /// The keys of a set. Keys that cannot check signatures are left out.
    #[must_use]
    pub fn new(set: &JwkSet) -> Self {
        let usable = |jwk: &cress_jose::Jwk| Some((jwk.kid()?.clone(), jwk.verification_key().ok()?));
        Self(set.keys().iter().filter_map(usable).collect())
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Verifier {
    /// Without keys no signature is checked, and nothing counts as signed.
    #[must_use]
    pub fn new(keys: Keys) -> Self {
        Self {
            keys,
            place: Place::File,
            named: HashMap::new(),
            continued: false,
            lines: 0,
            chains: Vec::new(),
            by_id: HashMap::new(),
            findings: Vec::new(),
            findings_count: 0,
        }
    }

    /// What is given is what the store has, rather than files.
    #[must_use]
    pub(super) const fn of_store(mut self) -> Self {
        self.place = Place::Store;
        self
    }

    /// What is given goes on from records that are not: its first line may stand within a chain, and its first chain may name chains that
    /// are not there.
    #[must_use]
    pub const fn continued(mut self) -> Self {
        self.continued = true;
        self
    }

    /// To be called with every line before any is looked at: what later chains say of earlier lines has to be known by then.
    pub fn prepare(&mut self, line: &[u8]) {
        if !line.windows(START.len()).any(|window| window == START) {
            return;
        }
        for head in read(line).map(|line| line.ended_in(self.place)).unwrap_or_default() {
            self.named.entry((head.chain, head.seq)).or_default();
        }
    }

    /// The next line, without its newline. `place` says where it is.
    pub fn line(&mut self, place: &str, bytes: &[u8]) {
        self.lines = self.lines.saturating_add(1);
        match read(bytes) {
            Ok(line) => self.walk(place, bytes, line),
            Err(_) => self.find(place, None, Problem::Malformed),
        }
    }

    /// What stands behind the last newline. A process that was killed, or writes at this moment, leaves a part of a line there.
    pub fn rest(&mut self, place: &str, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        match read(bytes) {
            Ok(line) => self.walk(place, bytes, line),
            Err(NoLine::Unfinished) => {}
            Err(NoLine::Malformed) => return self.find(place, None, Problem::Malformed),
        }
        match self.chains.last_mut() {
            Some(chain) => chain.report.unfinished_bytes = bytes.len() as u64,
            None => self.find(place, None, Problem::Malformed),
        }
    }

    fn walk(&mut self, place: &str, bytes: &[u8], line: ReadLine) {
        let hash = LineHash::of(bytes);
        if let Some(named) = self.named.get_mut(&(line.chain, line.seq)) {
            named.found = Some(hash);
        }
        let index = match self.by_id.get(&line.chain) {
            Some(index) => *index,
            None => return self.begin(place, bytes, line, hash),
        };
        let Some(state) = self.chains.get_mut(index) else { return };
        let head = state.report.head;
        let expected = head.seq.saturating_add(1);
        let mut problems = Vec::new();
        if line.seq < expected {
            // The chain stays where it is.
            return self.find(place, Some(line.chain), Problem::Repeated { expected, got: line.seq });
        }
        if line.seq > expected {
            problems.push(Problem::Gap { expected, got: line.seq });
        } else if line.prev != head.hash {
            problems.push(Problem::Changed { seq: head.seq });
        }
        if state.report.ended {
            problems.push(Problem::AfterEnd);
        }
        if line.kind == LineKind::Start {
            problems.push(Problem::SecondStart);
        }
        state.report.head = Head { chain: line.chain, seq: line.seq, hash };
        self.finish_line(place, bytes, &line, index, problems);
    }

    fn begin(&mut self, place: &str, bytes: &[u8], line: ReadLine, hash: LineHash) {
        let is_start = line.kind == LineKind::Start && line.seq == 0 && line.prev == LineHash::NONE;
        let may_continue = self.continued && self.chains.is_empty() && line.kind != LineKind::Start;
        let problems = if is_start || may_continue { Vec::new() } else { vec![Problem::NoStart] };
        let report = ChainReport {
            chain: line.chain,
            begun_at: line.at.clone(),
            first_seq: line.seq,
            head: Head { chain: line.chain, seq: line.seq, hash },
            anchored_seq: None,
            unanchored: 0,
            ended: false,
            lost: 0,
            unfinished_bytes: 0,
        };
        let index = self.chains.len();
        self.by_id.insert(line.chain, index);
        self.chains.push(State { report, place: place.to_owned(), after: line.ended_in(self.place) });
        self.finish_line(place, bytes, &line, index, problems);
    }

    /// What is the same for the first line of a chain and all others.
    fn finish_line(&mut self, place: &str, bytes: &[u8], line: &ReadLine, index: usize, mut problems: Vec<Problem>) {
        let signed = matches!(line.kind, LineKind::Checkpoint | LineKind::End);
        let outcome =
            if signed && !self.keys.is_empty() { self.check_signature(bytes).map(|()| true) } else { Ok(false) };
        if let Some(State { report, .. }) = self.chains.get_mut(index) {
            match outcome {
                Ok(true) => report.anchored_seq = Some(line.seq),
                Ok(false) => {}
                Err(problem) => problems.push(problem),
            }
            report.ended |= line.kind == LineKind::End;
            if line.kind == LineKind::Lost {
                report.lost = report.lost.saturating_add(line.count);
            }
        }
        for problem in problems {
            self.find(place, Some(line.chain), problem);
        }
    }

    fn check_signature(&self, bytes: &[u8]) -> Result<(), Problem> {
        let text = std::str::from_utf8(bytes).map_err(|_| Problem::BadSignature)?;
        match checkpoint::check(text, |kid| self.keys.0.get(kid)) {
            Ok(_) => Ok(()),
            Err(Bad::Unknown(kid)) => Err(Problem::UnknownKey { kid: kid.to_string() }),
            Err(Bad::Malformed | Bad::Signature(_)) => Err(Problem::BadSignature),
        }
    }

    /// What was found, when every line was looked at.
    #[must_use]
    pub fn finish(mut self) -> Report {
        self.compare_with_what_was_said();
        self.anchor_by_later_chains();
        let Self { lines, chains, findings, findings_count, .. } = self;
        let chains = chains.into_iter().map(|State { mut report, .. }| {
            let from = report.anchored_seq.map_or(report.first_seq, |seq| seq.saturating_add(1));
            report.unanchored = report.head.seq.saturating_add(1).saturating_sub(from);
            report
        });
        Report { intact: findings_count == 0, lines, chains: chains.collect(), findings, findings_count }
    }

    /// Each start says where earlier chains had ended.
    fn compare_with_what_was_said(&mut self) {
        let mut found = Vec::new();
        for (index, State { place, after, .. }) in self.chains.iter().enumerate() {
            for said in after {
                let there = self.named.get(&(said.chain, said.seq)).and_then(|named| named.found);
                let problem = match there {
                    Some(hash) if hash == said.hash => continue,
                    Some(_) => Problem::Replaced { seq: said.seq },
                    None if self.by_id.contains_key(&said.chain) => Problem::CutOff { seq: said.seq },
                    None if self.continued && index == 0 => continue,
                    None => Problem::ChainMissing,
                };
                found.push((place.clone(), said.chain, problem));
            }
        }
        for (place, chain, problem) in found {
            self.find(&place, Some(chain), problem);
        }
    }

    /// What a signed start says of earlier chains is signed too. A start may be so by a still later one.
    fn anchor_by_later_chains(&mut self) {
        for index in (0..self.chains.len()).rev() {
            let Some(state) = self.chains.get(index) else { continue };
            if state.report.first_seq != 0 || state.report.anchored_seq.is_none() {
                continue;
            }
            for said in state.after.clone() {
                let is_there = self.named.get(&(said.chain, said.seq)).and_then(|named| named.found) == Some(said.hash);
                let earlier = self.by_id.get(&said.chain).and_then(|earlier| self.chains.get_mut(*earlier));
                if let Some(earlier) = earlier.filter(|_| is_there) {
                    earlier.report.anchored_seq = earlier.report.anchored_seq.max(Some(said.seq));
                }
            }
        }
    }

    /// The number of the last line of a chain, if it was met.
    pub(super) fn head(&self, chain: &str) -> Option<u64> {
        let index = self.by_id.get(&chain.parse().ok()?)?;
        self.chains.get(*index).map(|state| state.report.head.seq)
    }

    pub(super) fn find(&mut self, place: &str, chain: Option<ChainId>, problem: Problem) {
        self.findings_count = self.findings_count.saturating_add(1);
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(Finding { place: place.to_owned(), chain, problem });
        }
    }
}
