// SPDX-License-Identifier: Apache-2.0
//! A moment in time.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A moment, in whole microseconds since the Unix epoch (UTC, no leap seconds).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

/// A text that is no moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an RFC 3339 time such as 2025-03-19T16:59:51Z")]
pub struct TimestampError;

const MICROSECONDS_PER_SECOND: i64 = 1_000_000;

impl Timestamp {
    /// The moment this many microseconds after the Unix epoch.
    #[must_use]
    pub const fn from_unix_microseconds(microseconds: i64) -> Self {
        Self(microseconds)
    }

    /// The moment this many seconds after the Unix epoch (saturating).
    #[must_use]
    pub const fn from_unix_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(MICROSECONDS_PER_SECOND))
    }

    /// Microseconds since the Unix epoch.
    #[must_use]
    pub const fn unix_microseconds(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down: a `NumericDate` (RFC 7519 section 2).
    #[must_use]
    pub const fn unix_seconds(self) -> i64 {
        self.0.div_euclid(MICROSECONDS_PER_SECOND)
    }

    /// How long ago `earlier` was; zero if it lies ahead.
    #[must_use]
    pub fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// RFC 3339 in UTC with whole seconds, for people and logs.
    #[must_use]
    pub fn rfc3339(self) -> String {
        let text = self.rfc3339_seven_digits();
        text.get(..19).map_or_else(|| text.clone(), |seconds| format!("{seconds}Z"))
    }

    /// RFC 3339 in UTC with exactly seven fractional digits, as the reference platform writes a key's creation time.
    #[must_use]
    pub fn rfc3339_seven_digits(self) -> String {
        let seconds = self.unix_seconds();
        let fraction = self.0.rem_euclid(MICROSECONDS_PER_SECOND);
        match OffsetDateTime::from_unix_timestamp(seconds) {
            Ok(moment) => format!(
                "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{fraction:06}0Z",
                moment.year(),
                u8::from(moment.month()),
                moment.day(),
                moment.hour(),
                moment.minute(),
                moment.second(),
            ),
            Err(_) => format!("@{seconds}"),
        }
    }

    /// Parses an RFC 3339 time.
    ///
    /// # Errors
    /// [`TimestampError`] if the text is no RFC 3339 time or lies beyond the range of this type.
    pub fn parse_rfc3339(text: &str) -> Result<Self, TimestampError> {
        let moment = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| TimestampError)?;
        i64::try_from(moment.unix_timestamp_nanos() / 1_000).map(Self).map_err(|_| TimestampError)
    }
}

fn microseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

impl Add<Duration> for Timestamp {
    type Output = Self;
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(microseconds(duration)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;
    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(microseconds(duration)))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.rfc3339())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_seven_fractional_digits() {
        let moment = Timestamp::from_unix_microseconds(1_742_403_591_002_009);
        assert_eq!(moment.rfc3339_seven_digits(), "2025-03-19T16:59:51.0020090Z");
        assert_eq!(moment.to_string(), "2025-03-19T16:59:51Z");
        assert_eq!(Timestamp::parse_rfc3339("2025-03-19T16:59:51.0020098Z"), Ok(moment));
    }

    #[test]
    fn rounds_down_before_the_epoch_and_saturates() {
        assert_eq!(Timestamp::from_unix_microseconds(-1).unix_seconds(), -1);
        let end = Timestamp::from_unix_microseconds(i64::MAX);
        assert_eq!(end + Duration::from_secs(1), end);
        assert_eq!(end.saturating_since(end + Duration::from_secs(1)), Duration::ZERO);
    }
}
