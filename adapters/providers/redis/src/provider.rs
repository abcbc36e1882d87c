// SPDX-License-Identifier: Apache-2.0
//! The provider: what is done for an account is done on every node.

use std::fmt;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use cress_domain::{AccountName, DeploymentId, Timestamp};
use cress_provider::{
    Capability, Credential, Finding, Footprint, Operation, Ports, Provider, ProviderError, ProviderErrorKind, Renewal,
    Revocation, Settings, SettingsError,
};
use futures_util::future::join_all;

use crate::check;
use crate::config::Config;
use crate::connect::Connector;
use crate::credential::AclCredential;
use crate::error::{NodeError, all_of};
use crate::locks::Locks;
use crate::nodes::{Member, Members, Nodes, on_each};
use crate::repair::Repairs;
use crate::topology::Need;
use crate::wire;

/// One Redis: a server, a master with its replicas, or a Cluster.
#[derive(Clone)]
pub(crate) struct Redis(Arc<Inner>);

/// What the provider and its credentials share.
pub(crate) struct Inner {
    pub(crate) config: Config,
    pub(crate) ports: Ports,
    pub(crate) nodes: Arc<Nodes>,
    pub(crate) locks: Locks,
    repairs: Repairs,
    /// Whose accounts are here, once any call has told.
    deployment: OnceLock<DeploymentId>,
}

impl Redis {
    pub(crate) fn new(config: Config, ports: &Ports) -> Self {
        let connector = |username: Option<String>, password| {
            Arc::new(Connector {
                username,
                password,
                tls: config.tls.clone(),
                plaintext: config.plaintext,
                timeout: config.timeout(),
                ports: ports.clone(),
            })
        };
        let of_nodes = connector(Some(config.username.clone()), config.password.clone());
        let of_sentinels = connector(config.sentinel_username.clone(), config.sentinel_password.clone());
        let nodes = Arc::new(Nodes::new(&config, &of_nodes, &of_sentinels));
        Self(Arc::new(Inner {
            config,
            ports: ports.clone(),
            nodes,
            locks: Locks::default(),
            repairs: Repairs::default(),
            deployment: OnceLock::new(),
        }))
    }
}

impl Inner {
    /// The nodes, for this operation.
    pub(crate) async fn members(&self, operation: Operation) -> Result<Members, ProviderError> {
        self.nodes.current().await.map_err(|error| error.of_operation(operation))
    }

    /// Remembers whose accounts these are, and has nodes that came back compared with the others.
    pub(crate) fn noticed(self: &Arc<Self>, deployment: DeploymentId, members: &Members) {
        let deployment = *self.deployment.get_or_init(|| deployment);
        if members.len() > 1 && members.iter().any(|member| member.node.wants_repair()) && self.repairs.may_begin() {
            let inner = Arc::clone(self);
            tokio::spawn(async move {
                if let Err(errors) = inner.repairs.run(&inner, deployment).await {
                    tracing::warn!(error = %all_of(&errors, Operation::Maintain), "not every node has been made equal to the others yet");
                }
            });
        }
    }

    /// Has the nodes write what was changed, soon.
    pub(crate) fn save_soon<'a>(&self, members: impl IntoIterator<Item = &'a Member>) {
        for member in members {
            member.node.save_soon(self.config.persistence);
        }
    }

    /// Removes it everywhere, or says where it could not be done.
    async fn delete(&self, account: &AccountName, members: &Members) -> Result<(), Vec<NodeError>> {
        let outcomes = on_each(members.iter(), &wire::delete_user(&account.to_string())).await;
        let (done, failed): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(|(_, outcome)| outcome.is_ok());
        if failed.is_empty() {
            return self.saved(members).await;
        }
        // Where it is ended a mark stays, until it is ended everywhere: a node that comes back must not give it to the others again.
        let done: Vec<&Member> = done.into_iter().map(|(member, _)| member).collect();
        let _next_time = on_each(done.iter().copied(), &wire::set_ended(account)).await;
        self.save_soon(done);
        Err(failed.into_iter().filter_map(|(_, outcome)| outcome.err()).collect())
    }

    /// Waits until all that was done is on the disks, so that no node comes back with an account that was ended.
    async fn saved(&self, members: &Members) -> Result<(), Vec<NodeError>> {
        let saving = members.iter().map(|member| member.node.saved(self.config.persistence));
        let failed: Vec<_> = join_all(saving).await.into_iter().filter_map(Result::err).collect();
        if failed.is_empty() { Ok(()) } else { Err(failed) }
    }
}

#[async_trait]
impl Provider for Redis {
    fn kind(&self) -> &'static str {
        crate::KIND
    }

    fn capability(&self) -> Capability {
        Capability { revocation: Revocation::Immediate, renewal: Renewal::Extends, footprint: Footprint::Account }
    }

    fn credential(&self, settings: &Settings) -> Result<Arc<dyn Credential>, SettingsError> {
        Ok(Arc::new(AclCredential::new(Arc::clone(&self.0), settings)?))
    }

    async fn check(&self) -> Result<Vec<Finding>, ProviderError> {
        check::provider(&self.0).await
    }

    /// An account here has no end of its own: it is looked whether it is still there.
    async fn extend(&self, account: &AccountName, _expires_at: Timestamp) -> Result<(), ProviderError> {
        let members = self.0.members(Operation::Extend).await?;
        let _call = self.0.locks.call(account).await;
        let mut failed = Vec::new();
        let mut is_live = false;
        for (_, outcome) in on_each(members.iter(), &wire::get_user(account)).await {
            match outcome {
                Ok(answer) => is_live |= wire::is_live(answer),
                Err(error) => failed.push(error),
            }
        }
        self.0.noticed(account.deployment(), &members);
        match (is_live, failed.is_empty()) {
            (true, _) => Ok(()),
            (false, true) => {
                let reason =
                    format!("expected an account {account} on some node, found none; ask for another credential");
                Err(ProviderError::new(ProviderErrorKind::Gone, Operation::Extend, reason))
            }
            (false, false) => Err(all_of(&failed, Operation::Extend)),
        }
    }

    async fn revoke(&self, account: &AccountName) -> Result<(), ProviderError> {
        let members = self.0.members(Operation::Revoke).await?;
        let _call = self.0.locks.call(account).await;
        let outcome = self.0.delete(account, &members).await;
        if outcome.is_err() {
            self.0.nodes.doubt();
        }
        self.0.noticed(account.deployment(), &members);
        outcome.map_err(|errors| all_of(&errors, Operation::Revoke))
    }

    async fn accounts(&self, deployment: DeploymentId) -> Result<Vec<AccountName>, ProviderError> {
        let members = self.0.members(Operation::List).await?;
        let mut accounts = Vec::new();
        let mut failed = Vec::new();
        for (member, outcome) in on_each(members.iter(), &wire::acl("USERS")).await {
            match outcome {
                Ok(answer) => accounts.extend(wire::accounts(answer, deployment)),
                // What such a node has is seen when it is back.
                Err(error) if member.need == Need::CanFollow && error.is_away() => {}
                Err(error) => failed.push(error),
            }
        }
        if !failed.is_empty() {
            return Err(all_of(&failed, Operation::List));
        }
        accounts.sort_unstable();
        accounts.dedup();
        self.0.noticed(deployment, &members);
        Ok(accounts)
    }

    async fn maintain(&self) -> Result<(), ProviderError> {
        let members = self.0.members(Operation::Maintain).await?;
        let mut failed: Vec<NodeError> = Vec::new();
        // Who was started anew says so only when it is spoken to.
        for (_, outcome) in on_each(members.iter(), &wire::words(&["PING"])).await {
            failed.extend(outcome.err());
        }
        if let Some(deployment) = self.0.deployment.get() {
            self.0.repairs.run(&self.0, *deployment).await.unwrap_or_else(|errors| failed.extend(errors));
        }
        let unsaved = members.iter().filter(|member| member.node.saver.is_wanted());
        let saving = unsaved.map(|member| member.node.saved(self.0.config.persistence));
        failed.extend(join_all(saving).await.into_iter().filter_map(Result::err));
        // A node is told once, whatever failed there.
        failed.sort_by(|one, other| one.node.cmp(&other.node));
        failed.dedup_by(|one, other| one.node == other.node);
        if failed.is_empty() { Ok(()) } else { Err(all_of(&failed, Operation::Maintain)) }
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Redis")
            .field("topology", &self.0.config.topology)
            .field("nodes", &self.0.nodes)
            .finish_non_exhaustive()
    }
}
