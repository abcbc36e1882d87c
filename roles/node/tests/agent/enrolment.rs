// SPDX-License-Identifier: Apache-2.0
//! How a node becomes a member, and how it does not.

use std::time::Duration;

use cress_domain::Secret;
use cress_node::{MembershipError, StartError, needs_join_token};
use cress_service::Shutdown;

use crate::control::Control;
use crate::node::{Setup, until};

async fn refusal(setup: &Setup) -> StartError {
    match setup.try_to_start(&Shutdown::new(Duration::ZERO)).await {
        Err(error) => error,
        Ok(_) => panic!("the node started"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_joins_once_and_then_starts_without_control() {
    let control = Control::start().await;
    let mut setup = Setup::of(&control);
    assert!(needs_join_token(&setup.path("node")));
    let node = setup.start().await;
    assert!(!needs_join_token(&setup.path("node")));
    let machine_id = node.started.machine_id;
    assert_eq!(control.state().machines.values().copied().collect::<Vec<_>>(), [machine_id]);
    until("the stream", || control.state().streams == 1).await;
    node.stop().await;

    control.stop().await;
    setup.config.join_token = None;
    let node = setup.start().await;
    assert_eq!(node.started.machine_id, machine_id);
    control.listen().await;
    until("another stream", || control.state().streams == 2).await;
    assert_eq!(control.state().enrolments, 1);
    let metrics = node.metrics().await;
    assert!(metrics.contains("node_control_connected 1") && metrics.contains("node_instances{"), "{metrics}");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_asked_for_again_with_the_same_key() {
    let control = Control::start().await;
    control.state().answers_lost = 2;
    let setup = Setup::of(&control);
    let node = setup.start().await;
    assert_eq!(control.state().enrolments, 3);
    assert_eq!(control.state().machines.len(), 1);
    node.stop().await;

    // Also over a crash of the node between asking and hearing.
    let machine_id = *control.state().machines.values().next().unwrap();
    std::fs::remove_file(setup.path("node/membership.json")).unwrap();
    let node = setup.start().await;
    assert_eq!(node.started.machine_id, machine_id);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_control_learns_nothing() {
    let (control, impostor) = (Control::start().await, Control::start().await);
    let mut setup = Setup::of(&impostor);
    setup.config.join_token = Some(control.join_token());
    let error = refusal(&setup).await;
    assert!(matches!(error, StartError::Membership(MembershipError::FingerprintMismatch { .. })), "{error}");
    assert_eq!(impostor.state().enrolments, 0);
    assert!(error.to_string().contains("nothing was told to it"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_cannot_join_is_told_why() {
    let control = Control::start().await;
    let setup = |change: &dyn Fn(&mut Setup)| {
        let mut setup = Setup::of(&control);
        change(&mut setup);
        setup
    };
    let fingerprint = control.join_token().expose().rsplit('.').next().unwrap().to_owned();
    let token = |text: String| Some(Secret::new(text));
    let unknown = format!("cress-join-v1.{}.{fingerprint}", "B".repeat(43));
    let other_name = format!("https://localhost:{}", control.address.port());
    for (setup, expected) in [
        (setup(&|setup| setup.config.join_token = None), "give it a join token with `join_token_file`"),
        (setup(&|setup| setup.config.join_token = token("hunter2".to_owned())), "expected a join token of the form"),
        (setup(&|setup| setup.config.join_token = token(unknown.clone())), "no such join token"),
        (setup(&|setup| setup.config.control.url = other_name.clone()), "control's certificate is not for localhost"),
        (
            setup(&|setup| {
                setup.config.join_token = None;
                setup.config.join_token_file = Some("/nowhere/token".into());
            }),
            "cannot use /nowhere/token: it does not exist",
        ),
        (setup(&|setup| setup.config.control.url = "http://control".to_owned()), "key `control.url`"),
    ] {
        let error = refusal(&setup).await.to_string();
        assert!(error.contains(expected), "expected {expected:?} in {error:?}");
        assert!(!error.contains("hunter2") && !error.contains("BBBB"), "{error}");
    }
    assert!(control.state().machines.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_waits_for_control_until_it_is_stopped() {
    let control = Control::start().await;
    control.stop().await;
    let setup = Setup::of(&control);
    let shutdown = Shutdown::new(Duration::ZERO);
    let waiting = tokio::spawn({
        let shutdown = shutdown.clone();
        async move { (setup.try_to_start(&shutdown).await.map(drop), setup) }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!waiting.is_finished());
    shutdown.request();
    let (result, setup) = waiting.await.unwrap();
    assert!(matches!(result, Err(StartError::Membership(MembershipError::Stopped))));

    let (node, _) = tokio::join!(setup.start(), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        control.listen().await;
    });
    node.stop().await;
}
