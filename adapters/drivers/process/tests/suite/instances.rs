// SPDX-License-Identifier: Apache-2.0
//! What an instance sees, and what is seen of it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use cress_domain::InstanceId;
use cress_driver::{Driver, DriverErrorKind, Exit, Launch, Sandbox};
use cress_driver_process::{Network, ProcessDriver, SupervisorCommand};

use crate::bench::{Bench, config, parent, status, within};
use crate::random::Urandom;

#[tokio::test]
async fn a_signal_is_told_by_its_number() {
    let bench = Bench::new(Network::Host);
    let id = bench.instance().await;
    for signal in [1, 9, 15, 34, 40, 64] {
        let running = bench.start(id, &["sh", "-c", &format!("kill -{signal} $$; sleep 1000")]).await;
        assert_eq!(within(running).await, Exit::Signal(signal));
    }
}

#[tokio::test]
async fn the_environment_is_the_given_one_and_a_minimum() {
    let bench = Bench::new(Network::Host);
    let id = bench.instance().await;
    let given =
        BTreeMap::from([("SALAD_INSTANCE_ID".to_owned(), "x".to_owned()), ("LANG".to_owned(), "de".to_owned())]);
    let running = bench.driver.start(id, Launch::new(vec!["env".to_owned()], given, Duration::ZERO)).await.unwrap();
    assert_eq!(within(running).await, Exit::Code(0));
    let log = bench.log(id);
    let mut names: Vec<&str> = log.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    names.retain(|name| *name != "TZ");
    names.sort_unstable();
    assert_eq!(names, ["HOME", "LANG", "PATH", "SALAD_INSTANCE_ID"]);
    assert!(log.contains("LANG=de\n"));
    assert!(std::env::vars_os().count() > names.len() + 1, "the agent has nothing to leak");
}

#[tokio::test]
async fn nothing_of_the_supervisor_is_inherited() {
    let bench = Bench::new(Network::Host);
    let id = bench.instance().await;
    let script = "read line && exit 9; ls /proc/self/fd; grep -E '^Sig(Blk|Ign)' /proc/self/status; ulimit -n; \
        test \"$(cut -d' ' -f1,5 /proc/$$/stat)\" = \"$$ $$\" || exit 8";
    let running = bench.start(id, &["sh", "-c", script]).await;
    assert_eq!(within(running).await, Exit::Code(0));
    let log = bench.log(id);
    let mut lines = log.lines();
    // 3 is the directory that ls reads.
    assert_eq!(lines.by_ref().take(4).collect::<Vec<_>>(), ["0", "1", "2", "3"], "{log}");
    assert_eq!(lines.next().unwrap(), format!("SigBlk:\t{}", "0".repeat(16)));
    // Every Rust program ignores SIGPIPE; shells' pipelines rely on it.
    let ignored = u64::from_str_radix(lines.next().unwrap().strip_prefix("SigIgn:\t").unwrap(), 16).unwrap();
    assert_eq!(ignored & (1 << 12), 0);
    let (soft, _) = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).unwrap();
    assert_eq!(lines.next().unwrap(), soft.to_string());
}

#[tokio::test]
async fn the_output_is_bounded_and_private() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = config(directory.path().join("driver"));
    config.log_bytes_max = 100_000;
    let driver = ProcessDriver::new(config);
    let id = InstanceId::generate(&Urandom);
    driver.prepare(id).await.unwrap();
    let script = "seq 200000; echo the last line >&2";
    let command = ["sh", "-c", script].map(str::to_owned).to_vec();
    let running = driver.start(id, Launch::new(command, BTreeMap::new(), Duration::ZERO)).await.unwrap();
    assert_eq!(within(running).await, Exit::Code(0));
    let path = driver.log_file(id);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.ends_with("200000\nthe last line\n"));
    let old = fs::metadata(path.with_extension("log.1")).unwrap();
    assert!(text.len() as u64 + old.len() <= 100_000);
    assert!(old.len() > 40_000, "{}", old.len());
    for (path, mode) in [(path.as_path(), 0o600), (path.parent().unwrap(), 0o700)] {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, mode);
    }
    within(driver.release(id)).await.unwrap();
    assert!(path.exists(), "the log of an ended instance is gone");
}

#[tokio::test]
async fn a_program_that_cannot_start_is_explained() {
    let bench = Bench::new(Network::Host);
    let id = bench.instance().await;
    let script = bench.directory.path().join("script");
    fs::write(&script, "exit 0\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    for (program, expected) in [
        ("no-such-program", "expected a program named \"no-such-program\" in PATH"),
        ("./no-such-program", "a relative path starts at the agent's working directory"),
        ("/etc/passwd", "Permission denied"),
        (script.to_str().unwrap(), "a script whose first line is #!"),
    ] {
        let error = bench.driver.start(id, crate::bench::launch(&[program])).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(error.kind(), DriverErrorKind::Permanent);
    }
    let huge = "a".repeat(9 << 20);
    let error = bench.driver.start(id, crate::bench::launch(&["true", &huge])).await.unwrap_err();
    assert!(error.to_string().contains("at most 8388608 bytes"), "{error}");
    let large = "a".repeat(1 << 20);
    let error = bench.driver.start(id, crate::bench::launch(&["true", &large])).await.unwrap_err();
    assert!(error.to_string().contains("Argument list too long"), "{error}");
    let running = bench.start(id, &["true"]).await;
    assert_eq!(within(running).await, Exit::Code(0));
}

#[tokio::test]
async fn a_wrong_supervisor_is_explained() {
    for (program, expected) in [
        ("/no/such/file", "cannot start the process supervisor /no/such/file"),
        ("/bin/true", "expected the process supervisor's greeting from /bin/true"),
        ("/bin/echo", "got \"supervise\\n\""),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let mut config = config(directory.path().to_owned());
        config.supervisor = SupervisorCommand { program: program.into(), arguments: vec!["supervise".to_owned()] };
        let error = within(ProcessDriver::new(config).adopt()).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    let error = within(ProcessDriver::new(config("/proc/none".into())).adopt()).await.unwrap_err();
    assert!(error.to_string().contains("cannot make the directory /proc/none"), "{error}");
}

#[tokio::test]
async fn hundreds_of_instances_are_no_burden() {
    let bench = Bench::new(Network::Host);
    let mut runs = Vec::new();
    for _ in 0..500 {
        let id = bench.instance().await;
        runs.push((id, bench.start(id, &["sleep", "1000"]).await));
    }
    let command = ["sh", "-c", "exit $PPID"].map(str::to_owned).to_vec();
    within(bench.driver.exec(runs[499].0, command, Duration::from_secs(10))).await.unwrap();
    let supervisor = supervisor();
    println!("supervisor of 500 instances: {} resident", status(supervisor, "VmRSS"));
    within(bench.driver.shutdown()).await;
    for (_, running) in runs {
        assert_eq!(within(running).await, Exit::Signal(15));
    }
}

/// The child of this process with the most children.
fn supervisor() -> i32 {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let processes: Vec<i32> = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    let own = std::process::id() as i32;
    let parent = |process: i32| std::panic::catch_unwind(|| parent(process)).unwrap_or(0);
    let parents: Vec<i32> = processes.iter().map(|process| parent(*process)).collect();
    let children = |process: i32| parents.iter().filter(|parent| **parent == process).count();
    let supervisors = processes.iter().zip(&parents).filter(|(_, parent)| **parent == own);
    supervisors.map(|(process, _)| *process).max_by_key(|process| children(*process)).unwrap()
}

#[tokio::test]
async fn the_notice_says_what_is_not_isolated() {
    let host = Bench::new(Network::Host);
    assert_eq!(host.driver.name(), "process");
    assert!(host.driver.isolation_notice().contains("isolates nothing"));
    let id = InstanceId::generate(&Urandom);
    assert_eq!(host.driver.prepare(id).await.unwrap(), Sandbox::LoopbackPort);
    let namespace = Bench::new(Network::Namespace);
    assert!(namespace.driver.isolation_notice().contains("isolates the network only"));
}
