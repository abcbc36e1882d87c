// SPDX-License-Identifier: Apache-2.0
//! Instances with a network of their own. Needs root; without it the test says that it was skipped.

use cress_driver_process::Network;
use cress_node::InstanceState;

use crate::control::Control;
use crate::node::{SLEEPER, Setup, script, until};

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_in_its_own_network_finds_its_service_at_the_usual_address() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: network namespaces need root");
        return;
    }
    let control = Control::start().await;
    let mut setup = Setup::of(&control);
    setup.network = Network::Namespace;
    let node = setup.start().await;
    let out = setup.path("out");
    let ask = |name: &str| {
        format!(
            "curl -sS -m 5 --noproxy '*' -H 'Metadata: true' http://169.254.169.254/v1/token >{0}.new; mv {0}.new {0}",
            out.with_extension(name).display()
        )
    };
    let server = "python3 -m http.server --bind 127.0.0.1 8080";
    let probes = r#","probes":{"startup":{"http":{"path":"/","port":8080},"period_seconds":1,"failure_threshold":20},
        "liveness":{"tcp":{"port":8080},"period_seconds":1}}"#;
    let one = control.place(&script(&format!("{}; cd /; exec {server}", ask("one")), probes));
    let two = control.place(&script(&format!("{}; {SLEEPER}", ask("two")), ""));
    for id in [one, two] {
        assert_eq!(node.wait_for(id, InstanceState::Running).await.imds, "http://169.254.169.254");
    }
    let answer = |name: &str| std::fs::read_to_string(out.with_extension(name)).unwrap_or_default();
    until("both answers", || answer("one").contains("jwt") && answer("two").contains("jwt")).await;
    assert_ne!(answer("one"), answer("two"), "two instances have one token");
    // Its port is reached in its own network, where nothing of the node's is.
    until("the probe", || control.report(one).is_some_and(|report| report.started)).await;
    node.stop().await;
}
