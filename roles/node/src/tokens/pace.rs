// SPDX-License-Identifier: Apache-2.0
//! How long to wait: until a token is refreshed, and after a failure. Pure arithmetic; `jitter` is 16 random bits.

use std::time::Duration;

use super::limits::{RETRY_TIME_MAX, RETRY_TIME_MIN};

/// When a token that has this much life left is to be refreshed: after 60 % of it (180 s of 300, as on the reference
/// platform) or up to a tenth of that earlier, never later. The jitter keeps nodes that started, or came back, together
/// from asking together for ever.
pub(super) fn refresh_after(life: Duration, jitter: u16) -> Duration {
    let latest = life * 3 / 5;
    latest - share(latest / 10, jitter)
}

/// How long to wait after this many failures in a row: doubling up to a limit, and up to half of it earlier.
pub(super) fn retry_after(failures: u32, jitter: u16) -> Duration {
    let doublings = failures.saturating_sub(1).min(u32::BITS - 1);
    let longest = RETRY_TIME_MIN.saturating_mul(1_u32 << doublings).min(RETRY_TIME_MAX);
    longest - share(longest / 2, jitter)
}

fn share(whole: Duration, jitter: u16) -> Duration {
    whole * u32::from(jitter) / (u32::from(u16::MAX) + 1)
}

#[cfg(test)]
mod tests {
    use cress_domain::limits::{TOKEN_TTL_SECONDS_MAX, TOKEN_TTL_SECONDS_MIN};
    use proptest::prelude::*;

    use super::*;
    use crate::tokens::limits::EXPIRY_MARGIN;

    #[test]
    fn the_reference_platforms_pace() {
        let life = Duration::from_secs(300);
        assert_eq!(refresh_after(life, 0), Duration::from_secs(180));
        assert!(refresh_after(life, u16::MAX) > Duration::from_secs(162));
    }

    proptest! {
        #[test]
        fn a_refresh_is_never_late(seconds in TOKEN_TTL_SECONDS_MIN..=TOKEN_TTL_SECONDS_MAX, jitter: u16) {
            let life = Duration::from_secs(u64::from(seconds));
            let after = refresh_after(life, jitter);
            prop_assert!(after <= life * 6 / 10);
            prop_assert!(after >= life * 54 / 100);
            prop_assert!(life - after > EXPIRY_MARGIN + RETRY_TIME_MAX, "a failure leaves no time for another try");
        }

        #[test]
        fn waits_after_failures_are_bounded_and_grow(failures: u32, jitter: u16) {
            let wait = retry_after(failures, jitter);
            prop_assert!(wait >= RETRY_TIME_MIN / 2 && wait <= RETRY_TIME_MAX);
            prop_assert!(retry_after(failures.saturating_add(1), jitter) >= wait);
        }
    }
}
