// SPDX-License-Identifier: Apache-2.0
//! A master, its replicas, and Sentinels that watch them.

use super::server::{Accounts, Flavour, PASSWORD, RedisServer};
use crate::postgres::programs::wait_until;

/// What the Sentinels call the master.
pub const MASTER_NAME: &str = "mymaster";

/// A master, its replicas, and Sentinels.
#[derive(Debug)]
pub struct SentinelSetup {
    /// The first is the master at the beginning.
    pub servers: Vec<RedisServer>,
    /// They need no password.
    pub sentinels: Vec<RedisServer>,
}

impl SentinelSetup {
    /// One master, two replicas and three Sentinels, which notice a dead master within a second.
    ///
    /// # Panics
    /// If they cannot be started, or do not find each other.
    #[must_use]
    pub fn start(accounts: Accounts) -> Self {
        let master = RedisServer::start(Flavour::Redis, accounts);
        let follow = format!("replicaof 127.0.0.1 {}", master.port());
        let replica = || RedisServer::start_with(Flavour::Redis, accounts, &[follow.as_str()], &[]);
        let servers: Vec<_> = std::iter::once(master).chain([replica(), replica()]).collect();
        let config = sentinel_config(servers.first().map_or(0, RedisServer::port));
        let sentinel = || RedisServer::start_program(Flavour::Redis, &config, &[], &["--sentinel"]);
        let setup = Self { servers, sentinels: vec![sentinel(), sentinel(), sentinel()] };
        assert!(wait_until(|| setup.is_complete()), "the Sentinels do not find everyone");
        setup
    }

    /// The port of the master, as the Sentinels say.
    ///
    /// # Panics
    /// If they do not.
    #[must_use]
    pub fn master_port(&self) -> u16 {
        let sentinel = self.sentinels.first().expect("a Sentinel");
        let answer = sentinel.command(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER_NAME]);
        answer.lines().nth(1).and_then(|port| port.parse().ok()).expect("the master's address")
    }

    /// Waits until all Sentinels say that another server than this is the master, and that is one.
    ///
    /// # Panics
    /// If that does not happen.
    pub fn wait_for_failover(&self, from: u16) {
        let moved = |sentinel: &RedisServer| {
            let answer = sentinel.command(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER_NAME]);
            answer.lines().nth(1).is_some_and(|port| port != from.to_string())
        };
        assert!(wait_until(|| self.sentinels.iter().all(moved)), "no failover");
        let is_master = || {
            let port = self.master_port();
            let master = self.servers.iter().find(|server| server.port() == port);
            master.is_some_and(|master| master.command(&["ROLE"]).starts_with("master"))
        };
        assert!(wait_until(is_master), "nobody became the master");
    }

    fn is_complete(&self) -> bool {
        self.sentinels.iter().all(|sentinel| {
            let told = sentinel.command(&["SENTINEL", "MASTER", MASTER_NAME]);
            let words: Vec<&str> = told.lines().collect();
            let field = |name: &str| {
                words.iter().position(|word| *word == name).and_then(|place| words.get(place + 1).copied())
            };
            field("num-slaves") == Some("2") && field("num-other-sentinels") == Some("2")
        })
    }
}

fn sentinel_config(master: u16) -> String {
    format!(
        "sentinel monitor {MASTER_NAME} 127.0.0.1 {master} 2\n\
         sentinel auth-pass {MASTER_NAME} {PASSWORD}\n\
         sentinel down-after-milliseconds {MASTER_NAME} 1000\n\
         sentinel failover-timeout {MASTER_NAME} 4000\n"
    )
}
