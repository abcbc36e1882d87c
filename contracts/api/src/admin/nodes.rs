// SPDX-License-Identifier: Apache-2.0
//! Nodes, and the join tokens with which they become members.

use cress_domain::{JoinTokenId, MachineId, Name};
use serde::{Deserialize, Serialize};

/// A node of the fleet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its id: `salad_machine_id` in tokens.
    pub machine_id: MachineId,
    /// Its name, for people.
    pub name: String,
    /// Whether it may work.
    pub state: NodeState,
    /// Whether its stream is open.
    pub connected: bool,
    /// How many instances it is ready to run.
    pub capacity: u32,
    /// How many are placed on it.
    pub instances: u32,
    /// The most instances that it may announce, as its join token said; absent: no cap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity_max: Option<u32>,
    /// The organizations whose instances it may run, by name, or by id if they are gone; absent: everyone's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organizations: Option<Vec<String>>,
    /// When it joined, RFC 3339.
    pub enrolled_at: String,
    /// When its certificate ends, RFC 3339.
    pub certificate_not_after: String,
    /// When it was last noticed that two agents run with its key, RFC 3339; absent: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duplicated_at: Option<String>,
}

/// Whether a node may work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// It may.
    Active,
    /// It may not, and never again with this key.
    Banned,
}

/// Body that makes a join token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateJoinToken {
    /// How long it may be used: 60 s to 7 days; an hour by default.
    #[serde(default = "join_token_ttl_default")]
    pub ttl_seconds: u32,
    /// The most instances that the node may announce; none: no cap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity_max: Option<u32>,
    /// The organizations whose instances the node may run; none: everyone's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub organizations: Vec<Name>,
}

/// An hour.
#[must_use]
pub const fn join_token_ttl_default() -> u32 {
    3_600
}

/// A join token just made: the only time that its secret is shown.
#[derive(Serialize, Deserialize)]
pub struct NewJoinToken {
    /// Its id, to revoke it.
    pub id: JoinTokenId,
    /// The text for `cress node --join-token-file`.
    pub join_token: String,
    /// When it ends, RFC 3339.
    pub expires_at: String,
}

impl std::fmt::Debug for NewJoinToken {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "NewJoinToken({})", self.id)
    }
}

/// A join token in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinToken {
    /// Its id.
    pub id: JoinTokenId,
    /// When it ends, RFC 3339.
    pub expires_at: String,
    /// Whether it can still enrol a node.
    pub state: JoinTokenState,
    /// The most instances that its node may announce; absent: no cap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity_max: Option<u32>,
    /// The organizations whose instances its node may run, by name, or by id if they are gone; absent: everyone's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organizations: Option<Vec<String>>,
    /// The node that it enrolled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machine_id: Option<MachineId>,
}

/// Whether a join token can still enrol a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JoinTokenState {
    /// It can.
    Open,
    /// It has enrolled its node.
    Used,
    /// It was not used in time.
    Expired,
    /// It was revoked.
    Revoked,
}
