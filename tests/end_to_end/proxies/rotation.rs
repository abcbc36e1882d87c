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
    let go_on = || {
        let until = load.answered() + 1_000;
        eventually("a thousand answers", || (load.answered() >= until).then_some(()));
    };
    go_on();

    issuer.add_key("test-2");
    setting.keys.publish(&issuer.jwks_json());
    let second = tokens(&issuer);
    load.send(&[first.as_slice(), &second].concat(), &bad);
    go_on();
    setting.keys.break_down();
    go_on();

    let outcome = load.finish();
    println!("{} answers over {} connections", outcome.answered, outcome.connections);
    assert!(outcome.failures.is_empty(), "{} of {outcome:#?}", outcome.failures.len());
}
