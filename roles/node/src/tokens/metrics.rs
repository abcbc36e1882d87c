// SPDX-License-Identifier: Apache-2.0
//! What the token cache counts.

use cress_service::metrics::prometheus_client::metrics::counter::Counter;
use cress_service::metrics::prometheus_client::registry::Registry;

/// Counters that only grow. Clones are the same counters.
#[derive(Debug, Clone, Default)]
pub struct TokenMetrics {
    /// Tokens that passed the check.
    pub fetched: Counter,
    /// Requests that control refused.
    pub refused: Counter,
    /// Tokens that control sent and that must not be served.
    pub rejected: Counter,
    /// Batches without an answer.
    pub calls_failed: Counter,
    /// Tokens that were replaced only after they had expired, so that a caller may have gone without.
    pub expired: Counter,
}

impl TokenMetrics {
    /// Puts the counters where they are published.
    pub fn register(&self, registry: &mut Registry) {
        for (name, help, counter) in [
            ("node_tokens_fetched", "Tokens fetched from control that passed the check", &self.fetched),
            ("node_tokens_refused", "Requests for a token that control refused", &self.refused),
            ("node_tokens_rejected", "Tokens from control that failed the check and were not served", &self.rejected),
            ("node_token_calls_failed", "Calls for tokens that control did not answer", &self.calls_failed),
            ("node_tokens_expired", "Tokens that expired before their successor came", &self.expired),
        ] {
            registry.register(name, help, counter.clone());
        }
    }
}
