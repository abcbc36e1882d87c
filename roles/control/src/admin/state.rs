// SPDX-License-Identifier: Apache-2.0
//! What the handlers of the admin API share.

use std::ops::Deref;
use std::sync::Arc;

use cress_domain::{Clock, Name, Random};
use cress_keyring::KeyRing;
use cress_store::StoreError;
use cress_store::control::{ControlStore, OrganizationRecord, ProjectRecord};

use super::token_shape::TokenShape;
use crate::ca::CertificateAuthority;
use crate::fleet::{FeedWaker, FleetView, Refreshed};
use crate::kek::KeyEncryption;
use crate::metrics::Counters;

/// The handlers' state. Clones are the same.
#[derive(Clone)]
pub(crate) struct Admin(Arc<Inner>);

struct Inner {
    parts: AdminParts,
}

/// What the admin API works with.
pub(crate) struct AdminParts {
    /// Where everything is kept.
    pub(crate) store: ControlStore,
    /// The keys that sign tokens.
    pub(crate) ring: KeyRing,
    /// What protects private keys at rest.
    pub(crate) key_encryption: KeyEncryption,
    /// Its fingerprint goes into join tokens.
    pub(crate) ca: CertificateAuthority,
    /// What nodes say of their instances.
    pub(crate) fleet: FleetView,
    /// To be woken after each write.
    pub(crate) waker: FeedWaker,
    /// Of how many characters a group's token would be.
    pub(crate) token_shape: TokenShape,
    /// Time.
    pub(crate) clock: Arc<dyn Clock>,
    /// Where ids and secrets come from.
    pub(crate) random: Arc<dyn Random>,
    /// Where failures are counted.
    pub(crate) counters: Counters,
}

impl Admin {
    /// The state of handlers that work with these parts.
    pub(crate) fn new(parts: AdminParts) -> Self {
        Self(Arc::new(Inner { parts }))
    }

    /// Lets the fleet's view hold what was committed before this call. If the store does not answer in time, it stays as it is.
    pub(super) async fn refresh_fleet(&self) {
        match self.waker.refreshed().await {
            Refreshed::Yes => {}
            Refreshed::NotYet => tracing::debug!("the fleet's view is older than the request that looks at it"),
        }
    }

    pub(super) fn random(&self) -> Arc<dyn Random> {
        Arc::clone(&self.random)
    }

    /// The project of this name in the organization of that name, with both.
    pub(super) async fn project(
        &self,
        organization: &Name,
        project: &Name,
    ) -> Result<(OrganizationRecord, ProjectRecord), StoreError> {
        let organization = self.store.organization_by_name(organization).await?;
        let project = self.store.project_by_name(organization.id, project).await?;
        Ok((organization, project))
    }
}

impl Deref for Admin {
    type Target = AdminParts;
    fn deref(&self) -> &AdminParts {
        &self.0.parts
    }
}
