// SPDX-License-Identifier: Apache-2.0
//! What organizations are called: nodes and join tokens know their ids.

use std::collections::{BTreeMap, BTreeSet};

use cress_domain::{Name, OrganizationId};
use cress_store::StoreError;
use cress_store::control::ControlStore;

/// The names of all organizations.
pub(super) struct Names(BTreeMap<OrganizationId, Name>);

impl Names {
    pub(super) async fn load(store: &ControlStore) -> Result<Self, StoreError> {
        let organizations = store.organizations().await?;
        Ok(Self(organizations.into_iter().map(|organization| (organization.id, organization.name)).collect()))
    }

    /// The names of these, or the ids of those that are gone; none for everyone's.
    pub(super) fn of(&self, organizations: Option<&BTreeSet<OrganizationId>>) -> Option<Vec<String>> {
        let name = |id: &OrganizationId| self.0.get(id).map_or_else(|| id.to_string(), Name::to_string);
        Some(organizations?.iter().map(name).collect())
    }
}
