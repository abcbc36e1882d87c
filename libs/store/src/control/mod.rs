// SPDX-License-Identifier: Apache-2.0
//! What control keeps: tenants, container groups, the fleet, join tokens, placements and certificate authorities.
//!
//! Whatever nodes or control's other replicas must learn of is stamped with a [`Revision`] in the same transaction; a replica
//! loads a [`Snapshot`] and then follows [`ControlStore::changes_since`].

mod authorities;
mod boots;
mod columns;
mod feed;
mod groups;
mod instances;
mod join;
mod join_tokens;
mod nodes;
mod placement;
mod prune;
mod records;
mod revision;
mod tenants;

use cress_domain::Random;

pub use feed::{Changes, Feed, Snapshot};
pub use join::JOIN_REPEAT_GRACE;
pub use prune::TOMBSTONE_LIFE;
pub use records::{
    AuthorityRetirement, BootId, BootNews, CertificateAuthorityRecord, CertificateRenewal, DeploymentId, EndedInstance,
    GroupRecord, InstanceRecord, JoinOutcome, JoinRefusal, JoinRequest, JoinTokenRecord, JoinTokenState, JoinTokenUse,
    NewContainerGroup, NewInstance, NewJoinToken, NodeRecord, NodeState, OrganizationRecord, PlacementPlan,
    ProjectRecord, Revision, RunningInstances,
};

use crate::migration::{self, History, Presence};
use crate::query::{execute, the_only};
use crate::row::{Columns, unreadable};
use crate::{Database, StoreError, hash};

pub(crate) const HISTORY: History = History {
    module: "control",
    scripts: &[
        include_str!("../../migrations/control/0001_fleet.sql"),
        include_str!("../../migrations/control/0002_placement_revision.sql"),
        include_str!("../../migrations/control/0010_authority_rotation.sql"),
        include_str!("../../migrations/control/0011_organizations_of_nodes.sql"),
        include_str!("../../migrations/control/0012_boots_of_nodes.sql"),
    ],
    presence: Presence::Always,
};

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
        migration::migrate(database, &HISTORY).await?;
        Ok(Self { database: database.clone() })
    }

    /// As it is, for looking at it alone.
    pub(crate) fn to_read(database: &Database) -> Self {
        Self { database: database.clone() }
    }

    /// See [`Database::scrub`]: to be called when private keys were wrapped anew.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn scrub(&self) -> Result<(), StoreError> {
        self.database.scrub().await
    }

    /// The id of this deployment: made at the first call, by whichever replica gets there first, and the same ever after.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn deployment_id(&self, random: &dyn Random) -> Result<DeploymentId, StoreError> {
        let candidate = DeploymentId::generate(random);
        let mut transaction = self.database.write().await?;
        let update = sqlx::query("UPDATE control_state SET deployment_id = $1 WHERE deployment_id IS NULL");
        execute(&mut transaction, update.bind(candidate.to_string())).await?;
        let select = sqlx::query("SELECT deployment_id FROM control_state");
        let text: String = the_only(&mut transaction, select, |row| row.raw("deployment_id")).await?;
        transaction.commit().await?;
        hash::parse_hex(&text)
            .map(DeploymentId)
            .ok_or_else(|| unreadable("deployment_id", "expected 32 hexadecimal digits"))
    }
}
