// SPDX-License-Identifier: Apache-2.0
//! Health probes of an instance, with the reference platform's fields and bounds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The three probes; none is required.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probes {
    /// Decides `started`; the other two wait for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub startup: Option<Probe>,
    /// A failure restarts the instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub liveness: Option<Probe>,
    /// Decides `ready`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readiness: Option<Probe>,
}

/// One probe: what is tried, and how often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// What is tried.
    #[serde(flatten)]
    pub action: ProbeAction,
    /// Wait before the first try: 0 to 1,200 s.
    #[serde(default)]
    pub initial_delay_seconds: u32,
    /// Time between tries: 1 to 120 s.
    #[serde(default = "period_default")]
    pub period_seconds: u32,
    /// How long one try may take: 1 to 60 s.
    #[serde(default = "timeout_default")]
    pub timeout_seconds: u32,
    /// Successes in a row that count as success: 1 to 10.
    #[serde(default = "success_default")]
    pub success_threshold: u32,
    /// Failures in a row that count as failure: 1 to 20.
    #[serde(default = "failure_default")]
    pub failure_threshold: u32,
}

/// What a probe tries inside the instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeAction {
    /// A command that must exit 0.
    Exec {
        /// Program and arguments.
        command: Vec<String>,
    },
    /// A TCP port that must accept a connection.
    Tcp {
        /// The port.
        port: u16,
    },
    /// An HTTP request that must answer 200 to 399.
    Http {
        /// Absolute path.
        path: String,
        /// The port.
        port: u16,
        /// Headers sent along.
        #[serde(default)]
        headers: BTreeMap<String, String>,
    },
}

/// A probe outside its bounds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {field} of the {probe} probe to be {expected}, got {got}")]
pub struct ProbeError {
    probe: &'static str,
    field: &'static str,
    expected: &'static str,
    got: String,
}

impl Probes {
    /// Checks every bound.
    ///
    /// # Errors
    /// [`ProbeError`] naming the first field outside its bounds.
    pub fn check(&self) -> Result<(), ProbeError> {
        let probes = [("startup", &self.startup), ("liveness", &self.liveness), ("readiness", &self.readiness)];
        probes
            .into_iter()
            .filter_map(|(name, probe)| Some((name, probe.as_ref()?)))
            .try_for_each(|(name, probe)| probe.check(name))
    }
}

impl Probe {
    fn check(&self, probe: &'static str) -> Result<(), ProbeError> {
        let bounds = [
            ("initial_delay_seconds", self.initial_delay_seconds, 0..=1_200, "0 to 1200"),
            ("period_seconds", self.period_seconds, 1..=120, "1 to 120"),
            ("timeout_seconds", self.timeout_seconds, 1..=60, "1 to 60"),
            ("success_threshold", self.success_threshold, 1..=10, "1 to 10"),
            ("failure_threshold", self.failure_threshold, 1..=20, "1 to 20"),
        ];
        for (field, value, range, expected) in bounds {
            if !range.contains(&value) {
                return Err(ProbeError { probe, field, expected, got: value.to_string() });
            }
        }
        self.check_action(probe)
    }

    fn check_action(&self, probe: &'static str) -> Result<(), ProbeError> {
        let (field, expected, got) = match &self.action {
            ProbeAction::Exec { command } if command.first().is_none_or(String::is_empty) => {
                ("command", "a program and its arguments", "nothing".to_owned())
            }
            ProbeAction::Tcp { port: 0 } | ProbeAction::Http { port: 0, .. } => ("port", "1 to 65535", "0".to_owned()),
            ProbeAction::Http { path, .. } if !is_absolute_path(path) => {
                ("path", "an absolute path", format!("{path:?}"))
            }
            _ => return Ok(()),
        };
        Err(ProbeError { probe, field, expected, got })
    }
}

fn is_absolute_path(path: &str) -> bool {
    path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic())
}

const fn period_default() -> u32 {
    10
}
const fn timeout_default() -> u32 {
    1
}
const fn success_default() -> u32 {
    1
}
const fn failure_default() -> u32 {
    3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_checked() {
        let check = |text: &str| {
            serde_json::from_str::<Probes>(text)
                .map_err(|error| error.to_string())
                .and_then(|probes| probes.check().map_err(|error| error.to_string()))
        };
        assert_eq!(
            check(r#"{"startup":{"tcp":{"port":80}},"readiness":{"exec":{"command":["true"]},"period_seconds":1}}"#),
            Ok(())
        );
        for bad in [
            r#"{"startup":{"tcp":{"port":0}}}"#,
            r#"{"startup":{"tcp":{"port":1},"period_seconds":0}}"#,
            r#"{"startup":{"tcp":{"port":1},"failure_threshold":21}}"#,
            r#"{"startup":{"exec":{"command":[]}}}"#,
            r#"{"startup":{"http":{"path":"x","port":1}}}"#,
            r#"{"start":{}}"#,
        ] {
            assert!(check(bad).is_err(), "{bad} was accepted");
        }
    }
}
