// SPDX-License-Identifier: Apache-2.0
//! Whatever text is shown as a token: parsing, inspection and the full check never panic, and nothing that nobody signed passes.
#![no_main]

use std::sync::LazyLock;

use cress_domain::{Clock, Timestamp};
use cress_testkit::{MockClock, TestIssuer};
use cress_token::{Inspection, KeySet, Rules, Unverified, verify};
use libfuzzer_sys::fuzz_target;

struct Verifier {
    keys: KeySet,
    rules: Rules,
    now: Timestamp,
}

static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| {
    let issuer = TestIssuer::new();
    Verifier { keys: issuer.key_set(), rules: issuer.rules(), now: MockClock::default().now() }
});

fuzz_target!(|data: &[u8]| {
    let Ok(token) = std::str::from_utf8(data) else { return };
    if let Ok(inspection) = Inspection::parse(token) {
        let _ = inspection.explain(VERIFIER.now);
    }
    if let Ok(unverified) = Unverified::parse(token) {
        let _ = unverified.unverified_issuer();
    }
    // The key is made when the process starts, so no input can hold a signature by it.
    assert!(verify(token, &VERIFIER.keys, &VERIFIER.rules, VERIFIER.now).is_err(), "a forged token was accepted");
});
