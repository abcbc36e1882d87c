// SPDX-License-Identifier: Apache-2.0
//! Nothing outlives its agent, its supervisor, or its own stop.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use cress_driver::{Driver, DriverErrorKind, Exit};
use cress_driver_process::{Network, ProcessDriver};
use nix::sys::signal::Signal;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::bench::{Bench, HELPER, Token, config, is_alive, kill, launch, parent, status, wait_until, within};

/// Seven processes, each further away from its parent: the command, one in its group, one that ignores SIGTERM, one in a
/// session of its own, a double fork out of it, one without any environment, and one whose parents have all ended.
const FAMILY: &str = "sleep TOKEN & (trap '' TERM; exec sleep TOKEN) & setsid sleep TOKEN & \
    (setsid sh -c 'sleep TOKEN & exit' &) ; env -i /usr/bin/setsid /bin/sh -c 'sleep TOKEN & sleep TOKEN & exit' & exec sleep TOKEN";
const FAMILY_COUNT: usize = 7;

async fn agent(directory: &Path, script: &str) -> Child {
    let agent = Command::new(HELPER).arg("agent").arg(directory).arg(script).stdout(Stdio::piped()).spawn();
    let mut agent = agent.unwrap();
    let mut lines = BufReader::new(agent.stdout.take().unwrap()).lines();
    assert_eq!(within(lines.next_line()).await.unwrap().unwrap(), "started");
    agent
}

#[tokio::test]
async fn a_stop_reaches_every_descendant() {
    let bench = Bench::new(Network::Host);
    let (id, running, token) = bench.start_marked(FAMILY).await;
    let (_, _other_running, other) = bench.start_marked(FAMILY).await;
    token.wait_for_sleepers(FAMILY_COUNT).await;
    other.wait_for_sleepers(FAMILY_COUNT).await;
    within(bench.driver.stop(id, Duration::from_millis(300))).await.unwrap();
    assert_eq!(token.sleepers(), [0; 0]);
    assert_eq!(running.await, Exit::Signal(15));
    assert_eq!(other.sleepers().len(), FAMILY_COUNT, "another instance was disturbed");
    within(bench.driver.shutdown()).await;
    assert_eq!(other.sleepers(), [0; 0]);
}

#[tokio::test]
async fn a_stop_ends_while_another_instance_makes_orphans() {
    let bench = Bench::new(Network::Host);
    let (_, _other_running, _) = bench.start_marked("while :; do (sleep 0.01 &); done").await;
    for _ in 0..5 {
        let (id, running, token) = bench.start_marked("sleep TOKEN & exec sleep TOKEN").await;
        token.wait_for_sleepers(2).await;
        within(bench.driver.stop(id, Duration::from_secs(600))).await.unwrap();
        assert_eq!(running.await, Exit::Signal(15));
        assert_eq!(token.sleepers(), [0; 0]);
    }
    within(bench.driver.shutdown()).await;
}

#[tokio::test]
async fn the_end_of_a_command_ends_every_descendant() {
    let bench = Bench::new(Network::Host);
    let script = FAMILY.replace("exec sleep TOKEN", "exit 9");
    let (_, running, token) = bench.start_marked(&script).await;
    assert_eq!(within(running).await, Exit::Code(9));
    assert_eq!(token.sleepers(), [0; 0]);
}

#[tokio::test]
async fn a_killed_agent_takes_its_instances_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let token = Token::new();
    let ended = directory.path().join("ended");
    let script = format!("trap 'sleep 0.1; touch {}; exit' TERM; {} & wait", ended.display(), FAMILY);
    let mut agent = agent(&directory.path().join("driver"), &token.put_into(&script)).await;
    let sleepers = token.wait_for_sleepers(FAMILY_COUNT).await;
    let supervisor = sleepers.iter().map(|process| parent(*process)).min().unwrap();
    assert_eq!(parent(supervisor), agent.id().unwrap() as i32);
    agent.start_kill().unwrap();
    agent.wait().await.unwrap();
    wait_until("the end of all instances", || token.sleepers().is_empty()).await;
    wait_until("the end of the supervisor", || !is_alive(supervisor)).await;
    assert!(ended.exists(), "the instance was not asked to end first");
}

#[tokio::test]
async fn a_killed_supervisor_takes_its_instances_with_it() {
    let bench = Bench::new(Network::Host);
    let (id, running, token) = bench.start_marked(FAMILY).await;
    let sleepers = token.wait_for_sleepers(FAMILY_COUNT).await;
    let supervisor = sleepers.iter().map(|process| parent(*process)).min().unwrap();
    assert_eq!(parent(supervisor), std::process::id() as i32);
    let stop = bench.driver.stop(id, Duration::from_secs(600));
    let killed = async { kill(supervisor, Signal::SIGKILL) };
    let (stopped, ()) = within(async { tokio::join!(stop, killed) }).await;
    stopped.unwrap();
    assert_eq!(within(running).await, Exit::Lost);
    assert_eq!(token.sleepers(), [0; 0]);

    let running = within(bench.driver.start(id, launch(&["sh", "-c", "exit 3"]))).await.unwrap();
    assert_eq!(within(running).await, Exit::Code(3), "there is no new supervisor");
}

#[tokio::test]
async fn what_outlives_agent_and_supervisor_ends_at_the_next_start() {
    let directory = tempfile::tempdir().unwrap();
    let token = Token::new();
    let driver_directory = directory.path().join("driver");
    let mut agent = agent(&driver_directory, &token.put_into(FAMILY)).await;
    let sleepers = token.wait_for_sleepers(FAMILY_COUNT).await;
    let supervisor = sleepers.iter().map(|process| parent(*process)).min().unwrap();
    // Stopped, the agent cannot do anything about the death of its supervisor.
    kill(agent.id().unwrap() as i32, Signal::SIGSTOP);
    kill(supervisor, Signal::SIGKILL);
    agent.start_kill().unwrap();
    agent.wait().await.unwrap();
    assert_eq!(token.sleepers().len(), FAMILY_COUNT);

    let driver = ProcessDriver::new(config(driver_directory));
    assert!(within(driver.adopt()).await.unwrap().is_empty());
    assert_eq!(token.sleepers(), [0; 0]);
    within(driver.shutdown()).await;
}

#[tokio::test]
async fn a_supervisor_that_is_told_to_end_ends_its_instances_first() {
    let bench = Bench::new(Network::Host);
    let (id, running, token) = bench.start_marked("exec sleep TOKEN").await;
    let sleepers = token.wait_for_sleepers(1).await;
    kill(parent(sleepers[0]), Signal::SIGTERM);
    assert_eq!(within(running).await, Exit::Signal(15));
    within(bench.driver.stop(id, Duration::ZERO)).await.unwrap();
    let again = async {
        loop {
            match bench.driver.start(id, launch(&["sh", "-c", "exit 3"])).await {
                Err(error) if error.kind() == DriverErrorKind::Temporary => {}
                other => return other.unwrap().await,
            }
        }
    };
    assert_eq!(within(again).await, Exit::Code(3));
}

#[tokio::test]
async fn a_dropped_driver_ends_its_instances() {
    let bench = Bench::new(Network::Host);
    let (_, running, token) = bench.start_marked(FAMILY).await;
    token.wait_for_sleepers(FAMILY_COUNT).await;
    drop(bench.driver);
    assert_eq!(within(running).await, Exit::Signal(15));
    wait_until("the end of all instances", || token.sleepers().is_empty()).await;
}

#[tokio::test]
async fn a_driver_that_was_shut_down_starts_nothing() {
    let bench = Bench::new(Network::Host);
    let id = bench.instance().await;
    let running = bench.start(id, &["sh", "-c", "trap 'exit 4' TERM; while :; do sleep 0.02; done"]).await;
    within(bench.driver.shutdown()).await;
    within(bench.driver.shutdown()).await;
    let end = within(running).await;
    assert!(matches!(end, Exit::Code(4) | Exit::Signal(15)), "{end:?}");
    let refused = bench.driver.start(id, launch(&["true"])).await.unwrap_err();
    assert_eq!(refused.kind(), DriverErrorKind::Permanent);
    assert!(refused.to_string().contains("shut down"), "{refused}");
    within(bench.driver.stop(id, Duration::ZERO)).await.unwrap();
}

#[tokio::test]
async fn a_timed_out_command_takes_its_children_with_it() {
    let bench = Bench::new(Network::Host);
    let (id, _running, token) = bench.start_marked("exec sleep TOKEN").await;
    let slow = Token::new();
    let script = slow.put_into("trap '' TERM; sleep TOKEN & setsid sleep TOKEN & wait");
    let command = ["sh", "-c", &script].map(str::to_owned).to_vec();
    // Long enough for both to be there when it is over: the command lasts until it is killed.
    let exec = bench.driver.exec(id, command, Duration::from_millis(1_500));
    let (outcome, sleepers) = within(async { tokio::join!(exec, slow.wait_for_sleepers(2)) }).await;
    assert_eq!(sleepers.len(), 2);
    assert_eq!(outcome.unwrap(), cress_driver::ExecOutcome::TimedOut);
    wait_until("the end of the command's children", || slow.sleepers().is_empty()).await;
    assert_eq!(token.sleepers().len(), 1);
}

#[tokio::test]
async fn the_supervisor_is_small_and_knows_no_secret() {
    let bench = Bench::new(Network::Host);
    let (_, _running, token) = bench.start_marked("exec sleep TOKEN").await;
    let supervisor = parent(token.wait_for_sleepers(1).await[0]);
    assert_eq!(std::fs::read(format!("/proc/{supervisor}/environ")).unwrap(), b"");
    assert_eq!(status(supervisor, "Threads"), "1");
}
