// SPDX-License-Identifier: Apache-2.0
//! Nodes, their invitations, and instances.

use cress_api::admin::{CreateJoinToken, EndedInstance, Instance, JoinToken, NewJoinToken, Node, paths};
use cress_domain::{JoinTokenId, MachineId};
use reqwest::Method;

use super::AdminClient;
use crate::ClientError;
use crate::path::fill;

impl AdminClient {
    /// All live instances.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn instances(&self) -> Result<Vec<Instance>, ClientError> {
        self.list(paths::INSTANCES).await
    }

    /// Instances that ended lately, the newest first.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn ended_instances(&self) -> Result<Vec<EndedInstance>, ClientError> {
        self.list(paths::INSTANCES_ENDED).await
    }

    /// All nodes.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn nodes(&self) -> Result<Vec<Node>, ClientError> {
        self.list(paths::NODES).await
    }

    /// Bans a node: it may not work, and never again with its key.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn ban_node(&self, machine_id: MachineId) -> Result<(), ClientError> {
        self.ask(Method::POST, &fill(paths::NODE_BAN, &[&machine_id])).await
    }

    /// Removes a node; it may join again.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn remove_node(&self, machine_id: MachineId) -> Result<(), ClientError> {
        self.ask(Method::DELETE, &fill(paths::NODE, &[&machine_id])).await
    }

    /// Makes a join token. The answer is the only time that its secret is shown.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn create_join_token(&self, request: CreateJoinToken) -> Result<NewJoinToken, ClientError> {
        self.send(Method::POST, paths::JOIN_TOKENS, &request).await
    }

    /// All join tokens, without their secrets.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn join_tokens(&self) -> Result<Vec<JoinToken>, ClientError> {
        self.list(paths::JOIN_TOKENS).await
    }

    /// Revokes a join token.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn revoke_join_token(&self, id: JoinTokenId) -> Result<(), ClientError> {
        self.ask(Method::DELETE, &fill(paths::JOIN_TOKEN, &[&id])).await
    }
}
