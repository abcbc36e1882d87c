// SPDX-License-Identifier: Apache-2.0
//! The persistent, rotating key ring and its envelope encryption.
//!
//! Three parts, each of which can be read alone:
//! - [`schedule`]: which key signs when, and which are published. Pure; its documentation has the timeline, the promise to
//!   verifiers with the argument why it holds, and what happens after downtime, in emergencies, and when clocks go wrong.
//! - Envelopes ([`KeyEncryptionKeys`]): private keys rest in the store only sealed with AES-256-GCM, under a key-encryption key that
//!   lies elsewhere, and bound to what they are for.
//! - [`KeyRing`]: the schedule over the store, by any number of replicas. Whoever finds something due writes it with
//!   compare-and-swap, so it happens exactly once; all show the result within half a minute, and switch at the moment that
//!   was written down long before.
//!
//! ```text
//!   sources ──► KeyEncryptionKeys ─┐
//!   store (KeyRingStore) ──────────┼─► KeyRing ──► current(): RingView ──► signing_key(now), body + etag of the JWKS
//!   clock, Settings ───────────────┘      ▲
//!                                         └── rotate, revoke, rewrap, list: the operator
//! ```
//!
//! ```no_run
//! # async fn example(clock: std::sync::Arc<dyn cress_domain::Clock>) -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//!
//! use cress_keyring::{KeyEncryptionKeys, KeyRing, Settings};
//! use cress_store::{Database, DatabaseUrl, keyring::KeyRingStore};
//!
//! let keys = KeyEncryptionKeys::load(&["file:/etc/cress/kek".parse()?], None)?;
//! let database = Database::open(&DatabaseUrl::sqlite("/var/lib/cress/store.db")).await?;
//! let store = KeyRingStore::open(&database).await?;
//! let ring = KeyRing::open(store, Arc::new(keys), Settings::workload(), Arc::clone(&clock)).await?;
//! tokio::spawn({
//!     let ring = ring.clone();
//!     async move { ring.run(std::future::pending()).await }
//! });
//!
//! let view = ring.current();
//! let token = view.signing_key(clock.now()).ok_or("the ring's store was lost for too long")?.sign(b"{}")?;
//! println!("a token of {} characters is checked with {}", token.len(), view.published.to_json());
//! # Ok(())
//! # }
//! ```
//!
//! It never logs, displays or serializes a private key or a key-encryption key, and never tells more of one than its id.

mod kek;
mod ring;
pub mod schedule;
mod settings;

pub use kek::{
    EnvelopeError, KeyEncryptionKey, KeyEncryptionKeyError, KeyEncryptionKeyId, KeyEncryptionKeySource,
    KeyEncryptionKeys, Purpose, generate_file, with_first_key_alone, with_new_key,
};
pub use ring::{InspectedKey, KeyRing, KeyRingError, KeySummary, Rewrapped, RingInspection, RingView, entity_tag};
pub use schedule::KeyState;
pub use settings::{PUBLISHED_KEYS_MAX, Settings, SettingsError};
