// SPDX-License-Identifier: Apache-2.0
//! What every instance of a container group has in common, parsed once and shared by all of them.

use cress_domain::{
    Audience, ContainerGroupId, ExtraClaims, GroupDefinition, Name, OrganizationId, ProjectId, TokenTtl,
};

/// One version of a container group. Instances point to it, so a hundred thousand of them cost no names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GroupFacts {
    /// Its id.
    pub(crate) id: ContainerGroupId,
    /// Its name.
    pub(crate) name: Name,
    /// Its project.
    pub(crate) project_id: ProjectId,
    /// Its project's name.
    pub(crate) project_name: Name,
    /// Its organization.
    pub(crate) organization_id: OrganizationId,
    /// Its organization's name.
    pub(crate) organization_name: Name,
    /// Its definition as JSON, as the nodes get it.
    pub(crate) definition: Box<str>,
    /// How long its tokens live.
    pub(crate) token_ttl: TokenTtl,
    /// What its tokens say in addition.
    pub(crate) extra_claims: ExtraClaims,
    /// The audience of a token where none was asked for.
    default_audience: Audience,
    allowed_audiences: Vec<Audience>,
}

/// A definition that cannot be written as JSON.
#[derive(Debug, thiserror::Error)]
#[error("the definition of the container group {group} cannot be written as JSON: {reason}")]
pub(crate) struct GroupFactsError {
    group: ContainerGroupId,
    reason: String,
}

/// Why an audience is not granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AudienceRefusal {
    /// It is no audience.
    Malformed,
    /// The container group does not allow it.
    NotAllowed,
}

impl GroupFacts {
    /// The facts of a container group from its definition, its own name and id, and those above it.
    ///
    /// # Errors
    /// [`GroupFactsError`]
    pub(crate) fn new(
        (id, name): (ContainerGroupId, Name),
        (project_id, project_name): (ProjectId, Name),
        (organization_id, organization_name): (OrganizationId, Name),
        definition: GroupDefinition,
    ) -> Result<Self, GroupFactsError> {
        let json = serde_json::to_string(&definition)
            .map_err(|error| GroupFactsError { group: id, reason: error.to_string() })?;
        Ok(Self {
            id,
            name,
            project_id,
            project_name,
            organization_id,
            organization_name,
            definition: json.into_boxed_str(),
            token_ttl: definition.token_ttl_seconds,
            extra_claims: definition.extra_claims,
            default_audience: organization_id.into(),
            allowed_audiences: definition.allowed_audiences,
        })
    }

    /// The audience that was asked for, if an instance of this group may have it. An empty text asks for the organization.
    ///
    /// # Errors
    /// [`AudienceRefusal`]
    pub(crate) fn audience(&self, asked: &str) -> Result<&Audience, AudienceRefusal> {
        if asked.is_empty() || asked == self.default_audience.as_str() {
            return Ok(&self.default_audience);
        }
        let allowed = self.allowed_audiences.iter().find(|allowed| allowed.as_str() == asked);
        allowed.ok_or_else(|| match asked.parse::<Audience>() {
            Ok(_) => AudienceRefusal::NotAllowed,
            Err(_) => AudienceRefusal::Malformed,
        })
    }
}
