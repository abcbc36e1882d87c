// SPDX-License-Identifier: Apache-2.0
//! The claims of a workload token (RFC 7519), and the rules that make them [`Verified`].
//!
//! A token goes one way: text → [`Unverified`] → [`Verified<Claims>`]. Only [`Unverified::verify`] (and its short form
//! [`verify`]) makes a `Verified`, so whoever takes one as a parameter has nothing left to check. Each way to fail is a
//! [`Rejection`] with a stable code and a remedy in plain words.
//!
//! Keys and time are parameters: this crate never reads a clock, a file, a socket or the environment.
//!
//! ```
//! use cress_domain::Timestamp;
//! use cress_jose::{JwkSet, SigningKey};
//! use cress_token::{AudienceRule, KeySet, Rules, verify};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let key = SigningKey::generate("2025-03".parse()?)?;
//! let token = key.sign(
//!     br#"{"iss":"https://issuer.example","aud":"reports","sub":"worker-1","iat":1743101446,"exp":1743101746,"team":"vision"}"#,
//! )?;
//!
//! let keys = KeySet::new(&JwkSet::new(vec![key.public_jwk()])?);
//! let mut rules = Rules::new("https://issuer.example".parse()?, AudienceRule::OneOf(vec!["reports".parse()?]));
//! rules.claim_rules.push("team=vision|audio".parse()?);
//!
//! let claims = verify(&token, &keys, &rules, Timestamp::from_unix_seconds(1_743_101_500))?;
//! assert_eq!(claims.subject(), Some("worker-1"));
//!
//! let late = verify(&token, &keys, &rules, Timestamp::from_unix_seconds(1_743_109_999)).unwrap_err();
//! assert_eq!(late.code(), "expired");
//! # Ok(())
//! # }
//! ```

mod claim_policy;
mod claim_rule;
mod claims;
mod inspection;
mod key_set;
mod numeric_date;
mod rejection;
mod rules;
mod unverified;
mod verified;
mod workload;
mod workload_claims;

#[cfg(test)]
mod tests;

pub use claim_policy::{ClaimGrant, ClaimPolicy, ClaimPolicyError};
pub use claim_rule::{ClaimRule, ClaimRuleError};
pub use claims::Claims;
pub use inspection::{Explanation, Inspection, TokenPart};
pub use key_set::KeySet;
pub use rejection::Rejection;
pub use rules::{AudienceRule, Leeway, LeewayError, Rules, TypeRule};
pub use unverified::{Unverified, verify};
pub use verified::Verified;
pub use workload::Workload;
pub use workload_claims::{WorkloadClaims, WorkloadIdentity, default_token_length};
