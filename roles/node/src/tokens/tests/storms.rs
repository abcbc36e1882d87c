// SPDX-License-Identifier: Apache-2.0
//! Everything at once, at random: whatever happens, what is served is good, and when it is over all is well again.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::control::Link;
use super::rig::{Rig, audience, definition, pass, seconds, with_claim};
use crate::imds::TokenAnswer;
use crate::tokens::{InstanceIdentity, InstanceTokens, Refusal};

const INSTANCES: usize = 3;

#[derive(Debug, Clone)]
enum Event {
    Pass { milliseconds: u64 },
    Link(Link),
    LinkIsBack,
    Suspend { seconds: u64 },
    Restart { instance: usize },
    Change { instance: usize },
    Replace { instance: usize },
    Forbid { instance: usize },
    Allow { instance: usize },
    SwapResults,
    RefuseAll,
    BeHonest,
    AddKey,
    SendKeys,
}

fn event() -> impl Strategy<Value = Event> {
    let instance = || 0..INSTANCES;
    prop_oneof![
        8 => (0_u64..120_000).prop_map(|milliseconds| Event::Pass { milliseconds }),
        1 => Just(Event::Link(Link::Up)),
        1 => Just(Event::Link(Link::Down)),
        1 => Just(Event::Link(Link::Silent)),
        2 => Just(Event::LinkIsBack),
        1 => (1_u64..600).prop_map(|seconds| Event::Suspend { seconds }),
        1 => instance().prop_map(|instance| Event::Restart { instance }),
        1 => instance().prop_map(|instance| Event::Change { instance }),
        1 => instance().prop_map(|instance| Event::Replace { instance }),
        1 => instance().prop_map(|instance| Event::Forbid { instance }),
        1 => instance().prop_map(|instance| Event::Allow { instance }),
        1 => Just(Event::SwapResults),
        1 => Just(Event::RefuseAll),
        2 => Just(Event::BeHonest),
        1 => Just(Event::AddKey),
        1 => Just(Event::SendKeys),
    ]
}

struct Storm {
    rig: Rig,
    instances: Vec<(InstanceIdentity, InstanceTokens)>,
    keys: usize,
    changes: usize,
}

impl Storm {
    async fn apply(&mut self, event: Event) {
        let control = &self.rig.control;
        match event {
            Event::Pass { milliseconds } => pass(Duration::from_millis(milliseconds)).await,
            Event::Link(link) => control.set_link(link),
            Event::LinkIsBack => {
                control.set_link(Link::Up);
                self.rig.cache.wake();
            }
            Event::Suspend { seconds } => self.rig.clock.suspend(Duration::from_secs(seconds)),
            Event::Restart { instance } => self.instances[instance].1.start_over(),
            Event::Change { instance } => {
                self.changes += 1;
                self.instances[instance].1.update(&with_claim(&["reports"], self.changes));
            }
            Event::Replace { instance } => {
                let (identity, _) = std::mem::replace(&mut self.instances[instance], self.rig.open(&["reports"]));
                control.unplace(identity.instance_id);
            }
            Event::Forbid { instance } => self.instances[instance].1.update(&definition(&[])),
            Event::Allow { instance } => self.instances[instance].1.update(&definition(&["reports"])),
            Event::SwapResults => control.tamper(|_, _, results| results.reverse()),
            Event::RefuseAll => control.tamper(|_, _, results| {
                results.iter_mut().for_each(|result| *result = Err(Refusal::NotPlaced));
            }),
            Event::BeHonest => control.be_honest(),
            Event::AddKey => {
                self.keys += 1;
                control.issuer.lock().unwrap().add_key(&format!("storm-{}", self.keys));
            }
            Event::SendKeys => self.rig.send_keys(),
        }
    }

    /// Whatever is served is this instance's, for this audience, and good. Says whether all default tokens are there.
    fn check(&self) -> bool {
        let reports = audience("reports");
        let served = self.instances.iter().filter(|(identity, tokens)| {
            let organization = identity.organization_id.into();
            for (asked, expected) in [(None, &organization), (Some(&reports), &reports)] {
                let answer = tokens.token(asked);
                if matches!(answer, TokenAnswer::Ready(_)) {
                    let claims = self.rig.verified(&answer, expected);
                    assert_eq!(claims.workload().unwrap().instance_id, Some(identity.instance_id));
                }
                assert!(!matches!(answer, TokenAnswer::InstanceUnknown), "{answer:?}");
            }
            tokens.is_ready()
        });
        served.count() == INSTANCES
    }
}

async fn weather(events: Vec<Event>) {
    let rig = Rig::start();
    let instances = (0..INSTANCES).map(|_| rig.open(&["reports"])).collect();
    let mut storm = Storm { rig, instances, keys: 0, changes: 0 };
    for event in events {
        storm.apply(event).await;
        storm.check();
    }
    storm.rig.control.be_honest();
    storm.rig.send_keys();
    storm.rig.control.set_link(Link::Up);
    // Nobody says that the link is back: a call that is under way has 10 s, the next try comes within 5.
    seconds(16).await;
    assert!(storm.check(), "an instance is without its token after the storm");
    for _ in 0..40 {
        seconds(10).await;
        assert!(storm.check(), "an instance is without its token long after the storm");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 200, ..ProptestConfig::default() })]
    #[test]
    fn what_is_served_is_good_and_all_is_well_after_the_storm(events in vec(event(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(weather(events));
    }
}
