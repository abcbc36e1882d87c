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
        include_str!("../../migrations/control/0020_scrub_due.sql"),
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

    /// The same, if private keys were removed and nobody has done it since: one that failed, or was cut off, is repeated.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn scrub_if_due(&self) -> Result<(), StoreError> {
        let due = self.scrubs_due().await?;
        if due == 0 {
            return Ok(());
        }
        self.database.scrub().await?;
        let mut transaction = self.database.write().await?;
        // Whoever has removed others meanwhile waits for a scrub of its own.
        let done = sqlx::query("UPDATE control_state SET scrub_due = 0 WHERE scrub_due = $1").bind(due);
        execute(&mut transaction, done).await?;
        transaction.commit().await
    }

    async fn scrubs_due(&self) -> Result<i64, StoreError> {
        let mut transaction = self.database.read().await?;
        let select = sqlx::query("SELECT scrub_due FROM control_state");
        the_only(&mut transaction, select, |row| row.raw("scrub_due")).await
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
