// SPDX-License-Identifier: Apache-2.0
//! Turns rows into records.

use std::collections::BTreeSet;
use std::sync::Arc;

use cress_domain::{GroupDefinition, OrganizationId};
use sqlx::any::AnyRow;

use super::{
    CertificateAuthorityRecord, EndedInstance, GroupRecord, InstanceRecord, JoinTokenRecord, JoinTokenState,
    JoinTokenUse, NodeRecord, NodeState, OrganizationRecord, ProjectRecord,
};
use crate::StoreError;
use crate::row::{Columns, unreadable};

pub(super) fn organization(row: &AnyRow) -> Result<OrganizationRecord, StoreError> {
    Ok(OrganizationRecord { id: row.parsed("id")?, name: row.parsed("name")? })
}

pub(super) fn project(row: &AnyRow) -> Result<ProjectRecord, StoreError> {
    Ok(ProjectRecord {
        id: row.parsed("id")?,
        organization_id: row.parsed("organization_id")?,
        name: row.parsed("name")?,
    })
}

pub(super) fn group(row: &AnyRow) -> Result<Arc<GroupRecord>, StoreError> {
    Ok(Arc::new(GroupRecord {
        id: row.parsed("id")?,
        name: row.parsed("name")?,
        project_id: row.parsed("project_id")?,
        project_name: row.parsed("project_name")?,
        organization_id: row.parsed("organization_id")?,
        organization_name: row.parsed("organization_name")?,
        definition: definition(row)?,
    }))
}

pub(super) fn definition(row: &AnyRow) -> Result<GroupDefinition, StoreError> {
    serde_json::from_str(row.raw("definition")?).map_err(|error| unreadable("definition", error))
}

pub(super) fn definition_text(definition: &GroupDefinition) -> Result<String, StoreError> {
    serde_json::to_string(definition)
        .map_err(|error| StoreError::permanent(format!("the definition cannot be written as JSON: {error}")))
}

pub(super) fn node(row: &AnyRow) -> Result<NodeRecord, StoreError> {
    Ok(NodeRecord {
        machine_id: row.parsed("machine_id")?,
        name: row.raw("name")?,
        key_fingerprint: row.parsed("key_fingerprint")?,
        capacity: row.number("capacity")?,
        capacity_max: row.number_or_null("capacity_max")?,
        organizations: organizations(row)?,
        state: node_state(row.raw("state")?)?,
        enrolled_at: row.moment("enrolled_at")?,
        boot_id: row.parsed_or_null("boot_id")?,
        boot_id_before: row.parsed_or_null("boot_id_before")?,
        duplicated_at: row.moment_or_null("duplicated_at")?,
        certificate_not_after: row.moment("certificate_not_after")?,
    })
}

fn organizations(row: &AnyRow) -> Result<Option<BTreeSet<OrganizationId>>, StoreError> {
    let Some(text) = row.raw::<Option<&str>>("organizations")? else { return Ok(None) };
    let ids = text.split_ascii_whitespace().map(str::parse);
    ids.collect::<Result<_, _>>().map(Some).map_err(|error| unreadable("organizations", error))
}

pub(super) fn organizations_text(organizations: Option<&BTreeSet<OrganizationId>>) -> Option<String> {
    let ids = organizations?.iter().map(OrganizationId::to_string);
    Some(ids.collect::<Vec<_>>().join(" "))
}

/// As in the table's CHECK.
impl NodeState {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Banned => "banned",
        }
    }
}

fn node_state(text: &str) -> Result<NodeState, StoreError> {
    [NodeState::Active, NodeState::Banned]
        .into_iter()
        .find(|state| state.as_str() == text)
        .ok_or_else(|| unreadable("state", "expected active or banned"))
}

pub(super) fn join_token(row: &AnyRow) -> Result<JoinTokenRecord, StoreError> {
    let used_by = row.parsed_or_null("machine_id")?.zip(row.parsed_or_null("key_fingerprint")?);
    let used_by = used_by.map(|(machine_id, key_fingerprint)| JoinTokenUse { machine_id, key_fingerprint });
    let state = match (row.moment_or_null("revoked_at")?, used_by) {
        (Some(_), _) => JoinTokenState::Revoked,
        (None, Some(_)) => JoinTokenState::Used,
        (None, None) => JoinTokenState::Open,
    };
    Ok(JoinTokenRecord {
        id: row.parsed("id")?,
        expires_at: row.moment("expires_at")?,
        capacity_max: row.number_or_null("capacity_max")?,
        organizations: organizations(row)?,
        state,
        used_by,
    })
}

pub(super) fn instance(row: &AnyRow) -> Result<InstanceRecord, StoreError> {
    Ok(InstanceRecord {
        id: row.parsed("id")?,
        container_group_id: row.parsed("container_group_id")?,
        machine_id: row.parsed("machine_id")?,
        deletion_cost: row.number("deletion_cost")?,
        placed_at: row.moment("placed_at")?,
    })
}

pub(super) fn ended_instance(row: &AnyRow) -> Result<EndedInstance, StoreError> {
    Ok(EndedInstance {
        id: row.parsed("id")?,
        machine_id: row.parsed("machine_id")?,
        ended_at: row.moment("ended_at")?,
    })
}

pub(super) fn certificate_authority(row: &AnyRow) -> Result<CertificateAuthorityRecord, StoreError> {
    Ok(CertificateAuthorityRecord {
        fingerprint: row.parsed("fingerprint")?,
        certificate_der: row.raw("certificate_der")?,
        private_key: row.sealed()?,
        created_at: row.moment("created_at")?,
        signs_from: row.moment("signs_from")?,
        retires_at: row.moment_or_null("retires_at")?,
        cross_der: row.raw("cross_der")?,
    })
}
