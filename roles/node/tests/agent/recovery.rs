// SPDX-License-Identifier: Apache-2.0
//! A node comes back by itself, however long it slept and whatever its clock shows.

use std::sync::Arc;
use std::time::Duration;

use cress_domain::{Clock, Timestamp};
use cress_node::InstanceState;
use cress_service::SystemClock;

use crate::control::Control;
use crate::node::{SLEEPER, Setup, script, until};

const HOUR: Duration = Duration::from_secs(3_600);
const YEAR: Duration = Duration::from_secs(365 * 24 * 3_600);

/// The machine's clock, with its wall time set wrong.
#[derive(Debug, Clone, Copy)]
enum Wrong {
    Ahead(Duration),
    Behind(Duration),
}

struct WrongClock(SystemClock, Wrong);

impl Clock for WrongClock {
    fn now(&self) -> Timestamp {
        match self.1 {
            Wrong::Ahead(by) => self.0.now() + by,
            Wrong::Behind(by) => self.0.now() - by,
        }
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }
}

/// How many enrolments and recoveries there were.
fn counts(control: &Control) -> (u32, u32) {
    let state = control.state();
    (state.enrolments, state.recoveries)
}

/// A node that has joined and been off until its certificate was over.
async fn slept(control: &Control) -> Setup {
    control.state().certificate_life = Duration::from_secs(1);
    let mut setup = Setup::of(control);
    setup.start().await.stop().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    control.state().certificate_life = HOUR;
    setup.config.join_token = None;
    setup
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_slept_beyond_its_certificate_proves_its_key() {
    let control = Control::start().await;
    let setup = slept(&control).await;
    let machine_id = *control.state().machines.values().next().unwrap();
    let id = control.place(&script(SLEEPER, ""));
    let node = setup.start().await;
    assert_eq!(node.started.machine_id, machine_id);
    node.wait_for(id, InstanceState::Running).await;
    node.token(id).await;
    assert_eq!(counts(&control), (1, 1));
    let metrics = node.metrics().await;
    assert!(metrics.contains(r#"node_certificate_renewals_total{result="recovered"} 1"#), "{metrics}");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_banned_in_its_sleep_stays_out() {
    let control = Control::start().await;
    let setup = slept(&control).await;
    control.ban();
    let node = setup.start().await;
    until("the refusal", || control.state().recoveries_refused > 0).await;
    assert_eq!(counts(&control), (1, 0));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_clock_strands_no_node() {
    for wrong in [Wrong::Ahead(HOUR), Wrong::Behind(HOUR), Wrong::Ahead(YEAR), Wrong::Behind(YEAR)] {
        let control = Control::start().await;
        let mut setup = Setup::of(&control);
        setup.clock = Arc::new(WrongClock(SystemClock::new(), wrong));
        let id = control.place(&script(SLEEPER, ""));
        let node = setup.start().await;
        node.wait_for(id, InstanceState::Running).await;
        node.token(id).await;
        node.stop().await;

        let node = setup.start().await;
        node.wait_for(id, InstanceState::Running).await;
        node.token(id).await;
        // What it had was good all the time.
        assert_eq!(counts(&control), (1, 0), "{wrong:?}");
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_clock_does_not_keep_a_certificate_from_being_renewed() {
    for wrong in [Wrong::Ahead(YEAR), Wrong::Behind(YEAR)] {
        let control = Control::start().await;
        control.state().certificate_life = Duration::from_secs(6);
        let mut setup = Setup::of(&control);
        setup.clock = Arc::new(WrongClock(SystemClock::new(), wrong));
        let node = setup.start().await;
        until("a renewal", || control.state().renewals >= 1).await;
        assert_eq!(control.state().recoveries, 0, "{wrong:?}");
        node.stop().await;
    }
}
