// SPDX-License-Identifier: Apache-2.0
//! When to try again: twice as late each time, up to a bound, and never all at the same moment.

use std::time::Duration;

use cress_domain::Random;

/// Doublings after which any first delay has met its bound.
const DOUBLINGS_MAX: u32 = 16;

/// After this many attempts in vain: between half of the full delay and all of it.
pub(super) fn delay((first, last): (Duration, Duration), attempts: u32, random: &dyn Random) -> Duration {
    let full = first.saturating_mul(1 << attempts.min(DOUBLINGS_MAX)).min(last);
    let mut bytes = [0; 2];
    random.fill(&mut bytes);
    full.mul_f64(0.5 + 0.5 * f64::from(u16::from_le_bytes(bytes)) / f64::from(u16::MAX))
}

#[cfg(test)]
mod tests {
    use cress_testkit::SeededRandom;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn delays_grow_to_their_bound_and_never_end(first in 1_u64..1_000, factor in 1_u64..1_000, attempts: u32, seed: u64) {
            let (first, last) = (Duration::from_millis(first), Duration::from_millis(first * factor));
            let delay = delay((first, last), attempts, &SeededRandom::new(seed));
            prop_assert!(delay >= first / 2 && delay <= last);
            if attempts > 20 {
                prop_assert!(delay >= last.min(first * 65_536) / 2);
            }
        }
    }
}
