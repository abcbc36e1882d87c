// SPDX-License-Identifier: Apache-2.0
//! The records of every decision, append-only: who, what, why, when and what came of it.
//!
//! A record is one line of JSON, and each line carries the hash of the one before, so that nothing can be changed, left out or put in
//! between without it being seen ([`verify`]). Each start of the process begins a chain of its own, and says where the last ones ended.
//! Now and then a line is signed, by a key that does nothing else: what lies before it cannot be made anew by whoever can write the
//! records but lacks the key. Lines go to one sink or several, in batches; [`Audit::record`] returns when its line is durable there.
//!
//! A sink that is full, gone or stuck refuses new credentials after a bounded wait, and never hangs; revocation goes on, and what it has
//! to say is kept in a bounded backlog. When the sink can be written again all of it is, without a gap, by itself.
//!
//! No token and no secret is ever in a record, only keyed hashes of them.

mod chain;
mod checkpoint;
mod error;
mod handle;
mod keyed_hash;
mod keys;
mod metrics;
mod queue;
mod record;
mod settings;
mod sink;
mod start;
pub mod verify;
mod writer;

#[cfg(test)]
mod tests;

pub use error::{AuditStartError, AuditUnavailable};
pub use handle::Audit;
pub use keyed_hash::{HashKey, Hashed, KeyedHash};
pub use keys::{AuditKeyError, AuditKeys, PublicKey};
pub use record::{DETAIL_BYTES_MAX, Event, Outcome, Reason, Record, What, Who, Workload};
pub use settings::{Settings, SettingsError, SinkName};
pub use start::AuditPorts;
