// SPDX-License-Identifier: Apache-2.0
//! The one real source of randomness.

use cress_domain::Random;

/// The operating system's generator, through aws-lc.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) {
        if aws_lc_rs::rand::fill(bytes).is_err() {
            // Going on would mean predictable keys and ids. There is no caller who could do better.
            tracing::error!("the operating system gives no randomness");
            std::process::abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_everything_and_never_twice_the_same() {
        let (mut first, mut second) = ([0_u8; 64], [0_u8; 64]);
        SystemRandom.fill(&mut first);
        SystemRandom.fill(&mut second);
        assert_ne!(first, second);
        assert_ne!(first[32..], [0; 32]);
    }
}
