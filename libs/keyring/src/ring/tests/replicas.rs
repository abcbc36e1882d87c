// SPDX-License-Identifier: Apache-2.0
//! Several replicas on one real database.

use proptest::prelude::*;
use tokio::runtime::Builder;
use tokio::task::JoinSet;

use super::*;

const REPLICAS: usize = 4;

async fn replicas(site: &Site) -> Vec<KeyRing> {
    let mut opening = JoinSet::new();
    for _ in 0..REPLICAS {
        let (store, clock) = (store_elsewhere(&site.directory).await, Arc::clone(&site.clock));
        opening.spawn(async move { KeyRing::open(store, keys(&["one"]), Settings::workload(), clock as _).await });
    }
    opening.join_all().await.into_iter().map(Result::unwrap).collect()
}

async fn all_advance(rings: &[KeyRing]) {
    let mut advancing = JoinSet::new();
    for ring in rings {
        let ring = ring.clone();
        advancing.spawn(async move { ring.advance().await });
    }
    advancing.join_all().await.into_iter().for_each(Result::unwrap);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_first_starts_and_switches_happen_once() {
    let site = Site::new().await;
    let rings = replicas(&site).await;
    for week in 0..6_usize {
        all_advance(&rings).await;
        let kids = published(&rings[0]);
        assert!(rings.iter().all(|ring| published(ring) == kids && site.signing(ring) == site.signing(&rings[0])));
        let keys = rings[0].list().await.unwrap();
        assert_eq!(keys.len(), 2 + week, "one birth for each switch");
        assert_eq!(keys.iter().filter(|key| key.state == KeyState::Next).count(), 1);
        site.clock.advance(WEEK + MINUTE);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_revocations_of_one_key_revoke_one_key() {
    let site = Site::new().await;
    let rings = replicas(&site).await;
    let kid = site.signing(&rings[0]).unwrap();
    let mut revoking = JoinSet::new();
    for ring in &rings {
        let (ring, kid) = (ring.clone(), kid.clone());
        revoking.spawn(async move { ring.revoke(&kid).await });
    }
    let signing: Vec<_> = revoking.join_all().await.into_iter().map(Result::unwrap).collect();
    assert!(signing.iter().all(|kid| *kid == signing[0]));
    assert_eq!(states(&rings[0]).await, [KeyState::Revoked, KeyState::Active, KeyState::Next]);
}

/// What the simulation of the schedule does, over the real store with real signatures: fewer steps, the same promise.
#[derive(Debug, Clone, Copy)]
enum Step {
    Wait(Duration),
    Advance(usize),
    AllAdvance,
    Restart(usize),
    Sign(usize),
    Fetch(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let hours = |hours| Duration::from_secs(3_600 * hours);
    prop_oneof![
        2 => (1..3_600_u64).prop_map(|seconds| Step::Wait(Duration::from_secs(seconds))),
        3 => (1..72_u64).prop_map(move |count| Step::Wait(hours(count))),
        1 => (24..900_u64).prop_map(move |count| Step::Wait(hours(count))),
        2 => (0..REPLICAS).prop_map(Step::Advance),
        3 => Just(Step::AllAdvance),
        1 => (0..REPLICAS).prop_map(Step::Restart),
        4 => (0..REPLICAS).prop_map(Step::Sign),
        4 => (0..REPLICAS).prop_map(Step::Fetch),
    ]
}

async fn live_through(steps: Vec<Step>) {
    const COPY_AGE_MAX: Duration = Duration::from_secs(6 * 24 * 60 * 60);
    let site = Site::new().await;
    let mut rings = replicas(&site).await;
    let (mut tokens, mut copies) = (Vec::new(), Vec::new());
    for step in steps {
        let now = site.clock.now();
        match step {
            Step::Wait(duration) => site.clock.advance(duration),
            Step::Advance(replica) => rings[replica].advance().await.unwrap(),
            Step::AllAdvance => all_advance(&rings).await,
            Step::Restart(replica) => rings[replica] = site.open().await,
            Step::Sign(replica) => {
                if let Some(key) = rings[replica].current().signing_key(now) {
                    tokens.push((key.sign(b"{}").unwrap(), now + HOUR));
                }
            }
            Step::Fetch(replica) => {
                let view = rings[replica].current();
                if view.is_fresh(now) {
                    copies.push((view.body.clone(), now));
                }
            }
        }
        let now = site.clock.now();
        tokens.retain(|(_, good_until)| now < *good_until);
        copies.retain(|(_, fetched_at)| now.saturating_since(*fetched_at) <= COPY_AGE_MAX);
        for (token, _) in &tokens {
            assert!(copies.iter().all(|(body, _)| verifies(token, body)), "a good token is refused at {now}");
        }
    }
    let keys = rings[0].list().await.unwrap();
    for pair in keys.windows(2) {
        assert!(pair[1].signs_from.saturating_since(pair[1].created_at) >= WEEK);
        assert!(pair[1].signs_from.saturating_since(pair[0].signs_from) >= WEEK);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, max_shrink_iters: 64, ..ProptestConfig::with_cases(16) })]

    #[test]
    fn no_good_token_is_refused(steps in prop::collection::vec(step(), 1..60)) {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(live_through(steps));
    }
}
