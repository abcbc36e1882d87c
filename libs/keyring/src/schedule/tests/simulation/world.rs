// SPDX-License-Identifier: Apache-2.0
//! A store, replicas that look at it with clocks of their own, tokens, and verifiers' copies of the published set.

use std::collections::VecDeque;

use cress_domain::Clock;
use cress_testkit::MockClock;

use super::REPLICAS;
use super::story::Step;
use crate::schedule::tests::*;

/// Copies as old as this must do; the settings promise more.
const COPY_AGE_MAX: Duration = Duration::from_secs(6 * 24 * 60 * 60);

/// Deciding and writing follow each other at once; a database may keep the writer waiting for as long as this.
const WRITE_DELAY_MAX: Duration = MINUTE;

#[derive(Default)]
struct Replica {
    /// None while it is down.
    view: Option<View>,
    clock_ahead: Duration,
}

struct View {
    version: u32,
    roster: Roster,
    read_at: Duration,
    /// What it is about to write.
    decided: Option<Roster>,
}

#[derive(Debug)]
struct Token {
    key: Timestamp,
    good_until: Timestamp,
}

#[derive(Debug)]
struct Copy {
    fetched_at: Timestamp,
    keys: Vec<Timestamp>,
}

pub(super) struct World {
    settings: Settings,
    /// How old a verifier's copy is at most.
    copy_age_max: Duration,
    clock: MockClock,
    version: u32,
    pub(super) stored: Roster,
    replicas: [Replica; REPLICAS],
    tokens: Vec<Token>,
    copies: VecDeque<Copy>,
    /// Keys that had to sign without their lead time, in an emergency.
    promoted: Vec<Timestamp>,
}

impl World {
    pub(super) fn new(settings: Settings) -> Self {
        Self::with_copies_of(COPY_AGE_MAX, settings)
    }

    /// With verifiers that keep their copies for so long.
    pub(super) fn with_copies_of(copy_age_max: Duration, settings: Settings) -> Self {
        let behind_and_ahead = |share: u32| Replica { view: None, clock_ahead: settings.skew * share / 2 };
        Self {
            copy_age_max,
            clock: MockClock::new(start()),
            version: 0,
            stored: Roster::default(),
            replicas: [behind_and_ahead(0), behind_and_ahead(1), behind_and_ahead(2)],
            tokens: Vec::new(),
            copies: VecDeque::new(),
            promoted: Vec::new(),
            settings,
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn now_at(&self, replica: usize) -> Timestamp {
        self.now() + self.replicas[replica].clock_ahead
    }

    pub(super) fn step(&mut self, step: Step) {
        match step {
            Step::Wait(duration) => self.clock.advance(duration),
            Step::WaitForEvent(seconds_after) => self.wait_for_event(seconds_after),
            Step::Look(replica) => self.look(replica),
            Step::Write(replica) => self.write(replica),
            Step::AllLookAndWrite => {
                for replica in 0..REPLICAS {
                    self.look(replica);
                    self.write(replica);
                }
            }
            Step::Restart(replica) => self.replicas[replica].view = None,
            Step::Downtime(duration) => {
                self.replicas.iter_mut().for_each(|replica| replica.view = None);
                self.clock.advance(duration);
                self.step(Step::AllLookAndWrite);
            }
            Step::Sign(replica) => self.sign(replica),
            Step::Fetch(replica) => self.fetch(replica),
            Step::Rotate(replica) => self.rotate(replica),
            Step::Revoke(replica, index) => self.revoke(replica, index),
        }
        self.check_plan();
    }

    fn wait_for_event(&self, seconds_after: i64) {
        let wait = self.stored.next_event(self.now()).map_or(HOUR, |event| event.saturating_since(self.now()));
        let offset = Duration::from_secs(seconds_after.unsigned_abs());
        self.clock.advance(if seconds_after < 0 { wait.saturating_sub(offset) } else { wait + offset });
    }

    fn look(&mut self, replica: usize) {
        let now = self.now_at(replica);
        self.replicas[replica].view = Some(View {
            version: self.version,
            roster: self.stored.clone(),
            read_at: self.clock.monotonic(),
            decided: self.stored.advanced(&self.settings, now),
        });
    }

    fn write(&mut self, replica: usize) {
        let decided = self.replicas[replica]
            .view
            .as_mut()
            .and_then(|view| Some((view.version, view.read_at, view.decided.take()?)));
        let Some((version, decided_at, roster)) = decided else { return };
        if version == self.version && self.clock.monotonic() - decided_at <= WRITE_DELAY_MAX {
            self.check_one_birth(&roster);
            self.stored = roster;
            self.version += 1;
        }
        self.look(replica);
    }

    fn rotate(&mut self, replica: usize) {
        self.look(replica);
        if let Ok(rotated) = self.stored.rotated(&self.settings, self.now_at(replica)) {
            self.stored = rotated;
            self.version += 1;
            self.look(replica);
        }
    }

    fn revoke(&mut self, replica: usize, index: usize) {
        self.look(replica);
        let now = self.now_at(replica);
        let published = self.stored.published(now);
        let Some(key) = published.get(index % published.len().max(1)) else { return };
        self.stored = self.stored.revoked(&self.settings, now, key.created_at).unwrap();
        self.version += 1;
        self.tokens.retain(|token| token.key != key.created_at);
        let hurried = self.stored.keys().iter().filter(|key| key.signs_from < key.created_at + self.settings.lead);
        self.promoted.extend(hurried.map(|key| key.created_at));
        self.look(replica);
        assert!(self.usable(replica).unwrap().published(now).iter().all(|left| left.created_at != key.created_at));
    }

    /// What a replica may work with.
    fn usable(&self, replica: usize) -> Option<&Roster> {
        let view = self.replicas[replica].view.as_ref()?;
        let fresh = self.clock.monotonic() - view.read_at <= self.settings.stale_max();
        fresh.then_some(&view.roster)
    }

    fn sign(&mut self, replica: usize) {
        let now = self.now_at(replica);
        let Some(signer) = self.usable(replica).and_then(|roster| roster.signer(now)) else { return };
        let key = signer.created_at;
        if self.stored.keys().iter().all(|stored| stored.created_at != key || stored.revoked_at.is_some()) {
            return; // In an emergency, whoever does not know yet signs in vain.
        }
        let emergency = self.promoted.contains(&key);
        let first_of_all = key == start();
        let public_for = now.saturating_since(key) + self.settings.skew;
        assert!(
            public_for >= self.settings.lead || emergency || first_of_all,
            "a key signs {public_for:?} after its birth"
        );

        let good_until = now + self.settings.token_life_max + self.settings.outage_budget + self.settings.skew / 2;
        let token = Token { key, good_until };
        self.copies.iter().for_each(|copy| self.check_token(&token, copy));
        self.tokens.push(token);
    }

    fn fetch(&mut self, replica: usize) {
        let (now, at_replica) = (self.now(), self.now_at(replica));
        let Some(roster) = self.usable(replica) else { return };
        let keys = roster.published(at_replica).iter().map(|key| key.created_at).collect();
        let copy = Copy { fetched_at: now, keys };
        self.tokens.retain(|token| now < token.good_until);
        self.tokens.iter().for_each(|token| self.check_token(token, &copy));
        self.copies.push_back(copy);
        let age_max = self.copy_age_max;
        self.copies.retain(|copy| now.saturating_since(copy.fetched_at) <= age_max);
    }

    /// Checked when the later of token and copy comes to be, which is the first moment at which they can meet.
    fn check_token(&self, token: &Token, copy: &Copy) {
        let too_old = self.now().saturating_since(copy.fetched_at) > self.copy_age_max;
        let before_emergency = self.promoted.contains(&token.key) && copy.fetched_at < token.key + self.settings.lead;
        if !too_old && !before_emergency {
            assert!(
                copy.keys.contains(&token.key),
                "a good token is refused: {token:?} with {copy:?} at {}",
                self.now()
            );
        }
    }

    fn check_one_birth(&self, next: &Roster) {
        let known = |key: &KeyFacts| self.stored.keys().iter().any(|stored| stored.created_at == key.created_at);
        let births = next.keys().iter().filter(|key| !known(key)).count();
        assert!(births <= if self.stored.keys().is_empty() { 2 } else { 1 }, "{births} keys are born at once");
    }

    fn check_plan(&self) {
        let live: Vec<_> = self.stored.live().collect();
        let now = self.now();
        let published = self.stored.published(now).len();
        assert!(published as u128 <= self.settings.published_keys_bound(), "{published} keys are published");
        let upcoming = live.iter().filter(|key| key.signs_from > now + self.settings.skew).count();
        assert!(upcoming <= 1, "{upcoming} keys wait");
        let signer = self.stored.signer(now);
        for pair in live.windows(2) {
            let switches_apart = pair[1].signs_from.saturating_since(pair[0].signs_from);
            let calm = !self.promoted.contains(&pair[1].created_at) && !self.promoted.contains(&pair[0].created_at);
            // A successor is born when its predecessor begins to sign, by the clock of whoever writes it down.
            let apart_enough = switches_apart + self.settings.skew >= self.settings.lead;
            assert!(apart_enough || !calm, "two switches only {switches_apart:?} apart");
            // Right at a switch, an emergency leaves those whose clock is slow to the next key.
            if calm && signer.is_some_and(|signer| pair[0].signs_from >= signer.signs_from) {
                assert_eq!(pair[0].signs_until, pair[1].signs_from, "a moment without a signer");
            }
        }
        assert!(live.is_empty() || live.len() >= 2, "no successor");
        assert!(self.stored.keys().is_sorted_by_key(|key| key.signs_from));
    }
}
