// SPDX-License-Identifier: Apache-2.0
//! Decides by Cedar policies what verified claims permit, and says which policy decided.
//!
//! Policies are written against a published schema of claims and requests (`schema.cedarschema`) and strictly validated when they are
//! loaded. Then for each request: a claim of another type than the schema's refuses before Cedar is asked; Cedar skips a
//! policy that fails, so a single failure refuses too; without a policy that permits, nothing passes.
//!
//! What tenants choose (names, subjects, paths) is data to Cedar and never text of a policy. It reads no clock and no file.
//!
//! ```
//! use cress_domain::Timestamp;
//! use cress_policy::{ClaimTypes, Policies, Request, What};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let policies = Policies::parse(
//!     r#"
//!     @id("reports")
//!     permit (principal, action == Cress::Action::"access", resource)
//!     when { principal has group_id && principal.group_id == "7b1c" && context.path like "/reports/*" };
//!     "#,
//!     &ClaimTypes::default(),
//! )?;
//! let claims = serde_json::json!({"iss":"https://issuer.example","exp":1743101746,"salad_workload_id":"7b1c"});
//! let what = What::Access { method: "GET", host: "api.example", path: "/reports/7" };
//! let request = Request { what, time: Timestamp::from_unix_seconds(1_743_101_500), source_address: None };
//! let decision = policies.rehearse(claims.as_object().unwrap(), &request);
//! assert!(decision.is_permitted());
//! assert_eq!(decision.decided_by(), ["reports"]);
//! # Ok(())
//! # }
//! ```

mod claim_types;
mod decision;
mod error;
mod moment;
mod policies;
mod principal;
mod request;
mod warning;

#[cfg(test)]
mod tests;

pub use claim_types::{ClaimKind, ClaimTypes, DeclaredClaim};
pub use decision::{Decision, Rehearsal, Why};
pub use error::PolicyError;
pub use policies::{POLICIES_BYTES_MAX, Policies};
pub use request::{Request, What};
pub use warning::Warning;
