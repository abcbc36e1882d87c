// SPDX-License-Identifier: Apache-2.0
//! The agent's side of one instance's metadata service. Everything is answered from memory.

use std::sync::Arc;

use cress_api::imds::Status;
use cress_domain::Audience;

use super::condition::{Condition, InstanceState};
use super::orders::Orders;
use crate::imds::{Backend, BackendError, TokenAnswer};
use crate::tokens::InstanceTokens;

/// What the metadata service of one instance asks.
pub(super) struct InstanceBackend {
    pub(super) tokens: Arc<InstanceTokens>,
    pub(super) condition: Arc<Condition>,
    pub(super) orders: Orders,
}

impl Backend for InstanceBackend {
    fn token(&self, audience: Option<&Audience>) -> TokenAnswer {
        self.tokens.token(audience)
    }

    async fn settled_token(&self, audience: Option<&Audience>) -> TokenAnswer {
        self.tokens.settled_token(audience).await
    }

    fn status(&self) -> Result<Status, BackendError> {
        Ok(self.condition.status())
    }

    async fn restart(&self) -> Result<(), BackendError> {
        match self.condition.state() {
            InstanceState::Running => {
                self.orders.restart();
                Ok(())
            }
            InstanceState::Creating => Err(BackendError::Unavailable),
            InstanceState::Stopping | InstanceState::Succeeded | InstanceState::Failed => {
                Err(BackendError::InstanceUnknown)
            }
        }
    }

    fn deletion_cost(&self) -> Result<i32, BackendError> {
        Ok(self.condition.facts().deletion_cost)
    }

    /// Kept in memory and told to control, which gives it back after a restart of the agent.
    async fn set_deletion_cost(&self, cost: i32) -> Result<(), BackendError> {
        self.condition.change(|facts| facts.deletion_cost = cost);
        Ok(())
    }
}
