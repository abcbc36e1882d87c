// SPDX-License-Identifier: Apache-2.0
//! The words every other crate speaks: ids, names, audiences, lifetimes, limits, time, randomness and secrets.
//!
//! This crate never reads a clock, a file, a socket or the environment.

mod account;
mod audience;
mod clock;
mod extra_claims;
pub mod fault;
mod group_definition;
mod hex;
mod id;
mod issuer;
mod key_id;
pub mod limits;
mod name;
mod probe;
mod random;
mod secret;
mod timestamp;
mod token_ttl;

pub use account::{AccountName, AccountNameError, DeploymentId};
pub use audience::{Audience, AudienceError};
pub use clock::Clock;
pub use extra_claims::{ExtraClaims, ExtraClaimsError};
pub use group_definition::{GroupDefinition, GroupDefinitionError, RestartPolicy};
pub use hex::{Hex, parse_hex};
pub use id::{
    ContainerGroupId, IdError, InstanceId, JoinTokenId, LeaseId, MachineId, OrganizationId, ProjectId, TokenId,
};
pub use issuer::{Issuer, IssuerError};
pub use key_id::{KeyId, KeyIdError};
pub use name::{CredentialName, Name, NameError, ProviderName};
pub use probe::{Probe, ProbeAction, ProbeError, Probes};
pub use random::Random;
pub use secret::Secret;
pub use timestamp::{Timestamp, TimestampError};
pub use token_ttl::{TokenTtl, TokenTtlError};
