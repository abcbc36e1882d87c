// SPDX-License-Identifier: Apache-2.0
//! Instances with a network of their own. Needs root.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use cress_driver::{Driver, DriverErrorKind, Exit, Sandbox, conformance};
use cress_driver_process::{Network, ProcessDriver};

use crate::bench::{Bench, config, launch, within};
use crate::random::Urandom;

/// Says why a test has nothing to do.
fn is_root(test: &str) -> bool {
    let is_root = nix::unistd::geteuid().is_root();
    if !is_root {
        println!("skipped: {test} makes network namespaces, which needs root");
    }
    is_root
}

fn path(sandbox: Sandbox) -> PathBuf {
    match sandbox {
        Sandbox::NetworkNamespace(path) => path,
        Sandbox::LoopbackPort => panic!("no namespace was made"),
    }
}

fn inode(path: impl AsRef<Path>) -> u64 {
    fs::metadata(path).unwrap().ino()
}

#[tokio::test]
async fn the_driver_conforms_with_namespaces() {
    if is_root("conformance") {
        let bench = Bench::new(Network::Namespace);
        conformance::run(&bench.driver, &Urandom).await.unwrap();
        within(bench.driver.shutdown()).await;
    }
}

#[tokio::test]
async fn an_instance_runs_in_its_namespace() {
    if !is_root("an instance in its namespace") {
        return;
    }
    let bench = Bench::new(Network::Namespace);
    let id = bench.instance().await;
    let path = path(bench.driver.prepare(id).await.unwrap());
    assert_eq!(path, Path::new("/run/netns").join(format!("cress-{id}")));
    let own = inode("/proc/self/ns/net");
    let script = format!("test $(stat -L -c %i /proc/self/ns/net) = {}", inode(&path));
    let running = bench.start(id, &["sh", "-c", &format!("{script} && exec sleep 1000")]).await;
    let command = ["sh", "-c", &script].map(str::to_owned).to_vec();
    assert!(bench.driver.exec(id, command, Duration::from_secs(10)).await.unwrap().is_success());
    // On a network of its own there is nothing but a loopback device that is down.
    let links = Command::new("ip").args(["-n", &format!("cress-{id}"), "-o", "link"]).output().unwrap();
    let links = String::from_utf8(links.stdout).unwrap();
    assert!(links.lines().all(|line| !line.contains("state UP")) && links.contains("lo:"), "{links}");

    within(bench.driver.release(id)).await.unwrap();
    assert_eq!(within(running).await, Exit::Signal(9));
    assert!(!path.exists());
    assert_eq!(inode("/proc/self/ns/net"), own, "the agent has moved");
    assert_eq!(fs::read_dir(bench.directory.path().join("driver/namespaces")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_namespace_that_was_left_behind_is_removed() {
    if !is_root("cleaning up") {
        return;
    }
    let bench = Bench::new(Network::Namespace);
    let id = bench.instance().await;
    let left = path(bench.driver.prepare(id).await.unwrap());
    let others = Bench::new(Network::Namespace);
    let kept = path(others.driver.prepare(others.instance().await).await.unwrap());
    // Without a shutdown, as if it had been killed.
    drop(bench.driver);
    assert!(left.exists());
    let mut config = config(bench.directory.path().join("driver"));
    config.network = Network::Namespace;
    let next = ProcessDriver::new(config);
    within(next.adopt()).await.unwrap();
    assert!(!left.exists());
    assert!(kept.exists(), "another agent's namespace was removed");
    within(others.driver.shutdown()).await;
    assert!(!kept.exists());
    within(next.shutdown()).await;
}

#[tokio::test]
async fn a_namespace_that_is_gone_is_explained() {
    if !is_root("a namespace that is gone") {
        return;
    }
    let bench = Bench::new(Network::Namespace);
    let id = bench.instance().await;
    assert!(Command::new("ip").args(["netns", "delete", &format!("cress-{id}")]).status().unwrap().success());
    let error = bench.driver.start(id, launch(&["true"])).await.unwrap_err();
    assert_eq!(error.kind(), DriverErrorKind::Permanent);
    assert!(error.to_string().contains("expected the instance's network namespace at /run/netns/cress-"), "{error}");
    within(bench.driver.release(id)).await.unwrap();
    within(bench.driver.shutdown()).await;
}

#[tokio::test]
async fn without_root_a_namespace_is_refused() {
    if nix::unistd::geteuid().is_root() {
        println!("skipped: what is refused without root, as this is root");
        return;
    }
    let bench = Bench::new(Network::Namespace);
    let id = cress_domain::InstanceId::generate(&Urandom);
    let error = bench.driver.prepare(id).await.unwrap_err();
    assert_eq!(error.kind(), DriverErrorKind::Permanent);
    assert!(error.to_string().contains("run the node as root (CAP_SYS_ADMIN)"), "{error}");
    within(bench.driver.release(id)).await.unwrap();
    assert_eq!(fs::read_dir(bench.directory.path().join("driver/namespaces")).unwrap().count(), 0);
}
