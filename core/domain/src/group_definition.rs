// SPDX-License-Identifier: Apache-2.0
//! What a container group runs, and what its tokens may say.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::limits::{ALLOWED_AUDIENCES_MAX, REPLICAS_MAX};
use crate::{Audience, ExtraClaims, ProbeError, Probes, TokenTtl};

/// The definition of a container group; its name and ids stand beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupDefinition {
    /// How many instances run: 0 to 500.
    pub replicas: u32,
    /// Program and arguments.
    pub command: Vec<String>,
    /// Environment variables beside those that the platform sets. Never a place for credentials.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// What happens when the command ends.
    #[serde(default)]
    pub restart_policy: RestartPolicy,
    /// How long a stopping instance has between SIGTERM and SIGKILL: 0 to 600 s.
    #[serde(default = "stop_grace_default")]
    pub stop_grace_seconds: u32,
    /// Health probes.
    #[serde(default)]
    pub probes: Probes,
    /// Life of a token.
    #[serde(default)]
    pub token_ttl_seconds: TokenTtl,
    /// Audiences that an instance may ask for beside its organization's.
    #[serde(default)]
    pub allowed_audiences: Vec<Audience>,
    /// Claims added to every token.
    #[serde(default)]
    pub extra_claims: ExtraClaims,
}

/// What happens when an instance's command ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestartPolicy {
    /// It starts again.
    #[default]
    Always,
    /// It starts again unless it exited 0.
    OnFailure,
    /// It stays ended.
    Never,
}

/// A definition outside its bounds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GroupDefinitionError {
    /// Too many replicas.
    #[error("expected replicas of 0 to {REPLICAS_MAX}, got {0}")]
    Replicas(u32),
    /// No command, or one beyond its bounds.
    #[error(
        "expected a command of 1 to {COMMAND_PARTS_MAX} parts of at most {TEXT_BYTES_MAX} bytes without NUL, the first not empty"
    )]
    Command,
    /// An environment variable beyond its bounds, or one of the platform's own.
    #[error(
        "expected at most {ENVIRONMENT_MAX} environment variables, names of letters, digits and underscores not starting with SALAD_, values of at most {TEXT_BYTES_MAX} bytes; {0:?} is not one"
    )]
    Environment(String),
    /// Too long a grace.
    #[error("expected stop_grace_seconds of 0 to {STOP_GRACE_SECONDS_MAX}, got {0}")]
    StopGrace(u32),
    /// Too many audiences.
    #[error("expected at most {ALLOWED_AUDIENCES_MAX} different allowed audiences, got {0}")]
    Audiences(usize),
    /// A probe outside its bounds.
    #[error(transparent)]
    Probe(#[from] ProbeError),
}

const COMMAND_PARTS_MAX: usize = 256;
const TEXT_BYTES_MAX: usize = 32_768;
const ENVIRONMENT_MAX: usize = 256;
const STOP_GRACE_SECONDS_MAX: u32 = 600;

const fn stop_grace_default() -> u32 {
    10
}

impl GroupDefinition {
    /// Checks every bound that the types do not carry.
    ///
    /// # Errors
    /// [`GroupDefinitionError`] naming the first value outside its bounds.
    pub fn check(&self) -> Result<(), GroupDefinitionError> {
        if self.replicas > REPLICAS_MAX {
            return Err(GroupDefinitionError::Replicas(self.replicas));
        }
        if self.stop_grace_seconds > STOP_GRACE_SECONDS_MAX {
            return Err(GroupDefinitionError::StopGrace(self.stop_grace_seconds));
        }
        if self.allowed_audiences.len() > ALLOWED_AUDIENCES_MAX {
            return Err(GroupDefinitionError::Audiences(self.allowed_audiences.len()));
        }
        self.check_command()?;
        self.check_environment()?;
        Ok(self.probes.check()?)
    }

    fn check_command(&self) -> Result<(), GroupDefinitionError> {
        let bounded = |part: &String| part.len() <= TEXT_BYTES_MAX && !part.contains('\0');
        let program = self.command.first().is_some_and(|program| !program.is_empty());
        if program && self.command.len() <= COMMAND_PARTS_MAX && self.command.iter().all(bounded) {
            Ok(())
        } else {
            Err(GroupDefinitionError::Command)
        }
    }

    fn check_environment(&self) -> Result<(), GroupDefinitionError> {
        let is_name = |name: &str| {
            name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit())
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
                && !name.starts_with("SALAD_")
        };
        let refused = self
            .environment
            .iter()
            .find(|(name, value)| !is_name(name) || value.len() > TEXT_BYTES_MAX || value.contains('\0'))
            .map(|(name, _)| name.as_str())
            .or_else(|| (self.environment.len() > ENVIRONMENT_MAX).then_some("one more"));
        refused.map_or(Ok(()), |name| Err(GroupDefinitionError::Environment(name.chars().take(64).collect())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: impl FnOnce(&mut GroupDefinition)) -> Result<(), GroupDefinitionError> {
        let mut definition: GroupDefinition =
            serde_json::from_str(r#"{"replicas":2,"command":["sleep","infinity"]}"#).unwrap();
        change(&mut definition);
        definition.check()
    }

    #[test]
    fn bounds_are_checked() {
        assert_eq!(check(|_| {}), Ok(()));
        assert_eq!(check(|d| d.replicas = 501), Err(GroupDefinitionError::Replicas(501)));
        assert_eq!(check(|d| d.command.clear()), Err(GroupDefinitionError::Command));
        assert_eq!(check(|d| d.command = vec!["a\0".into()]), Err(GroupDefinitionError::Command));
        assert_eq!(check(|d| d.stop_grace_seconds = 601), Err(GroupDefinitionError::StopGrace(601)));
        for name in ["", "1A", "A-B", "SALAD_MACHINE_ID", "A=B"] {
            assert!(
                check(|d| drop(d.environment.insert(name.into(), String::new()))).is_err(),
                "{name:?} was accepted"
            );
        }
    }
}
