// SPDX-License-Identifier: Apache-2.0
//! What operators do: revocations, and switches by hand.

use super::KeyState::{Active, Next, Retired, Revoked};
use super::*;
use crate::schedule::{RevocationError, TooEarly};

#[test]
fn a_revoked_active_key_leaves_at_once_and_the_next_signs_at_once() {
    let settings = Settings::workload();
    let roster = first_start(&settings);
    let now = start() + DAY;
    let [first, second] = roster.keys() else { panic!("expected two keys") };
    let roster = roster.revoked(&settings, now, first.created_at).unwrap();
    assert_eq!(states(&roster, now), [Revoked, Active, Next]);
    assert_eq!(signer(&roster, now).created_at, second.created_at);
    assert_eq!(signer(&roster, now).signs_until, now + WEEK);
    assert!(roster.published(now).iter().all(|key| key.created_at != first.created_at));
    let slow = signer(&roster, now - MINUTE);
    assert_eq!(slow.created_at, second.created_at, "whose clock is slow signs with the same key");
    assert_eq!(roster.advanced(&settings, now), None);
}

#[test]
fn a_revoked_next_key_is_replaced_and_its_successor_has_its_whole_lead() {
    let settings = Settings::workload();
    let roster = first_start(&settings);
    let now = start() + 6 * DAY;
    let roster = roster.revoked(&settings, now, roster.keys()[1].created_at).unwrap();
    assert_eq!(signer(&roster, now).created_at, start());
    assert_eq!(signer(&roster, now).signs_until, now + WEEK);
    assert_eq!(roster.published(now).len(), 2);
    assert_eq!(signer(&roster, now + WEEK).created_at, now);
}

#[test]
fn a_revoked_retired_key_only_leaves() {
    let settings = Settings::workload();
    let mut roster = first_start(&settings);
    let now = start() + WEEK + MINUTE;
    advance(&mut roster, &settings, now);
    assert_eq!(states(&roster, now), [Retired, Active, Next]);
    let revoked = roster.revoked(&settings, now, start()).unwrap();
    assert_eq!(states(&revoked, now), [Revoked, Active, Next]);
    assert_eq!(revoked.keys()[1..], roster.keys()[1..]);
}

#[test]
fn every_key_can_be_revoked_one_after_another() {
    let settings = Settings::workload();
    let mut roster = first_start(&settings);
    let mut now = start();
    for _ in 0..30 {
        now = now + MINUTE;
        let signing = signer(&roster, now).created_at;
        roster = roster.revoked(&settings, now, signing).unwrap();
        assert_eq!(roster.published(now).len(), 2);
        assert!(roster.published(now).iter().all(|key| key.created_at != signing));
    }
    let on_record = roster.keys().iter().filter(|key| roster.state(key, now) == Revoked).count();
    assert_eq!(on_record, 30, "until its tokens have expired a revocation has to be told");
}

#[test]
fn unknown_and_revoked_keys_are_refused() {
    let settings = Settings::workload();
    let roster = first_start(&settings);
    let now = start() + DAY;
    assert_eq!(roster.revoked(&settings, now, now), Err(RevocationError::Unknown));
    let roster = roster.revoked(&settings, now, start()).unwrap();
    assert_eq!(roster.revoked(&settings, now, start()), Err(RevocationError::Already));
}

#[test]
fn a_switch_by_hand_waits_for_the_lead_time() {
    let settings = Settings { active: 3 * WEEK, ..Settings::workload() };
    let roster = first_start(&settings);
    let next = roster.keys()[1];
    let at = next.created_at + WEEK;
    assert_eq!(roster.rotated(&settings, at - INSTANT), Err(TooEarly { at }));

    let roster = roster.rotated(&settings, at).unwrap();
    assert_eq!(states(&roster, at), [Retired, Active, Next]);
    assert_eq!(signer(&roster, at).created_at, next.created_at);
    assert_eq!(signer(&roster, at - INSTANT).created_at, start(), "whose clock is slow signs on with the old key");
    let retired = roster.keys()[0];
    assert_eq!(
        retired.published_until,
        at + settings.stale_max() + settings.tail(),
        "a replica that does not know yet may sign until its copy is stale"
    );
    assert_eq!(roster.keys()[2].signs_from, at + 3 * WEEK);
    assert_eq!(roster.rotated(&settings, at + DAY), Err(TooEarly { at: at + WEEK }));
}
