// SPDX-License-Identifier: Apache-2.0
//! A cache that runs, its clock, and control.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use cress_domain::{Audience, Clock, GroupDefinition, Timestamp};
use cress_testkit::SeededRandom;
use cress_token::{AudienceRule, Claims, Rules, Verified};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::control::Control;
use crate::imds::TokenAnswer;
use crate::tokens::{InstanceIdentity, InstanceTokens, TokenCache};

/// Tokio's time, paused, as a clock. The node's wall clock and a suspended machine are set apart from it.
pub(super) struct TokioClock {
    started: Instant,
    shift: Mutex<Shift>,
}

#[derive(Default, Clone, Copy)]
struct Shift {
    suspended: Duration,
    wall_microseconds: i64,
}

/// When control's clock starts: not on a whole second, as it would not.
const START_MICROSECONDS: i64 = 1_743_101_446_250_000;

impl TokioClock {
    fn new() -> Self {
        Self { started: Instant::now(), shift: Mutex::default() }
    }

    /// The right time, which only control has.
    pub(super) fn control_time(&self) -> Timestamp {
        Timestamp::from_unix_microseconds(START_MICROSECONDS) + self.monotonic()
    }

    /// The machine sleeps for so long: timers do not count it.
    pub(super) fn suspend(&self, duration: Duration) {
        self.shift.lock().unwrap().suspended += duration;
    }

    pub(super) fn shift_wall_clock(&self, microseconds: i64) {
        self.shift.lock().unwrap().wall_microseconds = microseconds;
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        let shift = self.shift.lock().unwrap().wall_microseconds;
        Timestamp::from_unix_microseconds(self.control_time().unix_microseconds() + shift)
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed() + self.shift.lock().unwrap().suspended
    }
}

pub(super) struct Rig {
    pub(super) clock: Arc<TokioClock>,
    pub(super) control: Arc<Control>,
    pub(super) cache: TokenCache,
    pub(super) stop: CancellationToken,
    pub(super) task: JoinHandle<()>,
}

impl Rig {
    /// A cache that runs and knows control's keys.
    pub(super) fn start() -> Self {
        let rig = Self::start_without_keys();
        rig.send_keys();
        rig
    }

    pub(super) fn start_without_keys() -> Self {
        let clock = Arc::new(TokioClock::new());
        let control = Arc::new(Control::new(clock.clone()));
        let cache = TokenCache::new(control.clone(), clock.clone(), Arc::new(SeededRandom::default()));
        let stop = CancellationToken::new();
        let (running, stopped) = (cache.clone(), stop.clone());
        let task = tokio::spawn(async move { running.run(stopped.cancelled()).await });
        Self { clock, control, cache, stop, task }
    }

    /// Control sends its key set.
    pub(super) fn send_keys(&self) {
        let issuer = self.control.issuer.lock().unwrap();
        self.cache.set_keys(issuer.issuer().clone(), issuer.key_set());
    }

    /// An instance with these allowed audiences, from its placement.
    pub(super) fn open(&self, audiences: &[&str]) -> (InstanceIdentity, InstanceTokens) {
        let identity = self.control.place();
        let tokens = self.cache.open(identity.clone(), &definition(audiences));
        (identity, tokens)
    }

    /// As [`Self::open`], and its first token is there.
    pub(super) async fn open_ready(&self, audiences: &[&str]) -> (InstanceIdentity, InstanceTokens) {
        let (identity, tokens) = self.open(audiences);
        assert!(tokens.ready().await);
        (identity, tokens)
    }

    /// The claims of a token that a verifier with the right time accepts; anything else fails the test.
    pub(super) fn verified(&self, answer: &TokenAnswer, audience: &Audience) -> Verified<Claims> {
        let jwt = jwt(answer);
        let issuer = self.control.issuer.lock().unwrap();
        let mut rules = Rules::for_workloads(issuer.issuer().clone(), AudienceRule::OneOf(vec![audience.clone()]));
        rules.leeway = Duration::ZERO.try_into().unwrap();
        cress_token::verify(&jwt, &issuer.key_set(), &rules, self.clock.control_time()).unwrap()
    }

    /// The default token's claims, checked as by a verifier.
    pub(super) fn default_claims(&self, identity: &InstanceIdentity, tokens: &InstanceTokens) -> Verified<Claims> {
        let claims = self.verified(&tokens.token(None), &identity.organization_id.into());
        assert_eq!(claims.workload().unwrap().instance_id, Some(identity.instance_id));
        claims
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(super) fn definition(audiences: &[&str]) -> GroupDefinition {
    let definition = serde_json::json!({"replicas": 1, "command": ["sleep"], "allowed_audiences": audiences});
    serde_json::from_value(definition).unwrap()
}

/// The same with another claim for each number.
pub(super) fn with_claim(audiences: &[&str], number: usize) -> GroupDefinition {
    let claims = serde_json::json!({ "number": number });
    GroupDefinition { extra_claims: serde_json::from_value(claims).unwrap(), ..definition(audiences) }
}

pub(super) fn audience(text: &str) -> Audience {
    text.parse().unwrap()
}

/// The token of an answer; it fails the test if there is none.
pub(super) fn jwt(answer: &TokenAnswer) -> String {
    let TokenAnswer::Ready(body) = answer else { panic!("expected a token, got {answer:?}") };
    let token: cress_api::imds::Token = serde_json::from_slice(&body.share()).unwrap();
    token.jwt
}

/// Lets time pass, with everything that falls due in it.
pub(super) async fn pass(duration: Duration) {
    tokio::time::sleep(duration).await;
}

pub(super) async fn seconds(seconds: u64) {
    pass(Duration::from_secs(seconds)).await;
}

/// Lets everything happen that needs no time.
pub(super) async fn settle() {
    pass(Duration::from_millis(50)).await;
}

/// What kind of answer it is.
pub(super) fn kind(answer: &TokenAnswer) -> &'static str {
    match answer {
        TokenAnswer::Ready(_) => "ready",
        TokenAnswer::Pending => "pending",
        TokenAnswer::Unavailable => "unavailable",
        TokenAnswer::AudienceNotAllowed => "audience-not-allowed",
        TokenAnswer::InstanceUnknown => "instance-unknown",
    }
}
