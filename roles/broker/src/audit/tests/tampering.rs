// SPDX-License-Identifier: Apache-2.0
//! Whatever is done to records afterwards is found.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::audit::verify::ChainReport;

/// Three starts in one file: the second was killed, the others ended well.
struct Log {
    bench: Bench,
    text: Vec<u8>,
}

impl Log {
    async fn new() -> Self {
        let bench = Bench::new().await;
        let settings = settings(&[SinkName::File(bench.log())]);
        bench.records(1, &settings, 9).await;
        killed(&bench, &settings).await;
        bench.records(3, &settings, 2).await;
        let text = std::fs::read(bench.log()).unwrap();
        Self { bench, text }
    }

    fn lines(&self) -> Vec<String> {
        std::str::from_utf8(&self.text).unwrap().lines().map(str::to_owned).collect()
    }
}

/// A start whose process ends without a word. The lock goes with its sink.
async fn killed(bench: &Bench, settings: &Settings) {
    let ports = bench.ports(2);
    let audit = Audit::start(settings, ports).await.unwrap();
    for number in 0..6 {
        audit.record(&record(number)).await.unwrap();
    }
    let before = std::fs::read(bench.log()).unwrap();
    drop(audit);
    // Its end is taken back, as if it had not come to it.
    let open = || std::fs::File::open(bench.log()).unwrap().try_lock().is_ok();
    for _ in 0..500 {
        if open() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    std::fs::write(bench.log(), before).unwrap();
}

fn joined(lines: &[String]) -> Vec<u8> {
    lines.iter().flat_map(|line| [line.as_bytes(), b"\n"].concat()).collect()
}

fn anchors(report: &Report) -> Vec<(Option<u64>, u64, bool)> {
    let of = |chain: &ChainReport| (chain.anchored_seq, chain.unanchored, chain.ended);
    report.chains.iter().map(of).collect()
}

#[tokio::test]
async fn what_was_not_touched_is_intact_and_the_next_start_vouches_for_a_killed_one() {
    let log = Log::new().await;
    let report = log.bench.verify(&log.text).await;
    assert!(report.intact, "{report:?}");
    let lasts: Vec<u64> = report.chains.iter().map(|chain| chain.head.seq).collect();
    let expected: Vec<_> = lasts.iter().zip([true, false, true]).map(|(last, ended)| (Some(*last), 0, ended)).collect();
    assert_eq!(anchors(&report), expected);

    // Without keys nothing vouches for anything, and nothing is wrong.
    let report = verify(Verifier::new(Keys::default()), &log.text);
    assert!(report.intact && report.chains.iter().all(|chain| chain.anchored_seq.is_none()));
}

#[tokio::test]
async fn every_change_of_a_single_byte_is_found() {
    let log = Log::new().await;
    let keys = log.bench.public_keys().await;
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(300) });
    let outcome = runner.run(&(0..log.text.len(), 1_u8..=255), |(at, flip)| {
        let mut text = log.text.clone();
        text[at] ^= flip;
        let report = verify(Verifier::new(keys.clone()), &text);
        prop_assert!(!report.intact, "byte {} became {}", at, text[at]);
        Ok(())
    });
    outcome.unwrap();
}

#[tokio::test]
async fn each_way_to_tamper_is_named() {
    let log = Log::new().await;
    let lines = log.lines();
    let first_of_third = lines.iter().rposition(|line| line.contains(r#""kind":"start""#)).unwrap();
    let first_of_second = lines.iter().skip(1).position(|line| line.contains(r#""kind":"start""#)).unwrap() + 1;
    type Change<'a> = Box<dyn Fn(&mut Vec<String>) + 'a>;
    let cases: Vec<(&str, Change<'_>, &str)> = vec![
        ("a line is left out", Box::new(|lines| drop(lines.remove(3))), "lines are missing or were moved"),
        ("two lines change places", Box::new(|lines| lines.swap(3, 4)), "a line is repeated or was moved"),
        (
            "a line is there twice",
            Box::new(|lines| lines.insert(4, lines[4].clone())),
            "a line is repeated or was moved",
        ),
        (
            "a record is changed",
            Box::new(|lines| lines[3] = lines[3].replace(r#""ttl_seconds":1"#, r#""ttl_seconds":7"#)),
            "line 3 of its chain was changed after it was written",
        ),
        ("nonsense is put in", Box::new(|lines| lines.insert(3, "{}".to_owned())), "expected a line of audit records"),
        (
            "an empty line is put in",
            Box::new(|lines| lines.insert(3, String::new())),
            "expected a line of audit records",
        ),
        ("the start is left out", Box::new(|lines| drop(lines.remove(0))), "expected the start of a chain"),
        (
            "the end of a killed chain is cut off",
            Box::new(|lines| drop(lines.remove(first_of_third - 1))),
            "its end was cut off",
        ),
        (
            "the last record of a killed chain is another",
            Box::new(|lines| {
                let last = &mut lines[first_of_third - 1];
                *last = last.replace(r#""operator""#, r#""broker""#);
            }),
            "was another one when a later chain began",
        ),
        (
            "a whole chain is left out",
            Box::new(|lines| drop(lines.drain(first_of_second..first_of_third))),
            "is not in what was given",
        ),
        (
            "a line follows the end",
            Box::new(|lines| {
                let last = lines[lines.len() - 1].clone();
                let head = crate::audit::verify::head(last.as_bytes()).unwrap();
                lines.push(format!(
                    r#"{{"chain":"{}","seq":{},"prev":"{}","kind":"record","at":""}}"#,
                    head.chain,
                    head.seq + 1,
                    head.hash
                ));
            }),
            "a line follows the end of its chain",
        ),
    ];
    for (name, change, expected) in cases {
        let mut changed = lines.clone();
        change(&mut changed);
        assert_ne!(changed, lines, "{name}");
        let report = log.bench.verify(&joined(&changed)).await;
        assert!(!report.intact, "{name}");
        let messages: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
        assert!(messages.iter().any(|message| message.contains(expected)), "{name}: {messages:?}");
    }
}

/// Whoever can write the records can make hashes anew, but no signature.
#[tokio::test]
async fn hashes_made_anew_are_found_by_the_signature() {
    let log = Log::new().await;
    let mut lines = log.lines();
    lines[3] = lines[3].replace(r#""ttl_seconds":1"#, r#""ttl_seconds":7"#);
    for index in 4..lines.len() {
        let before = crate::audit::verify::head(lines[index - 1].as_bytes()).unwrap();
        let line = &lines[index];
        if !line.contains(&before.chain.to_string()) || line.contains(r#""kind":"start""#) {
            break;
        }
        let prev = line.find(r#""prev":""#).unwrap() + 8;
        lines[index] = format!("{}{}{}", &line[..prev], before.hash, &line[prev + 64..]);
    }
    let report = log.bench.verify(&joined(&lines)).await;
    assert!(!report.intact);
    assert_eq!(report.findings[0].problem, Problem::BadSignature, "{:?}", report.findings);
    assert!(
        verify(Verifier::new(Keys::default()), &joined(&lines))
            .findings
            .iter()
            .any(|one| one.problem != Problem::BadSignature)
    );
}

#[tokio::test]
async fn what_no_signature_reaches_is_named() {
    let log = Log::new().await;
    let lines = log.lines();
    let first_of_third = lines.iter().rposition(|line| line.contains(r#""kind":"start""#)).unwrap();
    // As the killed chain was before the third start: whoever cuts its last record leaves nothing that tells.
    let report = log.bench.verify(&joined(&lines[..first_of_third])).await;
    assert!(report.intact);
    let killed = &report.chains[1];
    assert!(!killed.ended && killed.unanchored > 0, "{killed:?}");
    assert_eq!(killed.head.seq + 1 - killed.unanchored, killed.anchored_seq.unwrap() + 1);

    // A line that was being written is no intrusion, and is named.
    let mut text = joined(&lines[..first_of_third]);
    text.truncate(text.len() - 20);
    let report = log.bench.verify(&text).await;
    assert!(report.intact && report.chains[1].unfinished_bytes > 0, "{report:?}");
}

#[tokio::test]
async fn records_may_go_on_from_a_file_that_is_not_given_if_that_is_said() {
    let log = Log::new().await;
    let rest = joined(&log.lines()[5..]);
    assert!(!log.bench.verify(&rest).await.intact);
    let report = verify(Verifier::new(log.bench.public_keys().await).continued(), &rest);
    assert!(report.intact, "{report:?}");
    assert_eq!(report.chains[0].first_seq, 5);
}
