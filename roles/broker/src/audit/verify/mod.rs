// SPDX-License-Identifier: Apache-2.0
//! Looks whether records are as they were written. It needs lines and public keys, and no broker that runs.
//!
//! A line that was changed, left out, put in, repeated or moved breaks the hashes of its chain. What lies before a signed line cannot be
//! made anew without the key. What no signature reaches yet is named: of the latest chain that is what came after its last signed line,
//! and nobody can tell by the records alone whether there was more. A chain whose process was killed is reached by the next start, which
//! says where the last one had ended.

mod line;
mod report;
mod stored;
mod walk;

pub use super::chain::{ChainId, Head, LineHash};
pub use line::head;
pub use report::{ChainReport, Finding, Problem, Report};
pub use stored::stored;
pub use walk::{Keys, Verifier};

/// Longest line that is read. A record has tokens' claims and parameters, each with limits of its own.
pub const LINE_BYTES_MAX: usize = 128 * 1024;
