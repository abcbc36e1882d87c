// SPDX-License-Identifier: Apache-2.0
//! Verifies workload tokens offline, against the key sets that their issuers publish.
//!
//! A [`Verifier`] knows one or more issuers, each with the [`Rules`] that its tokens must satisfy and a [`KeySource`]. It
//! keeps the keys fresh in the background, ahead of time, and answers from memory: [`Verifier::verify`] waits for the network
//! only if a token names a key that no one has seen yet, and then all callers wait for the same one fetch.
//!
//! What it takes care of:
//! - a key set is fetched over https (plain http from this machine only), without redirects, within limits of size and time;
//! - an unknown key id leads to one fetch, at most one in a second, and is remembered for a while;
//! - keys outlive an outage of their source up to an age that you choose, beyond which every token is refused;
//! - a token seen before costs a look into a bounded cache, which never outlives the token, its key, or the keys' age.
//!
//! # Five minutes
//!
//! The issuer and where its keys are, whom tokens are for, and who is let in:
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use cress_verify::{AudienceRule, RemoteKeys, Rules, Settings, SystemClock, TrustedIssuer, Verifier};
//!
//! # async fn example(token: &str) -> Result<(), Box<dyn std::error::Error>> {
//! let audience = "2c3573b6-88de-4067-821f-1af088bd9c6a".parse()?;
//! let mut rules = Rules::for_workloads("https://issuer.example".parse()?, AudienceRule::OneOf(vec![audience]));
//! rules.claim_rules.push("salad_workload_name=worker".parse()?);
//! let keys = RemoteKeys::new("https://issuer.example/.well-known/workload-jwks.json")?;
//!
//! let issuers = vec![TrustedIssuer::new(rules, keys)];
//! let verifier = Verifier::start(issuers, &Settings::default(), Arc::new(SystemClock::new()))?;
//! verifier.ready().await?;
//!
//! let claims = verifier.verify(token).await?;
//! println!("{:?} on machine {:?}", claims.claim("salad_workload_name"), claims.subject());
//! # Ok(())
//! # }
//! ```
//!
//! For an HTTP service put [`http::BearerLayer`] around it: it answers as RFC 6750 says, and hands the claims to the handler (with the
//! feature `axum` as an argument, [`http::BearerToken`]). The examples `plain`, `tower` and `axum` of this crate are whole programs.
//!
//! - Several issuers: give [`Verifier::start`] several [`TrustedIssuer`]s. A token is checked by the rules and keys of the issuer that it
//!   names, and by no others.
//! - Tokens of SaladCloud, Kubernetes, SPIRE, GitHub Actions and GitLab: [`Preset`].
//! - An issuer that tells by OpenID Connect discovery where its keys are: [`RemoteKeys::discovered`].
//! - Who is let in: [`Rules::claim_rules`] for all, [`http::BearerLayer::require`] and a [`ClaimPolicy`] for single routes. Match ids; names
//!   are chosen by tenants.
//! - Tokens that pass once: [`Settings::replay_window`], off by default, for one process.
//!
//! # Errors
//!
//! A [`VerifyError`] has a stable [`code`](VerifyError::code), says what was expected and what came, and has a
//! [`remedy`](VerifyError::remedy). [`is_temporary`](VerifyError::is_temporary) tells "nobody can say now", which is a 503, from "this token
//! is bad", which is a 401. Both are a refusal.
//!
//! # Limits
//!
//! | what | limit |
//! |---|---|
//! | a token | 8,192 bytes |
//! | a key set | 256 KiB, 256 keys ([`JWKS_BYTES_MAX`]); 5 s for a fetch ([`RemoteKeys::with_timeout`]) |
//! | looking at a key set again | after 15 s to 1 h ([`RemoteKeys::with_refresh`]), at most once a second for unknown key ids |
//! | keys whose source is away | trusted for a day ([`TrustedIssuer::keys_age_max`]) |
//! | verified tokens remembered | 10,000 of a kilobyte ([`Settings::cached_tokens_max`]) |
//! | issuers | 256 ([`ISSUERS_MAX`]) |
//! | algorithms | ES256, ES384, RS256, RS384, RS512, PS256, EdDSA, those that the rules name; RSA of 2048 to 8192 bits |
//!
//! A key that its issuer revokes is trusted until the next look at the set, an hour at most unless the source is away.

mod clock;
mod error;
pub mod http;
mod issuer_keys;
mod preset;
mod refresher;
mod replay;
mod settings;
mod source;
mod status;
mod token_cache;
mod unknown_key_ids;
mod verifier;

pub use clock::SystemClock;
pub use cress_domain::{Audience, Clock, Issuer, KeyId, Timestamp};
pub use cress_jose::{Algorithm, JWKS_BYTES_MAX, JwkSet};
pub use cress_token::{
    AudienceRule, ClaimGrant, ClaimPolicy, ClaimPolicyError, ClaimRule, Claims, Leeway, Rejection, Rules, TypeRule,
    Verified, Workload,
};
pub use error::VerifyError;
pub use preset::{ClaimKind, IdentityClaim, Preset, PresetError};
pub use replay::{ReplayWindow, ReplayWindowError};
pub use settings::{ISSUERS_MAX, KEYS_AGE_MAX_DEFAULT, KEYS_AGE_MAX_MAX, Settings, SettingsError, TrustedIssuer};
pub use source::{DiscoveryError, FetchError, KeySetReader, KeySource, Look, RemoteKeys, RemoteKeysError};
pub use status::SourceStatus;
pub use verifier::Verifier;
