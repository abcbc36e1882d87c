// SPDX-License-Identifier: Apache-2.0
//! How credentials are made elsewhere: what every provider does, what it is given, and what it may ask of the broker.
//!
//! A [`Provider`] is one system outside, such as a Redis cluster; a [`Credential`] is one thing that the operator lets the broker give
//! out there. Both are made from the configuration before any request comes. A provider sees no token: it is given a [`Grant`], in
//! which everything has been decided. Who may have it, for how long, whether it is still owed, and when its revocation is tried again
//! is the broker's business.
//!
//! An account's name follows from its lease, and the lease is durable before a provider is called. So every method may be called again
//! after a crash, with the same arguments, and has to come to the same end.

mod capability;
#[cfg(feature = "conformance")]
pub mod conformance;
mod error;
mod grant;
mod issued;
mod ports;
mod provider;
mod settings;

pub use capability::{Capability, Footprint, Renewal, Revocation};
pub use error::{Operation, ProviderError, ProviderErrorKind};
pub use grant::{Grant, Subject};
pub use issued::{FieldValue, Issued};
pub use ports::{
    AssertionError, AssertionSigner, Ports, SecretError, SecretReader, SecretReference, SecretReferenceError,
    SecretVersion, SigningAlgorithm, StoredSecrets, TokenType,
};
pub use provider::{Credential, Finding, Provider};
pub use settings::{Settings, SettingsError};
