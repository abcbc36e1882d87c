// SPDX-License-Identifier: Apache-2.0
//! Randomness as a parameter.

/// Where randomness comes from: a cryptographically secure generator, except in tests, which seed their own.
pub trait Random: Send + Sync {
    /// Fills `bytes` with random bytes.
    fn fill(&self, bytes: &mut [u8]);
}
