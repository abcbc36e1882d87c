// SPDX-License-Identifier: Apache-2.0
//! Randomness that repeats.

use std::sync::atomic::{AtomicU64, Ordering};

use cress_domain::Random;

/// The same bytes for the same seed, in the order in which they are asked for (SplitMix64).
#[derive(Debug)]
pub struct SeededRandom {
    state: AtomicU64,
}

impl SeededRandom {
    /// A generator with this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { state: AtomicU64::new(seed) }
    }

    fn next(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut mixed = self.state.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl Default for SeededRandom {
    fn default() -> Self {
        Self::new(42)
    }
}

impl Random for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            for (byte, random) in chunk.iter_mut().zip(self.next().to_le_bytes()) {
                *byte = random;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_and_seeds_differ() {
        let bytes = |random: &SeededRandom| {
            let mut bytes = [0; 21];
            random.fill(&mut bytes);
            bytes
        };
        let random = SeededRandom::new(1);
        let first = bytes(&random);
        assert_ne!(first, bytes(&random));
        assert_eq!(first, bytes(&SeededRandom::new(1)));
        assert_ne!(first, bytes(&SeededRandom::new(2)));
    }
}
