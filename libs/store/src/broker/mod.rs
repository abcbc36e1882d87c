// SPDX-License-Identifier: Apache-2.0
//! What the broker keeps: leases, answers that are given again, and how it stands with each target.
//!
//! A lease is one row, and nothing about it is kept elsewhere: what is due is found by an index. Whatever is given out together is
//! written in one transaction ([`BrokerStore::write`]), with the caps checked in it, so that many grants cost one commit. This module
//! never calls a target, and never opens an envelope.

mod answers;
mod counts;
mod due;
mod intents;
mod lapse;
mod list;
mod owner;
mod records;
mod revoke;
mod rows;
mod secrets;
mod state;
mod targets;
mod write;

pub use due::GONE_LIFE;
pub use owner::Owner;
pub use records::{
    Abandonment, Activation, Caps, DueLease, Ending, FailedRevocation, Intention, KeptAnswer, LeaseFilter, LeaseRecord,
    LeaseStatus, LeaseStatusError, NewAnswer, NewLease, OWED_COUNTED_MAX, Owed, Page, Renewal, Renewed, Selection,
    TargetRecord,
};
pub use revoke::Revoked;
pub use secrets::SecretVersionRecord;
pub use state::Beat;
pub use write::{Write, Written};

use crate::migration::{self, History, Presence};
use crate::{Database, StoreError};

pub(crate) const HISTORY: History = History {
    module: "broker",
    scripts: &[
        include_str!("../../migrations/broker/0001_leases.sql"),
        include_str!("../../migrations/broker/0002_secrets.sql"),
    ],
    presence: Presence::WhereUsed,
};

/// The broker's repository. Cheap to clone; all clones share the database's connections.
#[derive(Debug, Clone)]
pub struct BrokerStore {
    database: Database,
}

impl BrokerStore {
    /// Brings the broker's tables up to date and opens them.
    ///
    /// # Errors
    /// [`StoreError`]: permanent if the tables are newer than this program.
    pub async fn open(database: &Database) -> Result<Self, StoreError> {
        migration::migrate(database, &HISTORY).await?;
        Ok(Self { database: database.clone() })
    }
}
