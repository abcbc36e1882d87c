// SPDX-License-Identifier: Apache-2.0
//! The admin API: HTTP and JSON over a Unix socket that only its owner may open.
//! Errors are problem+json. Names are unique within their parent.

mod nodes;

pub use nodes::{CreateJoinToken, JoinToken, JoinTokenState, NewJoinToken, Node, NodeState, join_token_ttl_default};

use cress_domain::{ContainerGroupId, GroupDefinition, InstanceId, KeyId, MachineId, Name, OrganizationId, ProjectId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// File name of the socket in control's data directory.
pub const SOCKET_FILE: &str = "admin.sock";

/// Paths of the admin API. `{...}` stand for one percent-encoded segment.
pub mod paths {
    /// `GET` list, `POST` [`super::CreateOrganization`].
    pub const ORGANIZATIONS: &str = "/v1/organizations";
    /// `DELETE`.
    pub const ORGANIZATION: &str = "/v1/organizations/{organization}";
    /// `GET` list, `POST` [`super::CreateProject`].
    pub const PROJECTS: &str = "/v1/organizations/{organization}/projects";
    /// `DELETE`.
    pub const PROJECT: &str = "/v1/organizations/{organization}/projects/{project}";
    /// `GET` list, `POST` [`super::CreateContainerGroup`].
    pub const CONTAINER_GROUPS: &str = "/v1/organizations/{organization}/projects/{project}/containers";
    /// `GET`, `PUT` [`super::ReplaceContainerGroup`], `DELETE`.
    pub const CONTAINER_GROUP: &str = "/v1/organizations/{organization}/projects/{project}/containers/{group}";
    /// `PUT` [`super::Scale`].
    pub const REPLICAS: &str = "/v1/organizations/{organization}/projects/{project}/containers/{group}/replicas";
    /// `GET` every live instance of the fleet.
    pub const INSTANCES: &str = "/v1/instances";
    /// `GET` what ended lately, the newest first: within a day, and no more than ten thousand.
    pub const INSTANCES_ENDED: &str = "/v1/instances/ended";
    /// `GET` list.
    pub const NODES: &str = "/v1/nodes";
    /// `DELETE`.
    pub const NODE: &str = "/v1/nodes/{machine_id}";
    /// `POST`.
    pub const NODE_BAN: &str = "/v1/nodes/{machine_id}/ban";
    /// `GET` list, `POST` [`super::CreateJoinToken`].
    pub const JOIN_TOKENS: &str = "/v1/join-tokens";
    /// `DELETE`.
    pub const JOIN_TOKEN: &str = "/v1/join-tokens/{id}";
    /// `GET` list.
    pub const KEYS: &str = "/v1/keys";
    /// `POST`: switches to the next key now if its lead time allows.
    pub const KEYS_ROTATE: &str = "/v1/keys/rotate";
    /// `POST` [`super::RevokeKey`]: the emergency.
    pub const KEYS_REVOKE: &str = "/v1/keys/revoke";
    /// `GET` list.
    pub const KEY_ENCRYPTION_KEYS: &str = "/v1/key-encryption-keys";
    /// `POST`: reads their sources anew.
    pub const KEY_ENCRYPTION_KEYS_RELOAD: &str = "/v1/key-encryption-keys/reload";
    /// `POST` [`super::RotateKeyEncryptionKeys`]: seals every private key anew with the active one.
    pub const KEY_ENCRYPTION_KEYS_ROTATE: &str = "/v1/key-encryption-keys/rotate";
    /// `GET` list of the certificate authorities of the node API.
    pub const AUTHORITIES: &str = "/v1/authorities";
    /// `POST`: makes another authority, which takes over after its lead time; the answer is the list.
    pub const AUTHORITIES_ROTATE: &str = "/v1/authorities/rotate";
    /// `DELETE`: the emergency. Trusts an authority no more, at once.
    pub const AUTHORITY: &str = "/v1/authorities/{fingerprint}";
}

/// A list answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct List<T> {
    /// The items, in a stable order.
    pub items: Vec<T>,
}

/// Body that makes an organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateOrganization {
    /// Its name.
    pub name: Name,
}

/// An organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organization {
    /// Its id: the default audience of its tokens.
    pub id: OrganizationId,
    /// Its name.
    pub name: Name,
}

/// Body that makes a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateProject {
    /// Its name.
    pub name: Name,
}

/// A project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// Its name.
    pub name: Name,
}

/// Body that makes a container group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateContainerGroup {
    /// Its name.
    pub name: Name,
    /// What it runs.
    pub definition: GroupDefinition,
}

/// Body that replaces a container group's definition; instances of the old one are replaced if what they run has changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplaceContainerGroup {
    /// What it runs from now on.
    pub definition: GroupDefinition,
}

/// Body that changes the number of replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// 0 to 500.
    pub replicas: u32,
}

/// A container group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerGroup {
    /// Its id: `salad_workload_id` in tokens.
    pub id: ContainerGroupId,
    /// Its name: `salad_workload_name` in tokens.
    pub name: Name,
    /// What it runs.
    pub definition: GroupDefinition,
    /// How many of its replicas are placed on a node.
    pub placed: u32,
}

/// One live instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Its id.
    pub id: InstanceId,
    /// The node it is placed on.
    pub machine_id: MachineId,
    /// Names of its organization, project and container group.
    pub organization: Name,
    /// See `organization`.
    pub project: Name,
    /// See `organization`.
    pub container_group: Name,
    /// Its container group's id.
    pub container_group_id: ContainerGroupId,
    /// What its node last said of it; absent until it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<InstanceState>,
    /// Whether the startup probe succeeded, as its node last said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<bool>,
    /// Whether the readiness probe succeeds, as its node last said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready: Option<bool>,
    /// How often its command was started again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restarts: Option<u32>,
    /// Lower goes first when replicas are scaled down.
    pub deletion_cost: i32,
    /// When it was placed, RFC 3339.
    pub placed_at: String,
    /// Why it is in its state, as its node last said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// An instance that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedInstance {
    /// Its id.
    pub id: InstanceId,
    /// The node that it was placed on.
    pub machine_id: MachineId,
    /// When it ended, RFC 3339.
    pub ended_at: String,
}

/// State of an instance, as its node reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum InstanceState {
    /// Waiting for its first token or its start.
    Creating,
    /// Its command runs.
    Running,
    /// It is being stopped.
    Stopping,
    /// Its command ended with 0 and stays so.
    Succeeded,
    /// Its command failed and stays so, or it cannot be started.
    Failed,
}

/// A certificate authority of the node API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authority {
    /// SHA-256 of its certificate, lower-case hex: what join tokens end with.
    pub fingerprint: String,
    /// What it does now.
    pub state: AuthorityState,
    /// When it was made and told to nodes, RFC 3339.
    pub created_at: String,
    /// From when it signs, RFC 3339.
    pub signs_from: String,
    /// From when it is trusted no more, RFC 3339; absent while no other is to follow it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retires_at: Option<String>,
    /// When its certificate ends, RFC 3339.
    pub not_after: String,
}

/// What a certificate authority does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthorityState {
    /// Told to nodes, signs nothing yet.
    Next,
    /// Signs.
    Signing,
    /// Trusted, signs nothing any more.
    Retiring,
}

/// Body that revokes a signing key at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevokeKey {
    /// The key.
    pub kid: KeyId,
}

/// A signing key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningKey {
    /// Its id.
    pub kid: KeyId,
    /// What it does now.
    pub state: SigningKeyState,
    /// When it was made and published, RFC 3339.
    pub created_at: String,
    /// From when it signs, RFC 3339.
    pub signs_from: String,
    /// Until when it signs, RFC 3339.
    pub signs_until: String,
    /// When it leaves the key set, RFC 3339.
    pub published_until: String,
    /// The key-encryption key that protects it at rest.
    pub key_encryption_key: String,
}

/// A key-encryption key, and what depends on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyEncryptionKeyUse {
    /// Its id.
    pub id: String,
    /// Whether the replica that was asked seals with it.
    pub active: bool,
    /// Whether the replica that was asked has it.
    pub here: bool,
    /// How many private keys are sealed under it.
    pub seals: u64,
    /// The replicas that seal with it.
    pub sealing: Vec<String>,
    /// The replicas that do not have it.
    pub lacking: Vec<String>,
    /// Whether it may be taken from the sources of every replica: nothing is sealed under it, and nobody seals with it.
    pub removable: bool,
}

/// Body that seals private keys anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RotateKeyEncryptionKeys {
    /// Make a new key first, in control's own file. Refused where the operator has configured sources.
    #[serde(default)]
    pub make_new: bool,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotatedKeyEncryptionKeys {
    /// How many private keys were sealed anew: none if all were already.
    pub resealed: u64,
    /// The key-encryption keys from now on.
    pub keys: Vec<KeyEncryptionKeyUse>,
}

/// What a signing key does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SigningKeyState {
    /// Published, signs nothing yet.
    Next,
    /// Signs.
    Active,
    /// Verifies only.
    Retired,
    /// Left the key set.
    Gone,
    /// Revoked in an emergency: verifies nothing.
    Revoked,
}
