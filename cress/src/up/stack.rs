// SPDX-License-Identifier: Apache-2.0
//! Control, a node, the authorization service and the broker in one process: started in this order, stopped in the other.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use cress_api::admin::{ContainerGroup, CreateJoinToken, join_token_ttl_default};
use cress_api::endpoints::{Endpoints, Instance};
use cress_client::AdminClient;
use cress_domain::Secret;
use cress_driver_process::Network;
use cress_node::{InstanceState, InstanceSummary};
use cress_service::shutdown::DRAIN_DEFAULT;
use cress_service::{Shutdown, SystemClock, SystemRandom};

use super::broker::{self, Broker};
use super::example;
use super::layout::Layout;
use crate::{authz, node, runtime};

/// How long the example instances may take until each has its token.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often control is asked meanwhile.
const PAUSE: Duration = Duration::from_millis(50);

/// Everything that runs.
#[derive(Debug)]
pub(super) struct Stack {
    control: cress_control::Started,
    control_shutdown: Shutdown,
    node: cress_node::Started,
    node_shutdown: Shutdown,
    authz: cress_authz::Started,
    authz_shutdown: Shutdown,
    broker: Broker,
}

impl Stack {
    /// Starts everything and waits until this many instances have their tokens.
    pub(super) async fn start(layout: &Layout, instances: u32) -> anyhow::Result<Self> {
        let (control_shutdown, node_shutdown) = (Shutdown::new(DRAIN_DEFAULT), Shutdown::new(DRAIN_DEFAULT));
        let ports = cress_control::Ports {
            clock: Arc::new(SystemClock::new()),
            random: Arc::new(SystemRandom),
            shutdown: control_shutdown.clone(),
        };
        let control = cress_control::start(layout.control(), ports).await.context(CANNOT_START)?;
        let admin = AdminClient::new(&control.admin_socket)?;
        let node_config = layout.node(control.node_api_url.clone(), join_token(layout, &admin).await?);
        let driver = node::process_driver(&node_config.data_dir, Network::Host);
        let node =
            cress_node::start(node_config, node::ports(driver, node_shutdown.clone())).await.context(CANNOT_START)?;
        let group = example::provide(&admin, instances).await.context("cannot make the example container group")?;
        let authz_shutdown = Shutdown::new(DRAIN_DEFAULT);
        let (issuer, rule) = example::access(&admin, &control, &group).await?;
        let authz_ports = authz::ports(authz_shutdown.clone(), None);
        let authz = cress_authz::start(layout.authz(issuer, rule), authz_ports).await.context(CANNOT_START)?;
        let broker =
            Broker::start(layout, &control, &group, Shutdown::new(DRAIN_DEFAULT)).await.context(CANNOT_START)?;
        let mut stack = Self { control, control_shutdown, node, node_shutdown, authz, authz_shutdown, broker };
        stack.wait_for_tokens(&admin, &group).await?;
        Ok(stack)
    }

    /// Where everything is.
    pub(super) fn endpoints(&self) -> Endpoints {
        let mut instances: Vec<Instance> = self.node.instances.borrow().iter().map(endpoint).collect();
        instances.sort_by_key(|one| port(&one.imds));
        Endpoints {
            control: self.control.public_url.to_string(),
            jwks: self.control.jwks_url.to_string(),
            node_api: self.control.node_api_url.clone(),
            ca: self.control.ca_file.display().to_string(),
            admin_socket: self.control.admin_socket.display().to_string(),
            control_metrics: format!("http://{}/metrics", self.control.metrics),
            node_metrics: format!("http://{}/metrics", self.node.metrics),
            authz: self.authz.url.clone(),
            authz_metrics: format!("http://{}/metrics", self.authz.metrics),
            broker: self.broker.started.url.clone(),
            broker_ca: self.broker.ca_file.clone(),
            broker_audience: self.broker.started.audience.to_string(),
            broker_socket: self.broker.started.socket.display().to_string(),
            broker_metrics: format!("http://{}/metrics", self.broker.started.metrics),
            example_credential: broker::CREDENTIAL.to_owned(),
            instances,
        }
    }

    /// Runs until someone asks to stop or a part of it ends, and tells each change of the endpoints.
    pub(super) async fn run_until_stopped(&mut self, signals: &Shutdown, changed: impl Fn(&Endpoints)) {
        loop {
            tokio::select! {
                () = signals.requested() => return,
                () = self.control_shutdown.requested() => return,
                () = self.node_shutdown.requested() => return,
                () = self.authz_shutdown.requested() => return,
                () = self.broker.shutdown.requested() => return,
                change = self.node.instances.changed() => match change {
                    Ok(()) => changed(&self.endpoints()),
                    Err(_node_ended) => return,
                },
            }
        }
    }

    /// Stops what is asked for tokens, then the node, which may still need control, then control.
    pub(super) async fn stop(self) -> ExitCode {
        let shutdowns = [&self.control_shutdown, &self.node_shutdown, &self.authz_shutdown, &self.broker.shutdown];
        let failed = shutdowns.iter().any(|shutdown| shutdown.is_requested());
        self.authz_shutdown.request();
        self.broker.shutdown.request();
        let broker = runtime::exit_code(self.broker.shutdown.drain().await);
        let authz = runtime::exit_code(self.authz_shutdown.drain().await);
        self.node_shutdown.request();
        let node = runtime::exit_code(self.node_shutdown.drain().await);
        self.control_shutdown.request();
        let control = runtime::exit_code(self.control_shutdown.drain().await);
        let all_ended = [broker, authz, node].into_iter().all(|code| code == ExitCode::SUCCESS);
        if failed || !all_ended { ExitCode::FAILURE } else { control }
    }

    /// Waits until all replicas of the example are placed and have their tokens. One that cannot start, or was changed to
    /// end by itself, is shown as it is: the rest runs all the same.
    async fn wait_for_tokens(&mut self, admin: &AdminClient, group: &ContainerGroup) -> anyhow::Result<()> {
        let patience = tokio::time::sleep(PATIENCE);
        tokio::pin!(patience);
        while !self.has_tokens(admin, group).await? {
            tokio::select! {
                changed = self.node.instances.changed() => {
                    changed.context("the node ended before its instances had their tokens; --log info tells more")?;
                }
                () = tokio::time::sleep(PAUSE) => {}
                () = &mut patience => {
                    tracing::warn!("not all example instances have a token yet; `cress admin instances list` tells more");
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    async fn has_tokens(&self, admin: &AdminClient, group: &ContainerGroup) -> anyhow::Result<bool> {
        let placed = admin.instances().await?;
        let examples: Vec<_> = placed.iter().filter(|one| one.container_group_id == group.id).collect();
        let running = self.node.instances.borrow();
        let is_settled = |one: &InstanceSummary| {
            one.token_ready || matches!(one.state, InstanceState::Succeeded | InstanceState::Failed)
        };
        let settled = |id| running.iter().any(|one| one.instance_id == id && is_settled(one));
        let replicas = usize::try_from(group.definition.replicas)?;
        let gone = |one: &InstanceSummary| placed.iter().all(|other| other.id != one.instance_id);
        Ok(examples.len() == replicas && examples.iter().all(|one| settled(one.id)) && !running.iter().any(gone))
    }
}

const CANNOT_START: &str = "cannot start (--data-dir and --base-port choose other places)";

/// A join token, if the node needs one: at its first start.
async fn join_token(layout: &Layout, admin: &AdminClient) -> anyhow::Result<Option<Secret<String>>> {
    if !cress_node::needs_join_token(&layout.node_directory()) {
        return Ok(None);
    }
    let request =
        CreateJoinToken { ttl_seconds: join_token_ttl_default(), capacity_max: None, organizations: Vec::new() };
    let made = admin.create_join_token(request).await.context("cannot invite the node")?;
    Ok(Some(Secret::new(made.join_token)))
}

fn endpoint(summary: &InstanceSummary) -> Instance {
    Instance {
        instance_id: summary.instance_id,
        machine_id: summary.machine_id,
        container_group: summary.container_group.clone(),
        imds: summary.imds.clone(),
    }
}

fn port(url: &str) -> u16 {
    url.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or_default()
}
