// SPDX-License-Identifier: Apache-2.0
//! The plan without emergencies: births, switches, retirement, downtime, clocks.

use super::KeyState::{Active, Gone, Next, Retired};
use super::*;

#[test]
fn two_keys_are_born_at_the_first_start_one_week_apart() {
    let settings = Settings::workload();
    let roster = first_start(&settings);
    let [first, second] = roster.keys() else { panic!("expected two keys") };
    assert_eq!((first.signs_from, first.signs_until), (start(), second.signs_from));
    assert_ne!(first.created_at, second.created_at, "their ids would collide");
    assert_eq!(second.signs_from.saturating_since(second.created_at), WEEK);
    assert_eq!(states(&roster, start()), [Active, Next]);
    assert_eq!(roster.advanced(&settings, start() + DAY), None);
    assert_eq!(roster.next_event(start()), Some(second.signs_from));
}

#[test]
fn a_key_lives_as_planned() {
    let settings = Settings::workload();
    let mut roster = first_start(&settings);
    let switch = roster.keys()[1].signs_from;
    for (now, expected) in [
        (start() + DAY, &[Active, Next][..]),
        (switch - INSTANT, &[Active, Next]),
        (switch, &[Retired, Active, Next]),
        (switch + settings.tail() - INSTANT, &[Retired, Active, Next]),
        (switch + settings.tail(), &[Gone, Active, Next]),
        (switch + WEEK, &[Gone, Retired, Active, Next]),
    ] {
        advance(&mut roster, &settings, now);
        assert_eq!(states(&roster, now), expected, "at {now}");
        let published = expected.iter().filter(|state| **state != Gone).count();
        assert_eq!(roster.published(now).len(), published, "at {now}");
    }
}

#[test]
fn published_keys_come_oldest_first() {
    let settings = Settings::workload();
    let mut roster = first_start(&settings);
    let switch = roster.keys()[1].signs_from;
    advance(&mut roster, &settings, switch);
    let births: Vec<_> = roster.published(switch).iter().map(|key| key.created_at).collect();
    assert_eq!(births.len(), 3);
    assert!(births.is_sorted());
}

#[test]
fn a_switch_needs_no_store() {
    let settings = Settings::workload();
    let roster = first_start(&settings);
    let [first, second] = roster.keys() else { panic!("expected two keys") };
    assert_eq!(signer(&roster, second.signs_from - INSTANT), *first);
    assert_eq!(signer(&roster, second.signs_from), *second);
    assert_eq!(roster.signer(second.signs_until), None, "what was not promised in the store is not signed");
    assert_eq!(roster.published(second.signs_until + WEEK), [*second], "the newest key is never dropped");
}

#[test]
fn after_downtime_the_newest_published_key_signs_until_a_successor_had_its_lead() {
    let settings = Settings::workload();
    for downtime in [WEEK + INSTANT, WEEK + DAY, 2 * WEEK, 2 * WEEK + INSTANT, 5 * WEEK, 500 * WEEK] {
        let mut roster = first_start(&settings);
        let second = roster.keys()[1].created_at;
        let now = start() + downtime;
        advance(&mut roster, &settings, now);
        let signing = signer(&roster, now);
        assert_eq!(signing.created_at, second, "after {downtime:?}");
        assert_eq!(signing.signs_until, now + WEEK, "after {downtime:?}");
        assert_eq!(signing.published_until, signing.signs_until + settings.tail());
        let successor = roster.keys()[2];
        assert_eq!((successor.created_at, successor.signs_from), (now, now + WEEK));
    }
}

#[test]
fn after_a_short_downtime_no_key_is_hurried() {
    let settings = Settings::workload();
    let mut roster = first_start(&settings);
    let before = roster.clone();
    advance(&mut roster, &settings, start() + 6 * DAY);
    assert_eq!(roster, before);
    assert_eq!(signer(&roster, start() + 6 * DAY).created_at, start());
}

#[test]
fn a_clock_that_goes_back_changes_nothing() {
    let settings = Settings::workload();
    let mut roster = first_start(&settings);
    for week in 0..20_u32 {
        advance(&mut roster, &settings, start() + WEEK * week + MINUTE);
    }
    let now = start() + 19 * WEEK + MINUTE;
    for back in [INSTANT, MINUTE, DAY, WEEK, 3 * WEEK, 19 * WEEK, 2_000 * WEEK] {
        assert_eq!(roster.advanced(&settings, now - back), None, "{back:?}");
        assert!(roster.signer(now - back).is_some(), "{back:?}");
        let good = roster.published(now);
        let published = roster.published(now - back);
        assert!(good.iter().all(|key| published.contains(key)), "{back:?}");
    }
}

#[test]
fn a_clock_that_ran_ahead_loses_no_key_and_is_repaired_by_a_revocation() {
    let settings = Settings::workload();
    let mut roster = first_start(&settings);
    let before = roster.published(start() + DAY);
    advance(&mut roster, &settings, start() + 500 * WEEK);

    let now = start() + 2 * DAY;
    let kept = roster.published(now);
    assert!(before.iter().all(|key| kept.iter().any(|kept| kept.created_at == key.created_at)));
    let from_the_future = roster.keys().last().unwrap().created_at;
    let roster = roster.revoked(&settings, now, from_the_future).unwrap();
    let live: Vec<_> = roster.live().collect();
    assert!(live.iter().all(|key| key.signs_from <= now + 2 * WEEK), "{live:#?}");
    assert_eq!(states(&roster, now).iter().filter(|state| **state == Active).count(), 1);
}

#[test]
fn a_slow_clock_signs_too_after_the_first_start() {
    let settings = Settings::workload();
    let roster = first_start(&settings);
    assert_eq!(signer(&roster, start() - MINUTE), roster.keys()[0]);
    assert_eq!(roster.advanced(&settings, start() - MINUTE), None);
}

#[test]
fn longer_tokens_keep_what_signs_now_published_for_longer_and_shorter_ones_shorten_nothing() {
    let settings = Settings::workload();
    let roster = first_start(&settings);
    let longer = Settings { outage_budget: DAY, ..settings.clone() };
    let changed = roster.advanced(&longer, start() + DAY).unwrap();
    for key in changed.keys() {
        assert_eq!(key.published_until, key.signs_until + settings.tail() + DAY);
    }
    assert_eq!(changed.advanced(&settings, start() + 2 * DAY), None);
}

#[test]
fn the_past_is_forgotten_by_number() {
    let settings = Settings::workload();
    let mut roster = first_start(&settings);
    for week in 0..40_u32 {
        let now = start() + (WEEK + MINUTE) * week;
        advance(&mut roster, &settings, now);
        assert!(roster.keys().len() <= 8 + 3, "{} keys", roster.keys().len());
        assert!(roster.published(now).len() <= 3);
    }
}
