// SPDX-License-Identifier: Apache-2.0
//! The metadata service inside a network namespace: who is answered there, and who is not. Needs root and `ip`; without
//! them the tests say that they were skipped.
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::support::{TOKEN, number, start_on};
use cress_node::imds::Limits;
use cress_node::netns::{Namespace, NamespaceError};
use cress_testkit::imds_conformance::{Answer, Target, cases};
use nix::sched::{CloneFlags, setns};

const ADDRESS: &str = "169.254.169.254:80";

/// A namespace made with `ip netns`, removed when this is dropped.
struct Scratch {
    name: String,
}

impl Scratch {
    fn new(purpose: &str) -> Self {
        let name = format!("cress-{purpose}-{}", std::process::id());
        ip(&["netns", "add", &name]);
        Self { name }
    }

    fn path(&self) -> PathBuf {
        PathBuf::from("/run/netns").join(&self.name)
    }

    fn namespace(&self) -> Namespace {
        Namespace::open(&self.path()).unwrap()
    }

    /// Runs this on a thread inside.
    fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let file = std::fs::File::open(self.path()).unwrap();
        std::thread::scope(|scope| {
            scope
                .spawn(move || {
                    setns(file, CloneFlags::CLONE_NEWNET).unwrap();
                    work()
                })
                .join()
                .unwrap()
        })
    }

    fn ip(&self, arguments: &[&str]) {
        ip(&[&["-n", self.name.as_str()], arguments].concat());
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _removed = Command::new("ip").args(["netns", "delete", &self.name]).status();
    }
}

fn ip(arguments: &[&str]) {
    let output = Command::new("ip").args(arguments).output().unwrap();
    assert!(output.status.success(), "ip {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn is_possible() -> bool {
    let is_root = nix::unistd::geteuid().is_root();
    let has_ip = Command::new("ip").arg("-V").output().is_ok_and(|output| output.status.success());
    if !(is_root && has_ip) {
        println!("skipped: network namespaces need root and the command ip");
    }
    is_root && has_ip
}

fn target() -> Target {
    Target::cress(ADDRESS.parse().unwrap())
}

fn get_token(target: &Target) -> std::io::Result<Answer> {
    target.ask(&target.request("GET", "/v1/token", &[], ""))
}

#[test]
fn an_instance_finds_its_service_at_the_known_address() {
    if !is_possible() {
        return;
    }
    let instance = Scratch::new("own");
    let namespace = instance.namespace();
    let limits = Limits { connections_per_second_max: number(100_000), ..Limits::default() };
    let server = start_on(namespace.listen().unwrap(), limits);
    assert_eq!(server.address.to_string(), ADDRESS);

    let answer = instance.inside(|| get_token(&target())).unwrap();
    assert_eq!(answer.json()["jwt"], TOKEN);
    let curl = Command::new("ip")
        .args(["netns", "exec", &instance.name, "curl", "-sS", "--noproxy", "*", "-H", "Metadata: true"])
        .arg("http://169.254.169.254/v1/token")
        .output()
        .unwrap();
    if curl.status.code() == Some(255) {
        println!("skipped: curl is not installed");
    } else {
        assert_eq!(String::from_utf8_lossy(&curl.stdout), format!(r#"{{"jwt":"{TOKEN}"}}"#));
    }

    let failures = instance.inside(|| {
        // Threads that are started here are inside too.
        let target = target();
        target.failures(&cases(&target))
    });
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn a_service_can_be_taken_up_again_but_not_twice() {
    if !is_possible() {
        return;
    }
    let instance = Scratch::new("again");
    let namespace = instance.namespace();
    let first = namespace.listen().unwrap();
    match namespace.listen() {
        Err(NamespaceError::SetUp { step, source, .. }) => {
            assert_eq!((step, source), ("listen at 169.254.169.254:80", nix::errno::Errno::EADDRINUSE));
        }
        other => panic!("expected the port to be taken, got {other:?}"),
    }
    let server = start_on(first, Limits::default());
    assert_eq!(instance.inside(|| get_token(&target())).unwrap().status, 200);
    // The service closes first, so the connection lingers in the kernel, at the port.
    assert_eq!(instance.inside(|| target().ask(b"NONSENSE\r\n\r\n")).unwrap().status, 400);
    drop(server);
    let server = start_on(namespace.listen().unwrap(), Limits::default());
    assert_eq!(instance.inside(|| get_token(&target())).unwrap().status, 200);
    drop(server);
}

#[test]
fn an_instance_cannot_take_or_share_the_port() {
    if !is_possible() {
        return;
    }
    let instance = Scratch::new("share");
    let _listener = instance.namespace().listen().unwrap();
    let attempts = instance.inside(|| {
        use nix::sys::socket::{
            AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, bind, listen, setsockopt, socket, sockopt,
        };
        ["169.254.169.254:80", "0.0.0.0:80"].map(|address: &str| {
            let descriptor = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
            setsockopt(&descriptor, sockopt::ReuseAddr, &true).unwrap();
            setsockopt(&descriptor, sockopt::ReusePort, &true).unwrap();
            let address = SockaddrIn::from(address.parse::<std::net::SocketAddrV4>().unwrap());
            bind(std::os::fd::AsRawFd::as_raw_fd(&descriptor), &address)
                .and_then(|()| listen(&descriptor, Backlog::new(16).unwrap()))
        })
    });
    assert!(attempts.iter().all(Result::is_err), "{attempts:?}");
}

#[test]
fn namespaces_are_told_apart_by_what_they_are() {
    if !is_possible() {
        return;
    }
    let (one, two) = (Scratch::new("one"), Scratch::new("two"));
    let (first, again, other) = (one.namespace(), one.namespace(), two.namespace());
    assert_eq!(first.identity(), again.identity());
    assert_ne!(first.identity(), other.identity());
    // Each has its own service at the same address.
    let _both = (first.listen().unwrap(), other.listen().unwrap());
}

/// The neighbour can do all that an instance with NET_ADMIN can: it has an address on a shared link, a route to the
/// metadata address through the instance, and may choose its source address.
#[test]
fn a_neighbour_with_a_route_gets_no_answer() {
    if !is_possible() {
        return;
    }
    let (instance, neighbour) = (Scratch::new("here"), Scratch::new("next"));
    let (near, far) = (format!("cra{}", std::process::id()), format!("crb{}", std::process::id()));
    ip(&[
        "link",
        "add",
        &near,
        "netns",
        &instance.name,
        "type",
        "veth",
        "peer",
        "name",
        &far,
        "netns",
        &neighbour.name,
    ]);
    instance.ip(&["address", "add", "10.254.0.1/24", "dev", &near]);
    instance.ip(&["link", "set", &near, "up"]);
    neighbour.ip(&["address", "add", "10.254.0.2/24", "dev", &far]);
    neighbour.ip(&["link", "set", &far, "up"]);
    neighbour.ip(&["link", "set", "lo", "up"]);
    neighbour.ip(&["route", "add", "169.254.169.254/32", "via", "10.254.0.1"]);

    let server = start_on(instance.namespace().listen().unwrap(), Limits::default());
    // The link works: another port of the instance, even at the metadata address, is reached over it.
    let open = instance.inside(|| TcpListener::bind("0.0.0.0:8080").unwrap());
    let wait = Duration::from_secs(5);
    for reached in ["10.254.0.1:8080", "169.254.169.254:8080"] {
        let address = reached.parse().unwrap();
        assert!(neighbour.inside(|| TcpStream::connect_timeout(&address, wait)).is_ok(), "{reached} was not reached");
    }
    drop(open);

    let refused = neighbour.inside(|| TcpStream::connect_timeout(&ADDRESS.parse().unwrap(), wait));
    assert!(refused.is_err(), "a neighbour was let in");
    assert_eq!(server.counts().connections, 0);
    // Nor is it by way of another address of the instance.
    assert!(neighbour.inside(|| TcpStream::connect_timeout(&"10.254.0.1:80".parse().unwrap(), wait)).is_err());
    // The instance itself still is.
    assert_eq!(instance.inside(|| get_token(&target())).unwrap().status, 200);
}
