// SPDX-License-Identifier: Apache-2.0
//! All nodes, as they are now: the list is asked for when it has become old, and while it is, the old one serves.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use futures_util::StreamExt;
use futures_util::future::join_all;
use redis::Cmd;
use redis::Value;
use tokio::time::Instant;

use crate::address::Address;
use crate::config::{Config, TopologyKind};
use crate::connect::Connector;
use crate::error::NodeError;
use crate::limits::{NODES_MAX, TOPOLOGY_AGE_MAX, TOPOLOGY_PAUSE, TOPOLOGY_STALE_MAX};
use crate::node::Node;
use crate::topology::cluster::{ClusterView, Names};
use crate::topology::{Found, Need, sentinel};
use crate::wire;

/// A node that must have every account.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) node: Arc<Node>,
    pub(crate) need: Need,
}

/// All of them at one time.
pub(crate) type Members = Arc<Vec<Member>>;

/// The nodes.
pub(crate) struct Nodes {
    kind: TopologyKind,
    master: String,
    /// Whom the settings name: the nodes themselves, nodes to ask, or Sentinels.
    configured: Vec<Arc<Node>>,
    connector: Arc<Connector>,
    known: RwLock<Known>,
    asking: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    members: Members,
    /// When they were asked for; none if they are to be asked for again.
    read_at: Option<Instant>,
    /// When they were last asked for in vain.
    failed_at: Option<Instant>,
}

/// Nodes of a Cluster that are asked at the same time what they know.
const ASKED_AT_ONCE: usize = 3;

impl Nodes {
    pub(crate) fn new(config: &Config, connector: &Arc<Connector>, of_sentinels: &Arc<Connector>) -> Self {
        let node =
            |address: &Address, connector: &Arc<Connector>| Arc::new(Node::new(address.clone(), Arc::clone(connector)));
        let configured: Vec<_> = match config.topology {
            TopologyKind::Sentinel => config.sentinels.iter().map(|address| node(address, of_sentinels)).collect(),
            TopologyKind::Standalone | TopologyKind::Cluster => {
                config.nodes.iter().map(|address| node(address, connector)).collect()
            }
        };
        let members = match config.topology {
            TopologyKind::Standalone => {
                configured.iter().map(|node| Member { node: Arc::clone(node), need: Need::Serves }).collect()
            }
            TopologyKind::Sentinel | TopologyKind::Cluster => Vec::new(),
        };
        Self {
            kind: config.topology,
            master: config.master.clone().unwrap_or_default(),
            configured,
            connector: Arc::clone(connector),
            known: RwLock::new(Known { members: Arc::new(members), ..Known::default() }),
            asking: tokio::sync::Mutex::new(()),
        }
    }

    /// The nodes, asked for just now or a few seconds ago.
    pub(crate) async fn current(self: &Arc<Self>) -> Result<Members, NodeError> {
        if self.kind == TopologyKind::Standalone {
            return Ok(self.members());
        }
        match self.state() {
            State::Fresh => Ok(self.members()),
            State::Usable => {
                let nodes = Arc::clone(self);
                tokio::spawn(async move {
                    // Who is asking already does it for all.
                    if let Ok(_alone) = nodes.asking.try_lock() {
                        let _failure_is_kept = nodes.ask().await;
                    }
                });
                Ok(self.members())
            }
            State::Needed => {
                let _alone = self.asking.lock().await;
                match self.state() {
                    State::Needed => self.ask().await,
                    State::Fresh | State::Usable => Ok(self.members()),
                }
            }
        }
    }

    /// Something about the list was wrong: it is asked for again before it is used the next time, unless that was just done.
    pub(crate) fn doubt(&self) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.read_at = known.read_at.filter(|at| at.elapsed() < TOPOLOGY_PAUSE);
    }

    /// The last list, whatever its age.
    pub(crate) fn members(&self) -> Members {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner).members)
    }

    fn state(&self) -> State {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let just_failed = known.failed_at.is_some_and(|at| at.elapsed() < TOPOLOGY_PAUSE);
        match known.read_at {
            Some(at) if at.elapsed() < TOPOLOGY_AGE_MAX => State::Fresh,
            _ if just_failed && !known.members.is_empty() => State::Fresh,
            Some(at) if at.elapsed() < TOPOLOGY_STALE_MAX => State::Usable,
            _ => State::Needed,
        }
    }

    /// Asks for the list. If nobody tells, the last one serves.
    async fn ask(&self) -> Result<Members, NodeError> {
        let found = match self.kind {
            TopologyKind::Standalone => return Ok(self.members()),
            TopologyKind::Sentinel => self.ask_sentinels().await,
            TopologyKind::Cluster => self.ask_cluster().await,
        };
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        match found {
            Ok(found) => {
                known.members = Arc::new(self.keep(&known.members, found));
                known.read_at = Some(Instant::now());
                known.failed_at = None;
            }
            Err(error) if known.members.is_empty() => return Err(error),
            Err(error) => {
                tracing::warn!(%error, "nobody tells which nodes there are; those known before are used");
                known.failed_at = Some(Instant::now());
            }
        }
        Ok(Arc::clone(&known.members))
    }

    /// A node that was there before keeps its connection and what is known of it.
    fn keep(&self, before: &Members, found: Vec<Found>) -> Vec<Member> {
        let mut known: HashMap<&Address, &Arc<Node>> = HashMap::new();
        if self.kind == TopologyKind::Cluster {
            known.extend(self.configured.iter().map(|node| (&node.address, node)));
        }
        known.extend(before.iter().map(|member| (&member.node.address, &member.node)));
        let member = |found: Found| Member {
            node: match known.get(&found.address) {
                Some(node) => Arc::clone(node),
                None => Arc::new(Node::new(found.address, Arc::clone(&self.connector))),
            },
            need: found.need,
        };
        found.into_iter().take(NODES_MAX).map(member).collect()
    }

    async fn ask_sentinels(&self) -> Result<Vec<Found>, NodeError> {
        let asked = join_all(self.configured.iter().map(|node| ask_sentinel(node, &self.master))).await;
        let mut failure = None;
        let answers: Vec<_> =
            asked.into_iter().filter_map(|answer| answer.map_err(|error| failure = Some(error)).ok()).collect();
        let found = sentinel::read(answers);
        match (found.iter().any(|found| found.need == Need::Serves), failure) {
            (true, _) => Ok(found),
            (false, Some(error)) => Err(error),
            (false, None) => Err(self.nobody(format!("none of the Sentinels knows a master {:?}", self.master))),
        }
    }

    async fn ask_cluster(&self) -> Result<Vec<Found>, NodeError> {
        let members = self.members();
        let mut candidates: Vec<Arc<Node>> = members.iter().map(|member| Arc::clone(&member.node)).collect();
        for seed in &self.configured {
            if !candidates.iter().any(|node| node.address == seed.address) {
                candidates.push(Arc::clone(seed));
            }
        }
        let asked = candidates.into_iter().map(|node| async move {
            let answer = node.call(&wire::words(&["CLUSTER", "NODES"])).await?;
            Ok((node.address.clone(), wire::text(answer).unwrap_or_default()))
        });
        let mut answers = futures_util::stream::iter(asked).buffer_unordered(ASKED_AT_ONCE);
        let (mut best, mut failure) = (ClusterView::default(), None);
        while let Some(answer) = answers.next().await {
            match answer {
                Ok((asked, text)) => {
                    let view = ClusterView::read(&text, &asked, self.names());
                    if view.tells_more_than(&best) {
                        best = view;
                    }
                }
                Err(error) => failure = Some(error),
            }
            if best.is_whole() {
                return Ok(best.nodes);
            }
        }
        match (best.nodes.is_empty(), failure) {
            (false, _) => Ok(best.nodes),
            (true, Some(error)) => Err(error),
            (true, None) => Err(self.nobody("it is no node of a Cluster".to_owned())),
        }
    }

    fn names(&self) -> Names {
        if self.connector.tls.is_some() { Names::Hosts } else { Names::Addresses }
    }

    fn nobody(&self, reason: String) -> NodeError {
        let first = self.configured.first().map(|node| node.address.clone());
        NodeError::refused(&first.unwrap_or_else(|| Address { host: "nobody".to_owned(), port: 0 }), reason)
    }
}

/// What the list is good for.
enum State {
    /// It is used.
    Fresh,
    /// It is used, and asked for meanwhile.
    Usable,
    /// It is asked for first.
    Needed,
}

async fn ask_sentinel(node: &Node, master: &str) -> Result<(Value, Value), NodeError> {
    Ok((node.call(&sentinel::ask_master(master)).await?, node.call(&sentinel::ask_replicas(master)).await?))
}

/// Has every one of these nodes carry out a command, all at the same time.
pub(crate) async fn on_each<'a>(
    members: impl IntoIterator<Item = &'a Member>,
    command: &Cmd,
) -> Vec<(&'a Member, Result<Value, NodeError>)> {
    join_all(members.into_iter().map(|member| async move { (member, member.node.call(command).await) })).await
}

impl std::fmt::Debug for Nodes {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_list().entries(self.members().iter().map(|member| &member.node.address)).finish()
    }
}
