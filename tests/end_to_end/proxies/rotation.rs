// SPDX-License-Identifier: Apache-2.0
//! Keys that come and go while requests run through a proxy.

use cress_testkit::{TestIssuer, forge};
use cress_tests::eventually;

use super::setting::{Setting, Way};
use super::table::RULE;
use crate::jwks_sync::load::Load;
use crate::jwks_sync::now;

fn tokens(issuer: &TestIssuer) -> Vec<String> {
    (0..20).map(|_| issuer.token(now())).collect()
}

/// A key that nobody has seen is looked for at once, the key set's server may break down after that, and forgeries never pass.
#[test]
fn a_new_key_under_load_refuses_no_good_request_and_passes_no_bad_one() {
    let mut issuer = TestIssuer::new();
    let setting = Setting::start(Way::Nginx, &issuer, &[RULE]);
    let first = tokens(&issuer);
    let mut bad: Vec<String> = first.iter().map(|token| forge::alg_none(token)).collect();
    bad.push(TestIssuer::new().token(now()));
    let load = Load::start(setting.port, &first, &bad);
    let go_on = || go_on(&load);
    go_on();

    issuer.add_key("test-2");
    setting.keys.publish(&issuer.jwks_json());
    let second = tokens(&issuer);
    load.send(&[first.as_slice(), &second].concat(), &bad);
    go_on();
    setting.keys.break_down();
    go_on();

    finish(load);
}

#[test]
fn an_emergency_revocation_under_load_is_kept_behind_nginx() {
    revoke(Way::Nginx);
}

#[test]
fn an_emergency_revocation_under_load_is_kept_behind_envoy() {
    revoke(Way::EnvoyGrpc);
}

/// A key is taken out of the set and one that nobody has seen signs at once. Its first token has the set fetched, and from then on none
/// of the revoked key's passes, also those that were seen before.
fn revoke(way: Way) {
    let mut issuer = TestIssuer::new();
    let setting = Setting::start(way, &issuer, &[RULE]);
    let revoked = tokens(&issuer);
    let mut bad: Vec<String> = revoked.iter().map(|token| forge::alg_none(token)).collect();
    let load = Load::start(setting.port, &revoked, &bad);
    go_on(&load);

    issuer.add_key("test-2");
    let good = tokens(&issuer);
    load.send(&[], &bad);
    go_on(&load);
    issuer.drop_key("test-1");
    setting.keys.publish(&issuer.jwks_json());
    load.send(&good, &bad);
    let bearer = format!("Authorization: Bearer {}", revoked[0]);
    eventually("the revocation", || setting.ask(&[&bearer]).ok().filter(|answer| answer.status == 401));
    bad.extend(revoked);
    load.send(&good, &bad);
    go_on(&load);
    finish(load);
}

/// Envoy by itself looks at the set again and again, and never because of a token: so the key that takes over is public before, as those
/// of cress are. From the look at which the revoked key is gone none of its tokens pass, also those that were seen before.
#[test]
fn an_emergency_revocation_under_load_is_kept_by_envoy_itself() {
    let mut issuer = TestIssuer::new();
    let revoked = tokens(&issuer);
    issuer.add_key("test-2");
    let good = tokens(&issuer);
    let more_often = |text: String, _| {
        let often = text.replace("cache_duration: 300s", "cache_duration: 1s");
        assert_ne!(often, text);
        often
    };
    let setting = Setting::start_changed(Way::EnvoyNative, &issuer, &[RULE], more_often);
    let bearer = format!("Authorization: Bearer {}", revoked[0]);
    eventually("the keys", || setting.ask(&[&bearer]).ok().filter(|answer| answer.status == 200));
    let mut bad: Vec<String> = revoked.iter().map(|token| forge::alg_none(token)).collect();
    let load = Load::start(setting.port, &[revoked.as_slice(), &good].concat(), &bad);
    go_on(&load);

    load.send(&good, &bad);
    issuer.drop_key("test-1");
    setting.keys.publish(&issuer.jwks_json());
    eventually("the revocation", || setting.ask(&[&bearer]).ok().filter(|answer| answer.status == 401));
    bad.extend(revoked);
    load.send(&good, &bad);
    go_on(&load);
    // An outage of the key set changes nothing of that.
    setting.keys.break_down();
    eventually("two looks in vain", || (setting.keys.served() >= 2).then_some(()));
    go_on(&load);
    finish(load);
}

fn go_on(load: &Load) {
    let until = load.answered() + 1_000;
    eventually("a thousand answers", || (load.answered() >= until).then_some(()));
}

fn finish(load: Load) {
    let outcome = load.finish();
    assert!(outcome.failures.is_empty(), "{} of {outcome:#?}", outcome.failures.len());
}
