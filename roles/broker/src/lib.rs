// SPDX-License-Identifier: Apache-2.0
//! Trades a workload's token for the credential that it may have: `cress broker`.
//!
//! A caller proves who it is with a token (`caller`), the policies decide (`decision`), and the lease engine (`lease`) writes down what is
//! given out before a provider is asked for it, so that nothing outlives its time, whatever crashes meanwhile. Every decision is recorded
//! (`audit`) before anything leaves. No provider ever sees a token, and no secret is ever logged.

mod admin;
pub mod audit;
mod broker;
mod caller;
mod check_token;
mod config;
mod decision;
mod http;
pub mod lease;
mod metrics;
mod oauth;
pub mod policy_trial;
mod rehearsal;
mod reload;
mod secrets;
mod signer;
mod start;

pub use check_token::check_token;
pub use config::{
    BaseUrl, BaseUrlError, Config, ConfigError, CredentialConfig, IdentityClaims, IssuerConfig, KeyEncryption, Limits,
    Metrics, PoliciesConfig, PolicyClaim, PolicyClaimType, ProviderConfig, Rates, Shared, Store, policy_schema,
};
pub use cress_provider::Finding;
pub use decision::ProviderBuilder;
pub use http::openapi;
pub use rehearsal::{Connected, Rehearsal};
pub use reload::Reload;
pub use start::{Ports, Records, RecordsError, StartError, Started, start};
