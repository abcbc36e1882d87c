// SPDX-License-Identifier: Apache-2.0
//! What the tests share.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cress_testkit::{MockClock, TestIssuer};
use cress_verify::{Clock, KeySource, RemoteKeys, Settings, SystemClock, TrustedIssuer, Verifier, VerifyError};

/// A verifier of this issuer's tokens, with a clock that stands still.
pub(crate) fn start(issuer: &TestIssuer, keys: impl Into<KeySource>) -> (Verifier, Arc<MockClock>) {
    let clock = Arc::new(MockClock::default());
    (start_with(TrustedIssuer::new(issuer.rules(), keys), clock.clone()), clock)
}

/// A verifier with the machine's clock.
pub(crate) fn start_now(issuer: &TestIssuer, keys: impl Into<KeySource>) -> Verifier {
    start_with(TrustedIssuer::new(issuer.rules(), keys), Arc::new(SystemClock::new()))
}

pub(crate) fn start_with(issuer: TrustedIssuer, clock: Arc<dyn Clock>) -> Verifier {
    Verifier::start(vec![issuer], &Settings::default(), clock).unwrap()
}

pub(crate) fn remote(url: &str) -> RemoteKeys {
    RemoteKeys::new(url).unwrap()
}

/// The code of the refusal, or "accepted".
pub(crate) fn code<T>(outcome: Result<T, VerifyError>) -> &'static str {
    outcome.err().map_or("accepted", |error| error.code())
}

pub(crate) async fn verify(verifier: &Verifier, token: &str) -> &'static str {
    code(verifier.verify(token).await)
}

/// Has the verifier look at its sources, which it does at most once in a second of its clock.
pub(crate) async fn refresh(verifier: &Verifier, clock: &MockClock) {
    let mut refreshed = pin!(verifier.refresh());
    loop {
        clock.set_monotonic(clock.monotonic() + Duration::from_secs(1));
        tokio::select! {
            () = &mut refreshed => return,
            () = tokio::time::sleep(Duration::from_millis(200)) => {}
        }
    }
}

/// Waits until the condition holds.
pub(crate) async fn eventually(what: &str, condition: impl AsyncFn() -> bool) {
    #[expect(clippy::disallowed_methods, reason = "a deadline in real time, so that a broken test ends")]
    let started = Instant::now();
    while !condition().await {
        assert!(started.elapsed() < Duration::from_secs(30), "{what} did not happen in time");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
