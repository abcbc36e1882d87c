// SPDX-License-Identifier: Apache-2.0
//! What every provider does.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use cress_domain::{AccountName, DeploymentId, Timestamp};

use crate::{Capability, Grant, Issued, ProviderError, Settings, SettingsError};

/// One system outside that credentials are made for.
///
/// All methods may be called from many tasks at once, also for one account. Each gives up after a time of the provider's own that its
/// settings tell, so that a dead target is noticed. A dropped future may have done what it asked for.
#[async_trait]
pub trait Provider: Send + Sync + fmt::Debug {
    /// The word for it in configurations and logs, such as `redis`.
    fn kind(&self) -> &'static str;

    /// What it promises.
    fn capability(&self) -> Capability;

    /// Reads the settings of one credential of it. Opens no connection.
    ///
    /// # Errors
    /// [`SettingsError`] names the setting and says what was expected.
    fn credential(&self, settings: &Settings) -> Result<Arc<dyn Credential>, SettingsError>;

    /// Tries the connection and the rights that it needs, for an operator who wants to know before anyone asks. Changes nothing that
    /// lasts.
    ///
    /// # Errors
    /// [`ProviderError`]: it could not be reached, or lets nobody in.
    async fn check(&self) -> Result<Vec<Finding>, ProviderError>;

    /// Lets the account live until `expires_at`, where the target itself knows when it ends. Called only if the capability says
    /// [`crate::Renewal::Extends`].
    ///
    /// # Errors
    /// [`ProviderError`]; [`crate::ProviderErrorKind::Gone`] if there is no such account.
    async fn extend(&self, account: &AccountName, expires_at: Timestamp) -> Result<(), ProviderError>;

    /// Ends the account: its sessions and all that lets anyone in. An account that is not there has been ended. A crash in the middle
    /// is followed by the same call again.
    ///
    /// # Errors
    /// [`ProviderError`]: it is tried again, always.
    async fn revoke(&self, account: &AccountName) -> Result<(), ProviderError>;

    /// Every account at the target that this deployment has made, whatever its lease says. None for a provider without accounts.
    ///
    /// # Errors
    /// [`ProviderError`]
    async fn accounts(&self, deployment: DeploymentId) -> Result<Vec<AccountName>, ProviderError>;

    /// Writes down at the target what should survive its restart, or does it again where the target lost it. Called now and then.
    ///
    /// # Errors
    /// [`ProviderError`]: it is tried again.
    async fn maintain(&self) -> Result<(), ProviderError> {
        Ok(())
    }
}

/// One thing that the broker gives out.
#[async_trait]
pub trait Credential: Send + Sync + fmt::Debug {
    /// Makes it. If the account is there already, which an earlier life of the broker may have left, it is replaced.
    ///
    /// # Errors
    /// [`ProviderError`]. Whatever the error, the account may be there: it is revoked.
    async fn issue(&self, grant: &Grant) -> Result<Issued, ProviderError>;

    /// Whether the target is fit for this credential: a group role that exists and is no superuser, for example.
    ///
    /// # Errors
    /// [`ProviderError`]
    async fn check(&self) -> Result<Vec<Finding>, ProviderError>;
}

/// Something an operator should know about a target that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// It was looked at and is right.
    Good(String),
    /// It works, and is not as it should be.
    Doubtful(String),
    /// Credentials could not be made or ended.
    Bad(String),
}
