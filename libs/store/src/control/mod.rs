// SPDX-License-Identifier: Apache-2.0
//! What control keeps: tenants, container groups, the fleet, join tokens, placements and certificate authorities.
//!
//! Whatever nodes or control's other replicas must learn of is stamped with a [`Revision`] in the same transaction; a replica
//! loads a [`Snapshot`] and then follows [`ControlStore::changes_since`].

mod authorities;
mod feed;
mod groups;
mod instances;
mod join_tokens;
mod nodes;
mod prune;
mod records;
mod tenants;

use cress_domain::Random;

pub use feed::{Changes, Feed, Snapshot};
pub use prune::TOMBSTONE_LIFE;
pub use records::{
    CertificateAuthorityRecord, CertificateRenewal, DeploymentId, EndedInstance, GroupRecord, InstanceRecord,
    JoinOutcome, JoinRefusal, JoinRequest, JoinTokenRecord, JoinTokenState, NewContainerGroup, NewInstance,
    NewJoinToken, NodeRecord, NodeState, OrganizationRecord, PlacementPlan, ProjectRecord, Revision, RunningInstances,
};

use crate::{Database, StoreError};

/// Control's repository. Cheap to clone; all clones share the database's connections.
#[derive(Debug, Clone)]
pub struct ControlStore {
    database: Database,
}

impl ControlStore {
    /// Brings control's tables up to date and opens them.
    ///
    /// # Errors
    /// [`StoreError`]: permanent if the tables are newer than this program.
    pub async fn open(database: &Database) -> Result<Self, StoreError> {
        Ok(Self { database: database.clone() })
    }

    /// The id of this deployment: made at the first call, by whichever replica gets there first, and the same ever after.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn deployment_id(&self, _random: &dyn Random) -> Result<DeploymentId, StoreError> {
        todo!()
    }
}
