// SPDX-License-Identifier: Apache-2.0
//! Years of several replicas that race, lag, stop and come back, of verifiers with copies of every age, of revocations. A
//! failing story is printed step by step.

use std::collections::VecDeque;

use cress_domain::Clock;
use cress_testkit::MockClock;
use proptest::prelude::*;

use super::*;

const REPLICAS: usize = 3;

/// Copies as old as this must do; the settings promise more.
const COPY_AGE_MAX: Duration = Duration::from_secs(6 * 24 * 60 * 60);

/// What happens, one after another. Replicas are named by their number.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// Nothing but time.
    Wait(Duration),
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

struct World {
    settings: Settings,
    clock: MockClock,
    version: u32,
    stored: Roster,
    replicas: [Replica; REPLICAS],
    tokens: Vec<Token>,
    copies: VecDeque<Copy>,
    /// Keys that had to sign without their lead time, in an emergency.
    promoted: Vec<Timestamp>,
}

impl World {
    fn new(settings: Settings) -> Self {
        let behind_and_ahead = |share: u32| Replica { view: None, clock_ahead: settings.skew * share / 2 };
        Self {
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

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn now_at(&self, replica: usize) -> Timestamp {
        self.now() + self.replicas[replica].clock_ahead
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Wait(duration) => self.clock.advance(duration),
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
        let decided = self.replicas[replica].view.as_mut().and_then(|view| Some((view.version, view.decided.take()?)));
        let Some((version, roster)) = decided else { return };
        if version == self.version {
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
        self.copies.retain(|copy| now.saturating_since(copy.fetched_at) <= COPY_AGE_MAX);
    }

    /// Checked when the later of token and copy comes to be, which is the first moment at which they can meet.
    fn check_token(&self, token: &Token, copy: &Copy) {
        let too_old = self.now().saturating_since(copy.fetched_at) > COPY_AGE_MAX;
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
            assert!(switches_apart >= self.settings.lead || !calm, "two switches only {switches_apart:?} apart");
            if signer.is_some_and(|signer| pair[0].signs_from >= signer.signs_from) {
                assert_eq!(pair[0].signs_until, pair[1].signs_from, "a moment without a signer");
            }
        }
        assert!(live.is_empty() || live.len() >= 2, "no successor");
        assert!(self.stored.keys().is_sorted_by_key(|key| key.signs_from));
    }
}

fn duration(from: Duration, to: Duration) -> impl Strategy<Value = Duration> {
    (from.as_secs()..=to.as_secs()).prop_map(Duration::from_secs)
}

fn step() -> impl Strategy<Value = Step> {
    let replica = || 0..REPLICAS;
    prop_oneof![
        6 => duration(Duration::from_secs(1), HOUR).prop_map(Step::Wait),
        6 => duration(HOUR, 2 * DAY).prop_map(Step::Wait),
        1 => duration(DAY, 3 * WEEK).prop_map(Step::Wait),
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

fn emergency() -> impl Strategy<Value = Step> {
    (0..REPLICAS, 0..4_usize).prop_map(|(replica, index)| Step::Revoke(replica, index))
}

fn settings() -> impl Strategy<Value = Settings> {
    let workload = Settings::workload;
    prop_oneof![
        3 => Just(workload()),
        1 => Just(Settings { active: 3 * WEEK, ..workload() }),
        1 => Just(Settings { active: 8 * DAY, outage_budget: 2 * DAY, ..workload() }),
    ]
}

fn live_through(settings: Settings, steps: &[Step]) -> World {
    let mut world = World::new(settings);
    world.step(Step::AllLookAndWrite);
    for step in steps {
        world.step(*step);
    }
    world
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_000) })]

    #[test]
    fn no_good_token_is_refused(settings in settings(), steps in prop::collection::vec(step(), 1..300)) {
        live_through(settings, &steps);
    }

    #[test]
    fn nor_is_one_because_of_an_emergency_that_does_not_concern_it(
        settings in settings(),
        steps in prop::collection::vec(prop_oneof![20 => step(), 1 => emergency()], 1..200),
    ) {
        live_through(settings, &steps);
    }

    #[test]
    fn a_quiet_ring_has_two_keys_and_three_after_a_switch(
        waits in prop::collection::vec(duration(Duration::from_secs(1), DAY), 1..400),
    ) {
        let mut world = World::new(Settings::workload());
        for wait in waits {
            world.step(Step::AllLookAndWrite);
            let published = world.stored.published(world.now_at(0)).len();
            prop_assert!((2..=3).contains(&published), "{published} keys are published");
            prop_assert!((0..REPLICAS).all(|replica| world.stored.signer(world.now_at(replica)).is_some()));
            world.step(Step::Wait(wait));
        }
    }
}
