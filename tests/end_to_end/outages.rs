// SPDX-License-Identifier: Apache-2.0
//! Control away: killed, and cut off. The waits are real, since the token's life is.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use cress_tests::{Control, eventually, eventually_for, get, send};
use serde_json::json;

const METADATA: &[&str] = &["Metadata: true"];

/// Asks for a token over and over, and counts what does not succeed.
struct Load {
    stop: Arc<AtomicBool>,
    asked: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Load {
    fn on(imds: &str) -> Self {
        let (stop, asked, failed) =
            (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let url = format!("{imds}/v1/token");
        let (stopping, asking, failing) = (Arc::clone(&stop), Arc::clone(&asked), Arc::clone(&failed));
        let thread = std::thread::spawn(move || {
            while !stopping.load(Ordering::Relaxed) {
                asking.fetch_add(1, Ordering::Relaxed);
                if !get(&url, METADATA).is_ok_and(|answer| answer.status == 200) {
                    failing.fetch_add(1, Ordering::Relaxed);
                }
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        Self { stop, asked, failed, thread: Some(thread) }
    }

    fn finish(mut self) -> (u64, u64) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
        (self.asked.load(Ordering::Relaxed), self.failed.load(Ordering::Relaxed))
    }
}

/// A wire between a node and control that can be cut.
struct Wire {
    port: u16,
    open: Arc<AtomicBool>,
}

impl Wire {
    fn to(control: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let wire = Self { port: listener.local_addr().unwrap().port(), open: Arc::new(AtomicBool::new(true)) };
        let open = Arc::clone(&wire.open);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if let (true, Ok(server)) = (open.load(Ordering::Relaxed), TcpStream::connect(("127.0.0.1", control))) {
                    carry(client.try_clone().unwrap(), server.try_clone().unwrap(), Arc::clone(&open));
                    carry(server, client, Arc::clone(&open));
                }
            }
        });
        wire
    }

    fn cut(&self) {
        self.open.store(false, Ordering::Relaxed);
    }

    fn mend(&self) {
        self.open.store(true, Ordering::Relaxed);
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, open: Arc<AtomicBool>) {
    std::thread::spawn(move || {
        from.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let mut buffer = vec![0; 64 * 1024];
        while open.load(Ordering::Relaxed) {
            match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) if to.write_all(&buffer[..count]).is_ok() => {}
                Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
                }
                _ => break,
            }
        }
        let _closed = from.shutdown(std::net::Shutdown::Both);
        let _closed = to.shutdown(std::net::Shutdown::Both);
    });
}

fn wait_for_token(imds: &str) {
    eventually("a token", || get(&format!("{imds}/v1/token"), METADATA).ok().filter(|answer| answer.status == 200));
}

#[test]
fn control_killed_under_load_is_not_noticed() {
    let mut control = Control::start();
    let node = control.start_node(&[]);
    control.create_group("worker", &json!({"replicas": 2, "command": ["sleep", "600"], "token_ttl_seconds": 60}));
    let imds = [node.imds(0), node.imds(1)];
    imds.iter().for_each(|imds| wait_for_token(imds));
    let loads = imds.each_ref().map(|imds| Load::on(imds));
    for _ in 0..3 {
        control.program().kill();
        std::thread::sleep(Duration::from_secs(2));
        control.start_again();
    }
    // Restarts need control for a fresh token, so they show that the node is connected again.
    let restart = format!("{}/v1/restart", imds[1]);
    assert_eq!(send("POST", &restart, METADATA, "").unwrap().status, 204);
    let (asked, failed) = {
        let [first, second] = loads;
        second.finish();
        first.finish()
    };
    assert_eq!(failed, 0, "of {asked}");
    assert!(asked > 100, "{asked}");
    wait_for_token(&imds[1]);
}

#[test]
fn a_node_cut_off_for_100_seconds_goes_on() {
    let control = Control::start();
    let wire = Wire::to(control.node_port());
    let node = control.start_node_behind(wire.port, &[]);
    control.create_group("worker", &json!({"replicas": 1, "command": ["sleep", "900"]}));
    wait_for_token(&node.imds(0));
    let load = Load::on(&node.imds(0));
    wire.cut();
    std::thread::sleep(Duration::from_secs(100));
    wire.mend();
    eventually("the node to be connected again", || {
        (control.admin(&["nodes", "list"])[0]["connected"] == true).then_some(())
    });
    let (asked, failed) = load.finish();
    assert_eq!(failed, 0, "of {asked}");
}

#[test]
fn cut_off_beyond_the_tokens_life_it_says_so_and_recovers() {
    let control = Control::start();
    let wire = Wire::to(control.node_port());
    let node = control.start_node_behind(wire.port, &[]);
    control.create_group("worker", &json!({"replicas": 1, "command": ["sleep", "900"], "token_ttl_seconds": 60}));
    wait_for_token(&node.imds(0));
    wire.cut();
    let url = format!("{}/v1/token", node.imds(0));
    let refused = eventually_for(Duration::from_secs(90), "the token to expire", || {
        get(&url, METADATA).ok().filter(|answer| answer.status != 200)
    });
    assert_eq!((refused.status, refused.header("content-type")), (503, Some("application/problem+json")));
    assert!(refused.header("retry-after").is_some(), "{refused:?}");
    wire.mend();
    let mended = Instant::now();
    eventually_for(Duration::from_secs(30), "a token again", || {
        get(&url, METADATA).ok().filter(|answer| answer.status == 200)
    });
    println!("a token {:.1} s after the wire was mended", mended.elapsed().as_secs_f64());
}
