// SPDX-License-Identifier: Apache-2.0
//! What may be granted, as it is configured.

use std::fmt;
use std::sync::Arc;

use cress_domain::{CredentialName, ProviderName};
use cress_provider::{Capability, Credential, Provider};
use cress_store::broker::Caps;

/// One configured credential, with the target that it is made at.
#[derive(Clone)]
pub struct Offer {
    /// Its name.
    pub name: CredentialName,
    /// The name of its target.
    pub provider: ProviderName,
    /// What its target promises.
    pub capability: Capability,
    /// Its target.
    pub target: Arc<dyn Provider>,
    /// What makes it.
    pub credential: Arc<dyn Credential>,
    /// How many there may be.
    pub caps: Caps,
    /// Who gets the same one.
    pub sharing: Sharing,
}

/// Who gets the same credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// Nobody: each owner gets its own.
    Own,
    /// All instances of a container group, if they ask for the same parameters.
    Group,
}

impl fmt::Debug for Offer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Offer")
            .field("name", &self.name)
            .field("provider", &self.provider)
            .field("caps", &self.caps)
            .field("sharing", &self.sharing)
            .finish_non_exhaustive()
    }
}
