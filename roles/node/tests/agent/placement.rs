// SPDX-License-Identifier: Apache-2.0
//! What control's word does: what is placed runs, what changes follows, what ends is gone, and nothing harms another.

use cress_api::node_protocol::{self, AssignmentChange};
use cress_domain::InstanceId;
use cress_node::InstanceState;
use cress_service::SystemRandom;

use crate::control::{Control, assignment};
use crate::node::{SLEEPER, Setup, lines, script, until};

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_finds_its_token_with_its_first_instruction() {
    let control = Control::start().await;
    let setup = Setup::of(&control);
    let node = setup.start().await;
    let out = setup.path("out");
    let ask = format!(
        "curl -sS -m 5 --noproxy '*' -H 'Metadata: true' $CRESS_IMDS_URL/v1/token >{0}.new; env >{0}.env; mv {0}.new {0}; {SLEEPER}",
        out.display()
    );
    let id = control.place(&script(&ask, r#","environment":{"COLOUR":"green"}"#));
    let summary = node.wait_for(id, InstanceState::Running).await;
    assert_eq!((summary.container_group.as_str(), summary.token_ready), ("worker", true));
    assert_eq!(summary.machine_id, node.started.machine_id);

    until("the script's answer", || out.exists()).await;
    let answer = std::fs::read_to_string(&out).unwrap();
    assert_eq!(answer, format!(r#"{{"jwt":"{}"}}"#, node.token(id).await), "curl is needed for this test");
    let environment = std::fs::read_to_string(setup.path("out.env")).unwrap();
    for line in [
        "COLOUR=green".to_owned(),
        format!("HOSTNAME={id}"),
        format!("SALAD_INSTANCE_ID={id}"),
        format!("SALAD_MACHINE_ID={}", node.started.machine_id),
        "SALAD_PROJECT_NAME=demo".to_owned(),
        format!("CRESS_IMDS_URL={}", summary.imds),
    ] {
        assert!(environment.lines().any(|found| found == line), "{line} in {environment}");
    }
    assert!(!environment.contains("CARGO"), "the agent's own environment shows: {environment}");

    until("a report", || control.report(id).is_some_and(|report| report.ready)).await;
    let report = control.report(id).unwrap();
    assert_eq!((report.state(), report.started), (node_protocol::InstanceState::Running, true));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_is_stopped_with_grace_and_leaves_nothing() {
    let control = Control::start().await;
    let setup = Setup::of(&control);
    let node = setup.start().await;
    let out = setup.path("out");
    let polite =
        format!("trap 'echo bye >>{0}; exit 0' TERM; echo up >>{0}; while :; do sleep 0.05; done", out.display());
    let (one, other) = (control.place(&script(&polite, "")), control.place(&script(SLEEPER, "")));
    lines(&out, 1).await;
    let address = node.wait_for(one, InstanceState::Running).await.imds;
    node.wait_for(other, InstanceState::Running).await;
    control.end(one);
    node.wait_for_end(one).await;
    assert_eq!(lines(&out, 2).await, ["up", "bye"]);
    let port = address.rsplit(':').next().unwrap();
    assert!(std::net::TcpStream::connect(format!("127.0.0.1:{port}")).is_err(), "its port still answers");
    assert!(!std::fs::read_to_string(setup.path("node/ports.json")).unwrap().contains(&one.to_string()));
    assert_eq!(node.state(other), Some(InstanceState::Running));

    // A snapshot that does not list it ends an instance as well.
    control.state().assignments.clear();
    control.tell_all();
    node.wait_for_end(other).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_broken_instance_harms_no_other() {
    let control = Control::start().await;
    let setup = Setup::of(&control);
    let node = setup.start().await;
    let good = control.place(&script(SLEEPER, ""));
    node.wait_for(good, InstanceState::Running).await;
    let unreadable = InstanceId::generate(&SystemRandom);
    let nonsense = node_protocol::Assignment { instance_id: "nonsense".to_owned(), ..assignment(unreadable, "{}") };
    control.tell(AssignmentChange { placed: vec![nonsense], ended: vec!["nonsense".to_owned()] });
    control.assign(assignment(unreadable, r#"{"from":"the future"}"#));
    let unknown_program = control.place(r#"{"replicas":1,"command":["/nowhere/program"]}"#);
    let late = control.place(&script(SLEEPER, ""));
    node.wait_for(late, InstanceState::Running).await;
    for (id, reason) in [(unreadable, "expected a container group's definition"), (unknown_program, "/nowhere/program")]
    {
        node.wait_for(id, InstanceState::Failed).await;
        until("a report", || control.report(id).is_some_and(|report| report.detail.contains(reason))).await;
        assert_eq!(control.report(id).unwrap().state(), node_protocol::InstanceState::Failed);
    }

    // A running instance is not ended by an update of it that cannot be read.
    control.assign(assignment(good, "{"));
    control.tell_all();
    control.end(unreadable);
    node.wait_for_end(unreadable).await;
    assert_eq!(node.state(good), Some(InstanceState::Running));
    control.end(unknown_program);
    node.wait_for_end(unknown_program).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_node_takes_no_more_until_there_is_room() {
    let control = Control::start().await;
    let mut setup = Setup::of(&control);
    setup.config.capacity = 1;
    let node = setup.start().await;
    let first = control.place(&script(SLEEPER, ""));
    node.wait_for(first, InstanceState::Running).await;
    let second = control.place(&script(SLEEPER, ""));
    let third = control.place(&script(SLEEPER, ""));
    for id in [second, third] {
        node.wait_for(id, InstanceState::Failed).await;
    }
    control.end(third);
    node.wait_for_end(third).await;
    assert_eq!(node.state(second), Some(InstanceState::Failed));
    // Nobody needs to say it again.
    control.end(first);
    node.wait_for_end(first).await;
    node.wait_for(second, InstanceState::Running).await;
    assert_eq!(node.started.instances.borrow().len(), 1);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_part_of_a_definition_follows_in_place() {
    let control = Control::start().await;
    let setup = Setup::of(&control);
    let node = setup.start().await;
    let id = control.place(&script(SLEEPER, ""));
    node.wait_for(id, InstanceState::Running).await;
    let audience = "https://broker.example".parse().unwrap();
    assert!(node.imds(id).token(Some(&audience)).await.is_err());
    let before = node.token(id).await;
    let changed =
        script(SLEEPER, r#","allowed_audiences":["https://broker.example"],"extra_claims":{"team":"vision"}"#);
    control.assign(assignment(id, &changed));
    until("another default token", || control.state().tokens >= 2).await;
    let token = node.imds(id).token(Some(&audience)).await.unwrap();
    assert_ne!(token.expose(), &before);
    until("a report", || control.report(id).is_some_and(|report| report.ready)).await;
    assert_eq!(control.report(id).unwrap().restarts, 0, "a running command was restarted for its tokens");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_cost_is_reported_and_nothing_that_control_says_undoes_it() {
    let control = Control::start().await;
    let setup = Setup::of(&control);
    let node = setup.start().await;
    let id = InstanceId::generate(&SystemRandom);
    let placed = node_protocol::Assignment { deletion_cost: 7, ..assignment(id, &script(SLEEPER, "")) };
    control.assign(placed.clone());
    node.wait_for(id, InstanceState::Running).await;
    let imds = node.imds(id);
    assert_eq!(imds.deletion_cost().await.unwrap(), 7);
    imds.set_deletion_cost(-3).await.unwrap();
    until("the report", || control.report(id).is_some_and(|report| report.deletion_cost == -3)).await;
    // Control repeats what it knew before the report came, and what it knew at some time before.
    control.tell_all();
    control.assign(placed.clone());
    control.assign(node_protocol::Assignment { deletion_cost: 9, ..placed });
    let marker = control.place(&script(SLEEPER, ""));
    node.wait_for(marker, InstanceState::Running).await;
    assert_eq!(imds.deletion_cost().await.unwrap(), -3);
    assert_eq!(control.report(id).unwrap().deletion_cost, -3);
    node.stop().await;
}
