// SPDX-License-Identifier: Apache-2.0
//! How an instance lives: it is run again, or not, and keeps what it must.

use std::sync::Arc;

use cress_driver::DriverErrorKind;
use cress_node::InstanceState;

use crate::control::Control;
use crate::faulty::Faulty;
use crate::node::{SLEEPER, Setup, lines, script, until};

#[tokio::test(flavor = "multi_thread")]
async fn an_application_can_have_itself_restarted() {
    let control = Control::start().await;
    let setup = Setup::of(&control);
    let node = setup.start().await;
    let out = setup.path("out");
    let note = format!("echo $SALAD_INSTANCE_ID $CRESS_IMDS_URL >>{}; {SLEEPER}", out.display());
    let id = control.place(&script(&note, ""));
    node.wait_for(id, InstanceState::Running).await;
    lines(&out, 1).await;
    let before = node.token(id).await;
    node.imds(id).restart().await.unwrap();
    let runs = lines(&out, 2).await;
    assert_eq!(runs[0], runs[1], "the instance is another one, or its metadata service is elsewhere");
    until("the report", || control.report(id).is_some_and(|report| report.restarts == 1 && report.ready)).await;
    assert_ne!(node.token(id).await, before, "the new run sees the old one's token");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_restart_policy_is_kept_also_over_a_restart_of_the_agent() {
    let control = Control::start().await;
    let setup = Setup::of(&control);
    let node = setup.start().await;
    let out = |name: &str| setup.path(name);
    let place = |name: &str, policy: &str, exit: u8| {
        let note = format!("echo run >>{}; exit {exit}", setup.path(name).display());
        control.place(&script(&note, &format!(r#","restart_policy":"{policy}""#)))
    };
    let always = place("always", "always", 0);
    let job = place("job", "on_failure", 0);
    let retried = place("retried", "on_failure", 3);
    let once = place("once", "never", 3);
    for (id, state, detail) in
        [(job, InstanceState::Succeeded, "exit code 0"), (once, InstanceState::Failed, "exit code 3")]
    {
        node.wait_for(id, state).await;
        until("its report", || control.report(id).is_some_and(|report| report.detail.contains(detail))).await;
    }
    // The first time at once, the second after a while.
    lines(&out("always"), 2).await;
    lines(&out("retried"), 2).await;
    until("a report", || control.report(retried).is_some_and(|report| report.detail.contains("exit code 3"))).await;
    assert_eq!(node.state(always), Some(InstanceState::Running));
    assert!(node.imds(once).status().await.is_err(), "a metadata service without an instance still answers");
    let metrics = node.metrics().await;
    for line in [r#"node_instances{state="succeeded"} 1"#, r#"node_instances{state="failed"} 1"#] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    node.stop().await;

    let node = setup.start().await;
    node.wait_for(job, InstanceState::Succeeded).await;
    node.wait_for(once, InstanceState::Failed).await;
    lines(&out("always"), 3).await;
    assert_eq!((lines(&out("job"), 1).await.len(), lines(&out("once"), 1).await.len()), (1, 1));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ports_are_kept_over_a_restart_of_the_agent() {
    let control = Control::start().await;
    let setup = Setup::of(&control);
    let node = setup.start().await;
    let ids = [(); 3].map(|()| control.place(&script(SLEEPER, "")));
    let mut before = Vec::new();
    for id in ids {
        before.push(node.wait_for(id, InstanceState::Running).await.imds);
    }
    let in_order: Vec<_> = node.started.instances.borrow().iter().map(|summary| summary.imds.clone()).collect();
    let mut sorted = before.clone();
    sorted.sort_by_key(|url| (url.len(), url.clone()));
    assert_eq!(in_order, sorted);
    node.stop().await;

    control.end(ids[0]);
    let node = setup.start().await;
    for (id, imds) in ids.into_iter().zip(before).skip(1) {
        assert_eq!(node.wait_for(id, InstanceState::Running).await.imds, imds);
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_agent_ends_its_instances_within_the_drain_time() {
    let control = Control::start().await;
    let mut setup = Setup::of(&control);
    setup.config.drain_seconds = 3;
    let node = setup.start().await;
    let out = setup.path("out");
    let polite =
        format!("trap 'echo bye >>{0}; exit 0' TERM; echo up >>{0}; while :; do sleep 0.05; done", out.display());
    // This one would take longer than the agent has.
    let stubborn = format!("trap '' TERM; echo up >>{}; while :; do sleep 0.05; done", out.display());
    let stubborn = script(&stubborn, "").replace(r#""stop_grace_seconds":3"#, r#""stop_grace_seconds":600"#);
    let (one, two) = (control.place(&script(&polite, "")), control.place(&stubborn));
    node.wait_for(one, InstanceState::Running).await;
    node.wait_for(two, InstanceState::Running).await;
    lines(&out, 2).await;
    let instances = node.started.instances.clone();
    node.stop().await;
    assert_eq!(lines(&out, 3).await, ["up", "up", "bye"]);
    assert!(instances.borrow().is_empty(), "{:?}", instances.borrow());
    assert_eq!(std::fs::read_to_string(setup.path("node/ports.json")).unwrap().matches("-").count(), 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_fails_for_the_moment_is_tried_again_whatever_the_policy() {
    for (kind, state) in
        [(DriverErrorKind::Temporary, InstanceState::Running), (DriverErrorKind::Permanent, InstanceState::Failed)]
    {
        let control = Control::start().await;
        let setup = Setup::of(&control);
        let node = setup.start_with(Arc::new(Faulty::refusing(setup.driver(), 1, kind))).await;
        let id = control.place(&script(SLEEPER, r#","restart_policy":"never""#));
        node.wait_for(id, state).await;
        assert!(node.metrics().await.contains("node_instance_starts_failed_total 1"), "{kind:?}");
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_agent_shortens_the_stops_that_are_under_way() {
    let control = Control::start().await;
    let mut setup = Setup::of(&control);
    setup.config.drain_seconds = 3;
    let node = setup.start().await;
    let place = |out: &str| {
        let stubborn = format!(
            "trap 'echo told >>{0}' TERM; echo up >>{0}; while :; do sleep 0.05; done",
            setup.path(out).display()
        );
        let stubborn = script(&stubborn, "").replace(r#""stop_grace_seconds":3"#, r#""stop_grace_seconds":600"#);
        control.place(&stubborn)
    };
    let (ended, restarted) = (place("ended"), place("restarted"));
    for (id, out) in [(ended, "ended"), (restarted, "restarted")] {
        node.wait_for(id, InstanceState::Running).await;
        lines(&setup.path(out), 1).await;
    }
    control.end(ended);
    node.imds(restarted).restart().await.unwrap();
    for out in ["ended", "restarted"] {
        lines(&setup.path(out), 2).await;
    }
    let instances = node.started.instances.clone();
    node.stop().await;
    assert!(instances.borrow().is_empty(), "{:?}", instances.borrow());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_placed_while_leftovers_are_removed_keeps_its_notes() {
    let control = Control::start().await;
    let setup = Setup::of(&control);
    let leftover = cress_domain::InstanceId::generate(&cress_service::SystemRandom);
    let note = setup.path("node/ports.json");
    let text = format!(r#"{{"{leftover}":{{"port":1,"base":1,"address":"127.0.0.1"}}}}"#);
    drop(cress_service::data_dir::DataDir::open(&setup.config.data_dir).unwrap());
    std::fs::write(&note, text).unwrap();
    let driver = Arc::new(Faulty::with_leftover(setup.driver(), leftover));
    let node = setup.start_with(Arc::clone(&driver) as _).await;
    until("the link", || control.state().streams > 0).await;
    let id = control.place(&script(SLEEPER, ""));
    node.wait_for(id, InstanceState::Running).await;
    let notes = || std::fs::read_to_string(&note).unwrap();
    assert!(notes().contains(&id.to_string()) && notes().contains(&leftover.to_string()), "{}", notes());
    driver.can_remove.add_permits(1);
    until("the leftover's note to go", || !notes().contains(&leftover.to_string())).await;
    assert!(notes().contains(&id.to_string()), "{}", notes());
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_is_lost_to_a_panic_is_answered_no_more() {
    let control = Control::start().await;
    let setup = Setup::of(&control);
    let driver = Arc::new(Faulty::panicking(setup.driver()));
    let node = setup.start_with(Arc::clone(&driver) as _).await;
    let id = control.place(&script(SLEEPER, ""));
    until("its place", || node.instance(id).is_some_and(|summary| !summary.imds.is_empty())).await;
    let address = node.instance(id).unwrap().imds.replace("http://", "");
    assert!(std::net::TcpStream::connect(&address).is_ok());
    driver.can_start.add_permits(1);
    node.wait_for(id, InstanceState::Failed).await;
    until("the end of its metadata service", || std::net::TcpStream::connect(&address).is_err()).await;
    until("the report", || control.report(id).is_some_and(|report| report.detail.contains("lost it"))).await;
    control.end(id);
    node.wait_for_end(id).await;
    node.stop().await;
}
