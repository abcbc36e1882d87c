// SPDX-License-Identifier: Apache-2.0
//! One credential that is given out.

use std::sync::Arc;

use cress_api::broker;
use cress_provider::{Renewal, Revocation};

use super::Denial;
use crate::lease::{Offer, Sharing};

/// One credential, with what the broker itself decides about it.
#[derive(Debug)]
pub(crate) struct Offered {
    /// Its place among all, by which decisions about it are remembered.
    pub(crate) index: usize,
    /// What the lease engine knows of it.
    pub(crate) offer: Arc<Offer>,
    pub(crate) kind: &'static str,
    pub(crate) ttl_seconds_default: u32,
    pub(crate) ttl_seconds_max: u32,
    pub(crate) lifetime_seconds_max: u32,
    pub(crate) parameters: Vec<String>,
    /// What the token exchange gives out of it.
    pub(crate) oauth_field: Option<String>,
}

impl Offered {
    /// How long it is to live.
    pub(crate) fn ttl_seconds(&self, asked: Option<u32>) -> Result<u32, Denial> {
        match asked {
            None => Ok(self.ttl_seconds_default),
            Some(seconds) if (1..=self.ttl_seconds_max).contains(&seconds) => Ok(seconds),
            Some(_) => Err(Denial::ttl(self.ttl_seconds_max)),
        }
    }

    pub(crate) fn is_shared(&self) -> bool {
        self.offer.sharing == Sharing::Group
    }

    pub(crate) fn is_renewable(&self) -> bool {
        self.offer.capability.renewal == Renewal::Extends
    }

    /// As a workload sees it.
    pub(crate) fn shown(&self) -> broker::Offer {
        broker::Offer {
            name: self.offer.name.clone(),
            kind: self.kind.to_owned(),
            revocation: match self.offer.capability.revocation {
                Revocation::Immediate => broker::Revocation::Immediately,
                Revocation::ByGroup => broker::Revocation::ByGroup,
                Revocation::AtExpiry => broker::Revocation::AtExpiry,
            },
            renewable: self.is_renewable(),
            ttl_seconds_default: self.ttl_seconds_default,
            ttl_seconds_max: self.ttl_seconds_max,
            lifetime_seconds_max: self.lifetime_seconds_max,
            shared: self.is_shared(),
            parameters: self.parameters.clone(),
        }
    }
}
