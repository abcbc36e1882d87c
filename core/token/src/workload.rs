// SPDX-License-Identifier: Apache-2.0
//! The workload that a token identifies, as types.

use std::str::FromStr;

use cress_domain::{ContainerGroupId, InstanceId, MachineId, Name, OrganizationId};

use crate::Claims;

/// Who holds the token: an instance of a container group on a machine.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Workload {
    /// The machine that the instance runs on (`salad_machine_id`).
    pub machine_id: MachineId,
    /// The instance (`salad_instance_id`); the reference platform's tokens carry none.
    pub instance_id: Option<InstanceId>,
    /// The container group (`salad_workload_id`).
    pub container_group_id: ContainerGroupId,
    /// Its name (`salad_workload_name`), chosen by the tenant: match the id where it matters.
    pub container_group_name: Name,
    /// The organization (`salad_organization_id`).
    pub organization_id: OrganizationId,
    /// Its name (`salad_organization_name`), chosen by the tenant: match the id where it matters.
    pub organization_name: Name,
}

impl Workload {
    /// Nothing if a claim is absent or malformed: half an identity is none.
    pub(crate) fn of(claims: &Claims) -> Option<Self> {
        let instance_id = match claims.claim(INSTANCE_ID) {
            Some(_) => Some(parse(claims, INSTANCE_ID)?),
            None => None,
        };
        Some(Self {
            machine_id: parse(claims, MACHINE_ID)?,
            instance_id,
            container_group_id: parse(claims, CONTAINER_GROUP_ID)?,
            container_group_name: parse(claims, CONTAINER_GROUP_NAME)?,
            organization_id: parse(claims, ORGANIZATION_ID)?,
            organization_name: parse(claims, ORGANIZATION_NAME)?,
        })
    }
}

pub(crate) const MACHINE_ID: &str = "salad_machine_id";
pub(crate) const INSTANCE_ID: &str = "salad_instance_id";
pub(crate) const CONTAINER_GROUP_ID: &str = "salad_workload_id";
pub(crate) const CONTAINER_GROUP_NAME: &str = "salad_workload_name";
pub(crate) const ORGANIZATION_ID: &str = "salad_organization_id";
pub(crate) const ORGANIZATION_NAME: &str = "salad_organization_name";

fn parse<T: FromStr>(claims: &Claims, name: &str) -> Option<T> {
    claims.claim(name)?.as_str()?.parse().ok()
}
