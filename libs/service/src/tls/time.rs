// SPDX-License-Identifier: Apache-2.0
//! rustls sees the same time as everyone else.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cress_domain::Clock;
use rustls::time_provider::TimeProvider;
use rustls_pki_types::UnixTime;

/// Certificates are checked at this clock's time. A node whose own clock is wrong gives one that follows control's.
pub(super) struct ClockTime(pub(super) Arc<dyn Clock>);

impl fmt::Debug for ClockTime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ClockTime")
    }
}

impl TimeProvider for ClockTime {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.now().unix_seconds()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}
