// SPDX-License-Identifier: Apache-2.0
//! What an operator may set about records.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

const WAIT_MILLISECONDS: std::ops::RangeInclusive<u32> = 100..=30_000;
const CHECKPOINT_RECORDS: std::ops::RangeInclusive<u32> = 1..=100_000;
const CHECKPOINT_SECONDS: std::ops::RangeInclusive<u32> = 1..=3_600;
const SINKS_MAX: usize = 8;

/// Records of every decision.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where records go: any of `store`, `stdout` and `file:<absolute path>`; each gets all of them. A file is only ever appended to,
    /// and made anew when it was renamed, as logrotate does. The store by default.
    #[schemars(with = "Vec<String>")]
    pub sinks: Vec<SinkName>,
    /// How long a request waits for its record to be durable before it is refused, in milliseconds: 100 to 30,000; 2,000 by default.
    pub wait_milliseconds: u32,
    /// After how many records one is signed: 1 to 100,000; 1,000 by default.
    pub checkpoint_records: u32,
    /// After how long the last records are signed if fewer came, in seconds: 1 to 3,600; 60 by default.
    pub checkpoint_seconds: u32,
}

/// Where records go.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
#[non_exhaustive]
pub enum SinkName {
    /// The broker's store.
    Store,
    /// Standard output, for whoever collects that.
    Stdout,
    /// A file.
    File(PathBuf),
}

/// Settings that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// No sink of that name.
    #[error("expected store, stdout or file:<absolute path> as a sink of audit records, got {0:?}")]
    Sink(String),
    /// Nowhere to write to, or too many.
    #[error("expected 1 to {SINKS_MAX} sinks of audit records, got {0}")]
    Sinks(usize),
    /// The same twice.
    #[error("expected each sink of audit records once, got {0} more than once")]
    Repeated(SinkName),
    /// A number out of its bounds.
    #[error("expected {min} to {max} as {name} of audit records, got {got}")]
    Bounds {
        /// Of which setting.
        name: &'static str,
        /// The least.
        min: u32,
        /// The most.
        max: u32,
        /// What came.
        got: u32,
    },
}

impl Settings {
    /// Checks what the types do not carry.
    ///
    /// # Errors
    /// [`SettingsError`]
    pub fn check(&self) -> Result<(), SettingsError> {
        let count = self.sinks.len();
        if !(1..=SINKS_MAX).contains(&count) {
            return Err(SettingsError::Sinks(count));
        }
        for (index, sink) in self.sinks.iter().enumerate() {
            if self.sinks.iter().skip(index.saturating_add(1)).any(|other| other == sink) {
                return Err(SettingsError::Repeated(sink.clone()));
            }
        }
        let bounds = [
            ("wait_milliseconds", WAIT_MILLISECONDS, self.wait_milliseconds),
            ("checkpoint_records", CHECKPOINT_RECORDS, self.checkpoint_records),
            ("checkpoint_seconds", CHECKPOINT_SECONDS, self.checkpoint_seconds),
        ];
        match bounds.into_iter().find(|(_, range, got)| !range.contains(got)) {
            Some((name, range, got)) => {
                Err(SettingsError::Bounds { name, min: *range.start(), max: *range.end(), got })
            }
            None => Ok(()),
        }
    }

    pub(super) const fn wait_max(&self) -> Duration {
        Duration::from_millis(self.wait_milliseconds as u64)
    }

    pub(super) const fn checkpoint_every(&self) -> Duration {
        Duration::from_secs(self.checkpoint_seconds as u64)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sinks: vec![SinkName::Store],
            wait_milliseconds: 2_000,
            checkpoint_records: 1_000,
            checkpoint_seconds: 60,
        }
    }
}

impl FromStr for SinkName {
    type Err = SettingsError;
    fn from_str(text: &str) -> Result<Self, SettingsError> {
        match text {
            "store" => Ok(Self::Store),
            "stdout" => Ok(Self::Stdout),
            _ => match text.strip_prefix("file:").map(PathBuf::from) {
                Some(path) if path.is_absolute() => Ok(Self::File(path)),
                _ => Err(SettingsError::Sink(text.to_owned())),
            },
        }
    }
}

impl TryFrom<String> for SinkName {
    type Error = SettingsError;
    fn try_from(text: String) -> Result<Self, SettingsError> {
        text.parse()
    }
}

impl fmt::Display for SinkName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store => formatter.write_str("the store"),
            Self::Stdout => formatter.write_str("standard output"),
            Self::File(path) => path.display().fmt(formatter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_refused() {
        let settings = |change: fn(&mut Settings)| {
            let mut settings = Settings::default();
            change(&mut settings);
            settings.check().map_err(|error| error.to_string())
        };
        assert_eq!(settings(|_| {}), Ok(()));
        for (change, words) in [
            ((|settings| settings.sinks.clear()) as fn(&mut Settings), "expected 1 to 8 sinks"),
            (|settings| settings.sinks.push(SinkName::Store), "the store more than once"),
            (|settings| settings.wait_milliseconds = 99, "wait_milliseconds of audit records, got 99"),
            (|settings| settings.checkpoint_records = 0, "checkpoint_records"),
            (|settings| settings.checkpoint_seconds = 3_601, "checkpoint_seconds"),
        ] {
            let message = settings(change).unwrap_err();
            assert!(message.contains(words), "{message}");
        }
        assert_eq!("file:/var/log/a".parse(), Ok(SinkName::File("/var/log/a".into())));
        for bad in ["", "Store", "file:", "file:a", "/a", "syslog"] {
            assert!(bad.parse::<SinkName>().is_err(), "{bad}");
        }
    }
}
