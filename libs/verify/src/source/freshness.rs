// SPDX-License-Identifier: Apache-2.0
//! How long an answer stays fresh (RFC 9111 sections 4.2 and 5.2.2), within bounds of our own.

use std::time::Duration;

use http::HeaderMap;
use http::header::{AGE, CACHE_CONTROL};

/// How often a remote key set is looked at, whatever its server says: every 15 seconds at most, every hour at least, and every
/// five minutes if the server says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RefreshBounds {
    /// Never more often than this, unless a token names an unknown key.
    pub(super) min: Duration,
    /// Where the answer says nothing.
    pub(super) default: Duration,
    /// At least this often.
    pub(super) max: Duration,
}

impl Default for RefreshBounds {
    fn default() -> Self {
        Self { min: Duration::from_secs(15), default: Duration::from_secs(300), max: Duration::from_secs(3_600) }
    }
}

impl RefreshBounds {
    /// When to look again: ahead of the moment at which the answer is no longer fresh.
    pub(super) fn next_look(&self, headers: &HeaderMap) -> Duration {
        let fresh = fresh_for(headers).unwrap_or(self.default);
        ahead(fresh.min(self.max)).max(self.min)
    }
}

/// Four fifths: a slow or failed look still leaves time for others.
fn ahead(fresh: Duration) -> Duration {
    fresh.saturating_mul(4) / 5
}

/// Nothing if the answer does not say. A cache on the way may have kept it for a while already (`Age`).
fn fresh_for(headers: &HeaderMap) -> Option<Duration> {
    let directives = || {
        let values = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).map(str::trim)
    };
    if directives().any(|directive| {
        let name = directive.split('=').next().unwrap_or(directive);
        name.eq_ignore_ascii_case("no-cache") || name.eq_ignore_ascii_case("no-store")
    }) {
        return Some(Duration::ZERO);
    }
    let max_age = directives().find_map(|directive| {
        let (name, value) = directive.split_once('=')?;
        name.trim().eq_ignore_ascii_case("max-age").then(|| seconds(value.trim().trim_matches('"')))
    })?;
    let age = headers.get(AGE).and_then(|age| age.to_str().ok()).and_then(seconds).unwrap_or_default();
    // RFC 9111 section 4.2.1: what is no number of seconds is taken for stale.
    Some(max_age.unwrap_or_default().saturating_sub(age))
}

fn seconds(text: &str) -> Option<Duration> {
    let number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    number.then(|| text.parse().map_or(Duration::MAX, Duration::from_secs))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn answers_are_looked_at_again_ahead_of_time_and_within_bounds() {
        for (cache_control, age, seconds) in [
            (None, None, 240),
            (Some("public"), None, 240),
            (Some("max-age=600"), None, 480),
            (Some("public, Max-Age=600, must-revalidate"), None, 480),
            (Some("s-maxage=10, max-age=\"600\""), None, 480),
            (Some("max-age=600"), Some("100"), 400),
            (Some("max-age=600"), Some("1000"), 15),
            (Some("max-age=600"), Some("old"), 480),
            (Some("max-age=0"), None, 15),
            (Some("max-age=1"), None, 15),
            (Some("max-age=never"), None, 15),
            (Some("max-age="), None, 15),
            (Some("max-age=-5"), None, 15),
            (Some("no-cache, max-age=600"), None, 15),
            (Some("no-store"), None, 15),
            (Some("max-age=86400"), None, 2_880),
            (Some("max-age=99999999999999999999999999"), None, 2_880),
        ] {
            let mut headers = HeaderMap::new();
            let header = |text: &str| HeaderValue::from_str(text).unwrap();
            cache_control.map(|text| headers.insert(CACHE_CONTROL, header(text)));
            age.map(|text| headers.insert(AGE, header(text)));
            let next = RefreshBounds::default().next_look(&headers);
            assert_eq!(next, Duration::from_secs(seconds), "{cache_control:?} {age:?}");
        }
    }
}
