// SPDX-License-Identifier: Apache-2.0
//! Sinks that are stuck or fail: nobody waits for ever, and nothing has a gap afterwards.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use super::*;
use crate::audit::chain::Line;
use crate::audit::sink::{Sink, SinkError};
use crate::audit::start::begin;
use crate::audit::{AuditUnavailable, HashKey};

/// How a sink behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Well,
    Failing,
    Stuck,
}

/// A sink that does as it is told.
#[derive(Debug)]
struct Moody {
    mood: watch::Receiver<Mood>,
    text: Arc<Mutex<Vec<u8>>>,
}

#[async_trait]
impl Sink for Moody {
    fn name(&self) -> &str {
        "a moody sink"
    }

    async fn append(&mut self, lines: &Arc<[Line]>) -> Result<(), SinkError> {
        self.mood.wait_for(|mood| *mood != Mood::Stuck).await.unwrap();
        if *self.mood.borrow() == Mood::Failing {
            return Err(SinkError("it is in a mood".to_owned()));
        }
        let mut text = self.text.lock().unwrap();
        for line in lines.iter() {
            text.extend_from_slice(line.text.as_bytes());
            text.push(b'\n');
        }
        Ok(())
    }
}

/// Recording into two sinks.
struct Two {
    bench: Bench,
    audit: Audit,
    shutdown: Shutdown,
    moods: [watch::Sender<Mood>; 2],
    texts: [Arc<Mutex<Vec<u8>>>; 2],
}

impl Two {
    async fn new() -> Self {
        let bench = Bench::new().await;
        let ports = bench.ports(1);
        let keys = AuditKeys::open(&bench.store, &bench.keys, &SystemRandom, &SystemClock::new()).await.unwrap();
        let moods = [watch::channel(Mood::Well).0, watch::channel(Mood::Well).0];
        let texts = [Arc::default(), Arc::default()];
        let sink = |index: usize| -> Box<dyn Sink> {
            Box::new(Moody { mood: moods[index].subscribe(), text: Arc::clone(&texts[index]) })
        };
        let settings = Settings { wait_milliseconds: 100, checkpoint_records: 4, ..Settings::default() };
        let shutdown = ports.shutdown.clone();
        let audit = begin(&settings, &ports, &keys, vec![sink(0), sink(1)], &[]);
        Self { bench, audit, shutdown, moods, texts }
    }

    fn set(&self, index: usize, mood: Mood) {
        self.moods[index].send_replace(mood);
    }

    async fn ready(&self) {
        let ready = async {
            while self.audit.ready().is_err() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), ready).await.unwrap();
    }

    /// Stops, and gives what both sinks have, which is the same and intact.
    async fn finish(self) -> String {
        let Self { bench, audit, shutdown, texts, .. } = self;
        stop(audit, &shutdown).await;
        let [one, other] = texts.map(|text| text.lock().unwrap().clone());
        assert_eq!(one, other);
        let report = bench.verify(&one).await;
        assert!(report.intact && report.chains[0].ended, "{report:?}");
        String::from_utf8(one).unwrap()
    }
}

#[tokio::test]
async fn one_sink_that_fails_refuses_what_is_new_at_once_and_is_written_again_by_itself() {
    let two = Two::new().await;
    two.audit.record(&record(1)).await.unwrap();
    two.set(1, Mood::Failing);
    assert_eq!(two.audit.record(&record(2)).await, Err(AuditUnavailable::Failing));
    assert_eq!(two.audit.record(&record(3)).await, Err(AuditUnavailable::Failing));
    two.audit.note(&record(4));
    two.set(1, Mood::Well);
    two.ready().await;
    two.audit.record(&record(5)).await.unwrap();
    let text = two.finish().await;
    // The third was refused before it was taken: nothing was given out for it.
    let found = |number: u32| text.contains(&format!(r#""ttl_seconds":{number}}}"#));
    assert_eq!([1, 2, 3, 4, 5].map(found), [true, true, false, true, true]);
}

#[tokio::test]
async fn a_stuck_sink_is_waited_for_no_longer_than_is_set() {
    let two = Two::new().await;
    two.set(0, Mood::Stuck);
    let refused = two.audit.record(&record(1)).await.unwrap_err();
    assert!(matches!(refused, AuditUnavailable::TooSlow(_) | AuditUnavailable::Failing), "{refused:?}");
    for number in 2..50 {
        two.audit.note(&record(number));
    }
    two.set(0, Mood::Well);
    two.ready().await;
    let text = two.finish().await;
    assert_eq!(text.matches(r#""kind":"record""#).count(), 49);
}

#[tokio::test]
async fn what_finds_the_backlog_full_is_counted_in_the_records() {
    let two = Two::new().await;
    two.audit.record(&record(1)).await.unwrap();
    two.set(0, Mood::Stuck);
    for _ in 0..crate::audit::queue::BACKLOG_MAX + crate::audit::queue::BATCH_RECORDS_MAX + 10 {
        two.audit.note(&record(2));
    }
    assert!(two.audit.ready().is_err());
    two.set(0, Mood::Well);
    two.ready().await;
    let Two { bench, audit, shutdown, texts, .. } = two;
    stop(audit, &shutdown).await;
    let text = texts[0].lock().unwrap().clone();
    let report = bench.verify(&text).await;
    assert!(report.intact && report.chains[0].lost > 0, "{:?}", report.findings);
    let kept = String::from_utf8(text).unwrap().matches(r#""ttl_seconds":2}"#).count() as u64;
    let noted = crate::audit::queue::BACKLOG_MAX + crate::audit::queue::BATCH_RECORDS_MAX + 10;
    assert_eq!(kept + report.chains[0].lost, noted as u64);
}

#[tokio::test]
async fn few_records_are_signed_after_a_while_too() {
    let bench = Bench::new().await;
    let ports = bench.ports(1);
    let keys = AuditKeys::open(&bench.store, &bench.keys, &SystemRandom, &SystemClock::new()).await.unwrap();
    let text = Arc::new(Mutex::new(Vec::new()));
    let (mood, receiver) = watch::channel(Mood::Well);
    let settings = Settings { checkpoint_seconds: 1, ..Settings::default() };
    let sink: Box<dyn Sink> = Box::new(Moody { mood: receiver, text: Arc::clone(&text) });
    let shutdown = ports.shutdown.clone();
    let audit = begin(&settings, &ports, &keys, vec![sink], &[]);
    audit.record(&record(1)).await.unwrap();
    let signed = || String::from_utf8(text.lock().unwrap().clone()).unwrap().matches("signature").count() == 2;
    let wait = async {
        while !signed() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait).await.unwrap();
    stop(audit, &shutdown).await;
    drop(mood);
}

/// Nothing of what is recorded can be turned back into a secret.
#[tokio::test]
async fn no_secret_stands_in_a_record() {
    let two = Two::new().await;
    let token = "eyJhbGciOiJFUzI1NiJ9.e30.c2ln";
    let hash = two.audit.hash(Hashed::Token, token.as_bytes());
    let who = Who::Unverified { token: Some(hash) };
    let secrets = [("password".to_owned(), two.audit.hash(Hashed::Secret, b"hunter2hunter2"))].into();
    let what = What { secrets, ..What::default() };
    two.audit.record(&Record::done(Timestamp::from_unix_seconds(0), Event::Issue, who, what)).await.unwrap();
    let text = two.finish().await;
    assert!(text.contains(&hash.to_string()));
    let other = HashKey::new(&vec![0; 32].into()).hash(Hashed::Secret, b"hunter2hunter2");
    for secret in [token, "hunter2hunter2", &other.to_string()] {
        assert!(!text.contains(secret));
    }
}
