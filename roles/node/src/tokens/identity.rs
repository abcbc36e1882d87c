// SPDX-License-Identifier: Apache-2.0
//! Whose tokens an instance may be served.

use cress_domain::{ContainerGroupId, InstanceId, MachineId, Name, OrganizationId};
use cress_token::Workload;

/// What the tokens of one instance must say about it, all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceIdentity {
    /// This node.
    pub machine_id: MachineId,
    /// The instance.
    pub instance_id: InstanceId,
    /// Its container group.
    pub container_group_id: ContainerGroupId,
    /// The container group's name.
    pub container_group_name: Name,
    /// Its organization, whose id is the default audience.
    pub organization_id: OrganizationId,
    /// The organization's name.
    pub organization_name: Name,
}

impl InstanceIdentity {
    /// Whether a token's workload is this very instance.
    pub(super) fn is(&self, workload: &Workload) -> bool {
        workload.machine_id == self.machine_id
            && workload.instance_id == Some(self.instance_id)
            && workload.container_group_id == self.container_group_id
            && workload.container_group_name == self.container_group_name
            && workload.organization_id == self.organization_id
            && workload.organization_name == self.organization_name
    }
}
