// SPDX-License-Identifier: Apache-2.0
//! What a container group's definition must keep to, and what a change of it means for its instances.

use cress_api::Problem;
use cress_domain::limits::REPLICAS_MAX;
use cress_domain::{ExtraClaims, GroupDefinition, GroupDefinitionError, TokenTtl};
use cress_store::control::RunningInstances;

use super::token_shape::{Names, TokenShape};

/// The largest definition as JSON: a node gets it with each instance.
const DEFINITION_BYTES_MAX: usize = 64 * 1024;

/// Checks a definition for a group of these names.
pub(super) fn check(definition: &GroupDefinition, names: Names<'_>, shape: &TokenShape) -> Result<(), Box<Problem>> {
    definition.check().map_err(|error| Box::new(out_of_bounds(&error)))?;
    check_size(definition)?;
    shape.check(&definition.extra_claims, names)
}

/// Checks a number of replicas.
pub(super) fn check_replicas(replicas: u32) -> Result<(), Box<Problem>> {
    if replicas <= REPLICAS_MAX {
        return Ok(());
    }
    Err(Box::new(invalid().with_error("replicas", GroupDefinitionError::Replicas(replicas).to_string())))
}

/// What happens to the instances of a group whose definition changes: they go on unless what they run has changed.
pub(super) fn running_instances(old: &GroupDefinition, new: &GroupDefinition) -> RunningInstances {
    if what_runs(old) == what_runs(new) { RunningInstances::Keep } else { RunningInstances::End }
}

/// The definition without what only control and the token look at. Written so that whatever is added to definitions counts as
/// what runs, unless it is named here.
fn what_runs(definition: &GroupDefinition) -> GroupDefinition {
    GroupDefinition {
        replicas: 0,
        token_ttl_seconds: TokenTtl::default(),
        allowed_audiences: Vec::new(),
        extra_claims: ExtraClaims::default(),
        ..definition.clone()
    }
}

fn invalid() -> Problem {
    Problem::new(400, "invalid-definition", "Bad Request")
        .with_detail("the container group's definition is not within its bounds; see errors")
}

fn out_of_bounds(error: &GroupDefinitionError) -> Problem {
    let property = match error {
        GroupDefinitionError::Replicas(_) => "definition.replicas",
        GroupDefinitionError::Command => "definition.command",
        GroupDefinitionError::Environment(_) => "definition.environment",
        GroupDefinitionError::StopGrace(_) => "definition.stop_grace_seconds",
        GroupDefinitionError::Audiences(_) => "definition.allowed_audiences",
        GroupDefinitionError::Probe(_) => "definition.probes",
        _ => "definition",
    };
    invalid().with_error(property, error.to_string())
}

fn check_size(definition: &GroupDefinition) -> Result<(), Box<Problem>> {
    let bytes = serde_json::to_vec(definition).map_or(usize::MAX, |json| json.len());
    if bytes <= DEFINITION_BYTES_MAX {
        return Ok(());
    }
    let message = format!(
        "expected a definition of at most {DEFINITION_BYTES_MAX} bytes of JSON, got {bytes}; let the command read large \
         data from elsewhere"
    );
    Err(Box::new(invalid().with_error("definition", message)))
}
