// SPDX-License-Identifier: Apache-2.0
//! Each sink, with what an operator and a disk do to it.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use super::*;
use crate::audit::verify::stored;

#[tokio::test]
async fn the_store_has_the_same_lines_as_the_file_and_both_are_intact() {
    let bench = Bench::new().await;
    let settings = settings(&[SinkName::Store, SinkName::File(bench.log())]);
    bench.records(1, &settings, 5).await;
    bench.records(2, &settings, 300).await;
    let text = std::fs::read_to_string(bench.log()).unwrap();
    let mut lines = String::new();
    for chain in bench.store.chains().await.unwrap() {
        let mut next = 0;
        loop {
            let page = bench.store.lines(&chain.chain, next).await.unwrap();
            let Some(last) = page.last() else { break };
            next = last.seq + 1;
            lines.extend(page.iter().map(|line| format!("{}\n", line.line)));
        }
        assert_eq!(next, chain.last_seq + 1);
    }
    assert_eq!(lines, text);
    let from_store = stored(&bench.store, Verifier::new(bench.public_keys().await)).await.unwrap();
    assert!(from_store.intact && from_store.chains.len() == 2, "{from_store:?}");
    let report = bench.verify(text.as_bytes()).await;
    assert!(report.intact && report.chains.len() == 2, "{report:?}");
    // The second names the first once, though it is in both sinks.
    assert_eq!(text.matches(r#""after":[{"#).count(), 1);
}

/// Whoever may write to the database can do more than to a file.
#[tokio::test]
async fn what_is_done_to_records_in_the_store_is_found() {
    for (statement, expected) in [
        ("DELETE FROM broker_audit_lines WHERE seq = 3", "lines are missing or were moved"),
        (
            "UPDATE broker_audit_lines SET line = replace(line, '\"operator\"', '\"broker\"') WHERE seq = 3",
            "was changed",
        ),
        ("DELETE FROM broker_audit_lines WHERE seq > 3", "its end was cut off"),
        ("DELETE FROM broker_audit_chains", "not on its list"),
        ("DELETE FROM broker_audit_lines", "its end was cut off"),
    ] {
        let bench = Bench::new().await;
        bench.records(1, &settings(&[SinkName::Store]), 5).await;
        let changed = Command::new("python3")
            .args(["-c", "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute(sys.argv[2]); c.commit()"])
            .arg(bench.directory.path().join("store.db"))
            .arg(statement)
            .status();
        assert!(changed.unwrap().success());
        let report = stored(&bench.store, Verifier::new(bench.public_keys().await)).await.unwrap();
        let messages: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
        assert!(messages.iter().any(|message| message.contains(expected)), "{statement}: {messages:?}");
    }
}

#[tokio::test]
async fn a_file_is_for_its_owner_alone_and_for_one_process() {
    let bench = Bench::new().await;
    let settings = settings(&[SinkName::File(bench.log())]);
    let ports = bench.ports(1);
    let shutdown = ports.shutdown.clone();
    let audit = Audit::start(&settings, ports).await.unwrap();
    audit.record(&record(1)).await.unwrap();
    assert_eq!(std::fs::metadata(bench.log()).unwrap().permissions().mode() & 0o777, 0o600);
    let message = Audit::start(&settings, bench.ports(2)).await.unwrap_err().to_string();
    assert!(message.contains("another process writes audit records to it"), "{message}");
    stop(audit, &shutdown).await;
}

#[tokio::test]
async fn what_is_no_file_of_records_is_refused_and_left_alone() {
    let bench = Bench::new().await;
    for (content, expected) in [
        (Some("root:x:0:0\n"), "expected a file of audit records, or none"),
        (Some("no line at all"), "expected a file of audit records, or none"),
        (None, "it is a directory, expected a file"),
    ] {
        let path = bench.directory.path().join("other");
        match content {
            Some(content) => std::fs::write(&path, content).unwrap(),
            None => std::fs::create_dir(&path).unwrap(),
        }
        let refused = Audit::start(&settings(&[SinkName::File(path.clone())]), bench.ports(1)).await;
        let message = refused.unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
        match content {
            Some(content) => {
                assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
                std::fs::remove_file(&path).unwrap();
            }
            None => std::fs::remove_dir(&path).unwrap(),
        }
    }
    let path = bench.directory.path().join("nowhere").join("audit.log");
    let refused = Audit::start(&settings(&[SinkName::File(path)]), bench.ports(1)).await;
    assert!(refused.unwrap_err().to_string().contains("it does not exist"));
}

#[tokio::test]
async fn a_renamed_file_is_followed_by_a_new_one_and_both_are_one_log() {
    let bench = Bench::new().await;
    let settings = settings(&[SinkName::File(bench.log())]);
    let ports = bench.ports(1);
    let shutdown = ports.shutdown.clone();
    let audit = Audit::start(&settings, ports).await.unwrap();
    let rotated = bench.directory.path().join("audit.log.1");
    for number in 0..10 {
        if number == 5 {
            std::fs::rename(bench.log(), &rotated).unwrap();
        }
        audit.record(&record(number)).await.unwrap();
    }
    stop(audit, &shutdown).await;
    let (first, second) = (std::fs::read(rotated).unwrap(), std::fs::read(bench.log()).unwrap());
    assert!(!second.is_empty());
    let report = bench.verify(&[first, second].concat()).await;
    assert!(report.intact && report.chains.len() == 1 && report.chains[0].ended, "{report:?}");
}

#[tokio::test]
async fn a_line_that_a_killed_process_had_not_finished_is_cut_off() {
    let bench = Bench::new().await;
    let settings = settings(&[SinkName::File(bench.log())]);
    bench.records(1, &settings, 3).await;
    let whole = std::fs::read(bench.log()).unwrap();
    std::fs::write(bench.log(), [&whole[..], br#"{"chain":"0123"#].concat()).unwrap();
    bench.records(2, &settings, 3).await;
    let text = std::fs::read(bench.log()).unwrap();
    assert!(text.starts_with(&whole));
    let report = bench.verify(&text).await;
    assert!(report.intact && report.chains.len() == 2, "{report:?}");
}

/// A small file system in memory, as long as it is held.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn mount(path: &Path) -> Self {
        std::fs::create_dir(path).unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(path).status();
        assert!(mount.unwrap().success(), "tests run as root");
        Self(path.to_owned())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _gone = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test]
async fn a_full_disk_refuses_what_is_new_keeps_what_is_noted_and_loses_nothing_when_there_is_room() {
    let bench = Bench::new().await;
    let disk = SmallDisk::mount(&bench.directory.path().join("disk"));
    let (log, ballast) = (disk.0.join("audit.log"), disk.0.join("ballast"));
    let ports = bench.ports(1);
    let shutdown = ports.shutdown.clone();
    let audit = Audit::start(&settings(&[SinkName::File(log.clone())]), ports).await.unwrap();
    audit.record(&record(0)).await.unwrap();
    let _full = std::fs::write(&ballast, vec![0; 1 << 20]);

    // A page is half empty still: until it is full, records are taken.
    let mut recorded = 1;
    while audit.record(&record(recorded)).await.is_ok() {
        recorded += 1;
    }
    assert_eq!(audit.ready(), Err(crate::audit::AuditUnavailable::Failing));
    for number in 0..50 {
        audit.note(&record(1_000 + number));
    }
    std::fs::remove_file(&ballast).unwrap();
    wait_until_ready(&audit).await;
    audit.record(&record(recorded + 1)).await.unwrap();
    stop(audit, &shutdown).await;

    let text = std::fs::read(&log).unwrap();
    let report = bench.verify(&text).await;
    assert!(report.intact && report.chains[0].ended, "{report:?}");
    let text = String::from_utf8(text).unwrap();
    // What was refused has its line too: its lease was undone after it.
    for number in (0..=recorded + 1).chain(1_000..1_050) {
        assert_eq!(text.matches(&format!(r#""ttl_seconds":{number}}}"#)).count(), 1, "{number}");
    }
}

async fn wait_until_ready(audit: &Audit) {
    let ready = async {
        while audit.ready().is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), ready).await.unwrap();
}
