// SPDX-License-Identifier: Apache-2.0
//! Six servers as a Cluster: three masters with a replica each.

use super::server::{Accounts, Flavour, RedisServer, cli};
use crate::postgres::free_port;
use crate::postgres::programs::{output, wait_until};

/// A Cluster.
#[derive(Debug)]
pub struct ClusterSetup {
    /// The first three are the masters at the beginning.
    pub servers: Vec<RedisServer>,
}

const NODES: usize = 6;

impl ClusterSetup {
    /// Six nodes, which notice a dead one within two seconds.
    ///
    /// # Panics
    /// If they cannot be started, or do not come together.
    #[must_use]
    pub fn start(flavour: Flavour, accounts: Accounts) -> Self {
        let server = |_| {
            let bus = format!("cluster-port {}", free_port());
            let lines =
                ["cluster-enabled yes", bus.as_str(), "cluster-node-timeout 2000", "cluster-replica-validity-factor 0"];
            RedisServer::start_with(flavour, accounts, &lines, &[])
        };
        let setup = Self { servers: (0..NODES).map(server).collect() };
        let mut create = cli(setup.servers.first().map_or(0, RedisServer::port));
        create.args(["--cluster", "create"]).args(setup.servers.iter().map(RedisServer::address));
        output(create.args(["--cluster-replicas", "1", "--cluster-yes"]));
        assert!(wait_until(|| setup.servers.iter().all(is_whole)), "the Cluster does not come together");
        setup
    }

    /// The places of the masters that serve slots now, as the server at `asked` says.
    ///
    /// # Panics
    /// If it says nothing.
    #[must_use]
    pub fn masters(&self, asked: usize) -> Vec<usize> {
        let nodes = self.servers.get(asked).expect("a server").command(&["CLUSTER", "NODES"]);
        let is_serving = |line: &str, port: u16| {
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            let flags: Vec<&str> = words.get(2).map_or(Vec::new(), |flags| flags.split(',').collect());
            let is_here = words.get(1).is_some_and(|address| address.starts_with(&format!("127.0.0.1:{port}@")));
            is_here && flags.contains(&"master") && !flags.contains(&"fail") && words.len() > 8
        };
        let places = self.servers.iter().enumerate();
        places
            .filter(|(_, server)| nodes.lines().any(|line| is_serving(line, server.port())))
            .map(|(place, _)| place)
            .collect()
    }

    /// Waits until the server at `asked` sees this many masters that serve, none of them at `without`, and the whole served.
    ///
    /// # Panics
    /// If that does not happen.
    pub fn wait_for_masters(&self, asked: usize, count: usize, without: usize) {
        let serving = || {
            let masters = self.masters(asked);
            let is_ok = self
                .servers
                .get(asked)
                .is_some_and(|server| server.command(&["CLUSTER", "INFO"]).contains("cluster_state:ok"));
            is_ok && masters.len() == count && !masters.contains(&without)
        };
        assert!(wait_until(serving), "no failover");
    }
}

/// Whether a node knows all others, with three replicas among them, and somebody serves each slot.
fn is_whole(server: &RedisServer) -> bool {
    let info = server.command(&["CLUSTER", "INFO"]);
    let nodes = server.command(&["CLUSTER", "NODES"]);
    let replicas = nodes.lines().filter(|line| line.contains("slave")).count();
    info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:6") && replicas == NODES / 2
}
