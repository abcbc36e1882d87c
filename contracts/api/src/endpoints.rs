// SPDX-License-Identifier: Apache-2.0
//! `endpoints.json`: where `cress up` put everything, for scripts.

use cress_domain::{InstanceId, MachineId, Name};
use serde::{Deserialize, Serialize};

/// The file's content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoints {
    /// Base URL of control's public API.
    pub control: String,
    /// URL of the JWKS.
    pub jwks: String,
    /// URL of the node protocol.
    pub node_api: String,
    /// Path of the certificate authority's certificates, PEM.
    pub ca: String,
    /// Path of the admin API's socket.
    pub admin_socket: String,
    /// URL of control's metrics.
    pub control_metrics: String,
    /// URL of the node's metrics.
    pub node_metrics: String,
    /// Base URL of the authorization service: `/verify` lets the example container group's tokens pass.
    pub authz: String,
    /// URL of its metrics.
    pub authz_metrics: String,
    /// Base URL of the broker's API.
    pub broker: String,
    /// Path of the certificate authority's certificate by which it is known, PEM.
    pub broker_ca: String,
    /// The audience of tokens for it: the metadata service gives one for `?audience=`.
    pub broker_audience: String,
    /// Path of its operator's socket.
    pub broker_socket: String,
    /// URL of its metrics.
    pub broker_metrics: String,
    /// The name of a credential that the example container group may have.
    pub example_credential: String,
    /// The running instances, in the order of their ports.
    pub instances: Vec<Instance>,
}

/// One running instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Its id.
    pub instance_id: InstanceId,
    /// The node that runs it.
    pub machine_id: MachineId,
    /// The name of its container group.
    pub container_group: Name,
    /// Base URL of its metadata service.
    pub imds: String,
}
