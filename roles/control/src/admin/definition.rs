// SPDX-License-Identifier: Apache-2.0
//! What a container group's definition must keep to, and what a change of it means for its instances.

use cress_api::Problem;
use cress_domain::limits::{DEFAULT_TOKEN_BYTES_MAX, REPLICAS_MAX};
use cress_domain::{ExtraClaims, GroupDefinition, GroupDefinitionError, Issuer, Name, TokenTtl};
use cress_store::control::RunningInstances;
use cress_token::default_token_length;

/// The largest definition as JSON: a node gets it with each instance.
const DEFINITION_BYTES_MAX: usize = 64 * 1024;
/// Each character of a name or claim takes four thirds of a character in the token, since the payload is written in base64url.
const CHARACTERS_PER_BYTE: (usize, usize) = (4, 3);

/// All that the length of a token depends on beside its container group.
#[derive(Debug, Clone)]
pub(crate) struct TokenShape {
    /// Who signs.
    pub(crate) issuer: Issuer,
    /// The length of a key id: that of its prefix and of a time.
    pub(crate) kid_bytes: usize,
}

/// Whose definition it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names<'a> {
    pub(super) organization: &'a Name,
    pub(super) group: &'a Name,
}

/// Checks a definition for a group of these names.
pub(super) fn check(definition: &GroupDefinition, names: Names<'_>, shape: &TokenShape) -> Result<(), Box<Problem>> {
    definition.check().map_err(|error| Box::new(out_of_bounds(&error)))?;
    check_size(definition)?;
    check_token(&definition.extra_claims, names, shape)
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

fn check_token(extra: &ExtraClaims, names: Names<'_>, shape: &TokenShape) -> Result<(), Box<Problem>> {
    let length = default_token_length(&shape.issuer, shape.kid_bytes, names.organization, names.group, extra);
    let excess = length.saturating_sub(DEFAULT_TOKEN_BYTES_MAX);
    if excess == 0 { Ok(()) } else { Err(Box::new(too_long(length, excess, extra, names, shape))) }
}

fn too_long(length: usize, excess: usize, extra: &ExtraClaims, names: Names<'_>, shape: &TokenShape) -> Problem {
    let (characters, bytes) = CHARACTERS_PER_BYTE;
    let shorten_by = (excess * bytes).div_ceil(characters);
    let Names { organization, group } = names;
    let claims = serde_json::to_string(extra).map_or(0, |json| json.len().saturating_sub("{}".len()));
    let detail = format!(
        "the group's token would have {length} characters, {excess} more than the {DEFAULT_TOKEN_BYTES_MAX} that clients accept; it holds \
         the organization's name ({organization_length} characters), the group's name ({group_length}), the issuer ({issuer_length}), \
         the key id ({kid_length}) and the extra claims ({claims}): make these shorter, by about {shorten_by} in all",
        organization_length = organization.as_str().len(),
        group_length = group.as_str().len(),
        issuer_length = shape.issuer.as_str().len(),
        kid_length = shape.kid_bytes,
    );
    let property = if extra.is_empty() { "name" } else { "definition.extra_claims" };
    Problem::new(400, "token-too-long", "Bad Request")
        .with_detail(detail)
        .with_error(property, format!("makes the token too long by {excess}"))
}
