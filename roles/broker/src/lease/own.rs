// SPDX-License-Identifier: Apache-2.0
//! What owners do with their leases. The store's statements check whose a lease is; someone else's is not told from none.

use cress_domain::{LeaseId, Timestamp, fault};
use cress_provider::{ProviderErrorKind, Renewal};
use cress_store::broker::{self, Ending, Selection, Write, Written};

use super::queue::QueueError;
use super::{LeaseError, LeaseView, Leases, Owner, Page, Renewed, Shared};

impl Leases {
    /// Lets a lease live until `expires_at`, cut to its longest life.
    ///
    /// # Errors
    /// [`LeaseError`]. If the target did not do its part, the credential may end when it would have before.
    pub async fn renew(&self, owner: &Owner, lease: LeaseId, expires_at: Timestamp) -> Result<Renewed, LeaseError> {
        let _begun = self.0.begin().ok_or(LeaseError::Stopping)?;
        self.0.renewable(owner, lease).await?;
        let renewal = broker::Renewal { lease, owner: owner.clone(), expires_at };
        let renewed = match self.0.queue.begin(Write::Renew(renewal)).await? {
            Written::Renewed(Some(renewed)) => renewed,
            _ => return Err(LeaseError::NotFound),
        };
        if renewed.ending == Ending::Revoked {
            self.0.extend(lease, &renewed).await?;
        }
        Ok(Renewed { expires_at: renewed.expires_at, renewable: renewed.renew_until > renewed.expires_at })
    }

    /// Ends a lease. One that is being ended already is none any more.
    ///
    /// # Errors
    /// [`LeaseError`]
    pub async fn end(&self, owner: &Owner, lease: LeaseId) -> Result<(), LeaseError> {
        let ended = self.0.store.end(owner, lease, self.0.clock.now()).await?;
        self.0.due.notify_waiters();
        if ended { Ok(()) } else { Err(LeaseError::NotFound) }
    }

    /// A lease of an owner.
    ///
    /// # Errors
    /// [`LeaseError::Store`]
    pub async fn owned(&self, owner: &Owner, lease: LeaseId) -> Result<Option<LeaseView>, LeaseError> {
        Ok(self.0.store.lease_of(owner, lease).await?)
    }

    /// The leases of an owner that are not gone, by id.
    ///
    /// # Errors
    /// [`LeaseError::Store`]
    pub async fn of_owner(&self, owner: &Owner, page: Page) -> Result<Vec<LeaseView>, LeaseError> {
        Ok(self.0.store.leases_of(owner, page).await?)
    }
}

impl Shared {
    /// Whether its target lets it live longer at all.
    async fn renewable(&self, owner: &Owner, lease: LeaseId) -> Result<(), LeaseError> {
        let view = self.store.lease_of(owner, lease).await?.ok_or(LeaseError::NotFound)?;
        let extends = |provider| self.target(provider).is_some_and(|one| one.capability().renewal == Renewal::Extends);
        if extends(&view.provider) && view.renew_until > view.expires_at {
            Ok(())
        } else {
            Err(LeaseError::NotRenewable)
        }
    }

    /// The store lets it live longer already: if the target does not, it ends there as it would have before, and is removed later.
    async fn extend(&self, lease: LeaseId, renewed: &broker::Renewed) -> Result<(), LeaseError> {
        let target = self.target(&renewed.provider).ok_or(LeaseError::NotRenewable)?;
        let (account, limit) = (self.account(lease), self.settings.target_timeout);
        fault::point("before an account is extended");
        let extended = tokio::time::timeout(limit, target.extend(&account, renewed.expires_at)).await;
        fault::point("after an account is extended");
        match extended {
            Err(_) => Err(LeaseError::Slow(limit)),
            Ok(Ok(())) => Ok(()),
            // Somebody deleted it at the target: the lease is over.
            Ok(Err(error)) if error.kind() == ProviderErrorKind::Gone => {
                self.store.revoke(&Selection::Lease(lease), None, self.clock.now(), 1).await?;
                self.due.notify_waiters();
                Err(LeaseError::NotFound)
            }
            Ok(Err(error)) => Err(LeaseError::Provider(error)),
        }
    }
}

impl From<QueueError> for LeaseError {
    fn from(error: QueueError) -> Self {
        match error {
            QueueError::Busy => Self::Busy,
            QueueError::Stopping => Self::Stopping,
            QueueError::Store(error) => Self::Store(error),
        }
    }
}
