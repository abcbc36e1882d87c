// SPDX-License-Identifier: Apache-2.0
//! Times in claims: seconds since the Unix epoch, with or without a fraction (RFC 7519 section 2).

use cress_domain::Timestamp;
use serde_json::{Number, Value};

/// The last second of the year 9999. A larger number is milliseconds or an overflow, never a time.
const SECONDS_MAX: i64 = 253_402_300_799;
const MICROSECONDS_PER_SECOND: f64 = 1_000_000.0;

/// The moment that a claim names; nothing for what is no number, before 1970, or after 9999.
/// Fractions are cut to microseconds.
pub(crate) fn parse(value: &Value) -> Option<Timestamp> {
    let number = value.as_number()?;
    number
        .as_i64()
        .filter(|seconds| (0..=SECONDS_MAX).contains(seconds))
        .map(Timestamp::from_unix_seconds)
        .or_else(|| fractional(number))
}

fn fractional(number: &Number) -> Option<Timestamp> {
    if !number.is_f64() {
        return None;
    }
    let microseconds = number.as_f64()? * MICROSECONDS_PER_SECOND;
    // The comparison excludes NaN and infinity too.
    let in_range = (0.0..=SECONDS_MAX as f64 * MICROSECONDS_PER_SECOND).contains(&microseconds);
    in_range.then(|| Timestamp::from_unix_microseconds(microseconds as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_bounded_numbers() {
        let parse = |text: &str| parse(&serde_json::from_str(text).unwrap()).map(Timestamp::unix_microseconds);
        for (good, microseconds) in [
            ("0", 0),
            ("1743101746", 1_743_101_746_000_000),
            ("1743101746.5", 1_743_101_746_500_000),
            ("1743101746.0", 1_743_101_746_000_000),
            ("1.743101746e9", 1_743_101_746_000_000),
            ("253402300799", 253_402_300_799_000_000),
        ] {
            assert_eq!(parse(good), Some(microseconds), "{good}");
        }
        for bad in [
            "-1",
            "-0.5",
            "1743101746000000",
            "253402300800",
            "253402300800.5",
            "18446744073709551615",
            "1e300",
            "99999999999999999999999",
            "\"1743101746\"",
            "null",
            "true",
            "[1743101746]",
            "{}",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
