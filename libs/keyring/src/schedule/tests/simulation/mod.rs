// SPDX-License-Identifier: Apache-2.0
//! Years of several replicas that race, lag, stop and come back, of verifiers with copies of every age, of revocations. A
//! failing story is shortened and told step by step.

mod story;
mod world;

use proptest::prelude::*;
use proptest::test_runner::{TestError, TestRunner};

use self::story::{Step, Story, duration, emergency, step, story};
use self::world::World;
use super::*;

const REPLICAS: usize = 3;

fn settings() -> impl Strategy<Value = Settings> {
    let workload = Settings::workload;
    prop_oneof![
        3 => Just(workload()),
        1 => Just(Settings { active: 3 * WEEK, ..workload() }),
        1 => Just(Settings { active: 8 * DAY, outage_budget: 2 * DAY, ..workload() }),
        2 => (duration(WEEK, 4 * WEEK), duration(Duration::ZERO, 3 * DAY), duration(MINUTE, HOUR)).prop_map(
            move |(active, outage_budget, token_life_max)| Settings { active, outage_budget, token_life_max, ..workload() }
        ),
    ]
    .prop_filter("settings that control takes", |settings| settings.check().is_ok())
}

fn live_through(settings: Settings, story: &Story) -> World {
    tell(World::new(settings), story)
}

fn tell(mut world: World, story: &Story) -> World {
    world.step(Step::AllLookAndWrite);
    for step in &story.0 {
        world.step(*step);
    }
    world
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_000) })]

    #[test]
    fn no_good_token_is_refused(settings in settings(), story in story(step(), 1..300)) {
        live_through(settings, &story);
    }

    #[test]
    fn nor_is_one_because_of_an_emergency_that_does_not_concern_it(
        settings in settings(),
        story in story(prop_oneof![20 => step(), 1 => emergency()], 1..200),
    ) {
        live_through(settings, &story);
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

/// Verifiers with copies that are older than what is promised refuse good tokens, as they must; and what has to happen for that is told
/// in a few sentences.
#[test]
fn what_fails_is_told_as_a_short_story() {
    const STEPS_MAX: usize = 12;
    let mut runner = TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_000) });
    let failed = runner.run(&story(step(), 1..300), |story| {
        tell(World::with_copies_of(3 * WEEK, Settings::workload()), &story);
        Ok(())
    });
    let Err(TestError::Fail(reason, story)) = failed else {
        panic!("expected good tokens to be refused, got {failed:?}")
    };
    let told = format!("{story:?}");
    assert!(reason.message().contains("a good token is refused"), "{reason}");
    assert!(story.0.len() <= STEPS_MAX, "{told}");
    assert!(told.contains("a verifier fetches from replica") && told.contains("signs"), "{told}");
}
