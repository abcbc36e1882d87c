// SPDX-License-Identifier: Apache-2.0
//! Policies that were loaded, validated and are asked.

use std::fmt;

use cedar_policy::{
    AuthorizationError, Authorizer, Decision as Cedar, Entities, PolicyId, PolicySet, Request as CedarRequest,
    Response, Schema, SchemaFragment, ValidationMode, ValidationWarning, Validator,
};
use cress_token::{Claims, Verified};
use serde_json::{Map, Value};

use crate::claim_types::ClaimTypes;
use crate::decision::{Decision, Rehearsal, Why};
use crate::{PolicyError, Request, Warning, moment, principal, warning};

/// Longest text of policies.
pub const POLICIES_BYTES_MAX: usize = 1024 * 1024;

/// The published schema.
const SCHEMA: &str = include_str!("schema.cedarschema");

/// Policies that fit the schema.
pub struct Policies {
    set: PolicySet,
    schema: Schema,
    types: ClaimTypes,
    authorizer: Authorizer,
    warnings: Vec<Warning>,
    looks_at_moment: bool,
}

impl Policies {
    /// Parses and strictly validates policies.
    ///
    /// # Errors
    /// [`PolicyError`]
    pub fn parse(text: &str, types: &ClaimTypes) -> Result<Self, PolicyError> {
        if text.len() > POLICIES_BYTES_MAX {
            return Err(PolicyError::TooLong(text.len()));
        }
        types.check()?;
        let set: PolicySet = text.parse().map_err(|error| PolicyError::Syntax(error_text(&error)))?;
        if set.templates().next().is_some() {
            return Err(PolicyError::Template);
        }
        if set.is_empty() {
            return Err(PolicyError::Empty);
        }
        check_ids(&set)?;
        let schema = schema(types)?;
        let validated = Validator::new(schema.clone()).validate(&set, ValidationMode::Strict);
        // One that can never apply is misspelt, and a forbid that is misspelt forbids nothing.
        let is_error = |warning: &&ValidationWarning| matches!(warning, ValidationWarning::ImpossiblePolicy(_));
        let never = validated.validation_warnings().filter(is_error).map(ToString::to_string);
        let errors: Vec<String> = validated.validation_errors().map(ToString::to_string).chain(never).collect();
        if !errors.is_empty() {
            return Err(PolicyError::Schema(errors));
        }
        let warnings = warning::of(&set, types, validated.validation_warnings().map(ToString::to_string));
        let looks_at_moment = moment::is_looked_at(&set);
        Ok(Self { set, schema, types: types.clone(), authorizer: Authorizer::new(), warnings, looks_at_moment })
    }

    /// The schema that policies are written against, in Cedar's own language, with what was declared.
    #[must_use]
    pub fn schema_text(types: &ClaimTypes) -> String {
        whole_schema(types)
    }

    /// What is worth a second look.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Whether a policy looks at when or from where something is asked for. If none does, the same claims and the same request are always
    /// decided alike.
    #[must_use]
    pub const fn looks_at_moment(&self) -> bool {
        self.looks_at_moment
    }

    /// Decides.
    #[must_use]
    pub fn decide(&self, claims: &Verified<Claims>, request: &Request<'_>) -> Decision {
        self.evaluate(claims.as_map(), request)
    }

    /// What would be decided if these claims had been verified.
    #[must_use]
    pub fn rehearse(&self, claims: &Map<String, Value>, request: &Request<'_>) -> Rehearsal {
        Rehearsal(self.evaluate(claims, request))
    }

    fn evaluate(&self, claims: &Map<String, Value>, request: &Request<'_>) -> Decision {
        self.ask(claims, request).unwrap_or_else(Decision::of)
    }

    fn ask(&self, claims: &Map<String, Value>, request: &Request<'_>) -> Result<Decision, Why> {
        let (principal, entity) = principal::entity(claims, &self.types)?;
        let entities = Entities::from_entities([entity], Some(&self.schema)).map_err(|_| Why::RequestType)?;
        let asked = CedarRequest::new(
            principal,
            request.action().ok_or(Why::RequestType)?,
            request.resource().ok_or(Why::RequestType)?,
            request.context().ok_or(Why::RequestType)?,
            Some(&self.schema),
        );
        let response = self.authorizer.is_authorized(&asked.map_err(|_| Why::RequestType)?, &self.set, &entities);
        Ok(self.read(&response))
    }

    fn read(&self, response: &Response) -> Decision {
        let diagnostics = response.diagnostics();
        let failed: Vec<String> = diagnostics
            .errors()
            .map(|error| match error {
                AuthorizationError::PolicyEvaluationError(error) => self.name(error.policy_id()),
            })
            .collect();
        if !failed.is_empty() {
            return Decision { why: Why::PolicyFailed, decided_by: failed };
        }
        let mut decided_by: Vec<String> = diagnostics.reason().map(|id| self.name(id)).collect();
        decided_by.sort_unstable();
        let why = match (response.decision(), decided_by.is_empty()) {
            (Cedar::Allow, _) => Why::Permitted,
            (Cedar::Deny, true) => Why::NotPermitted,
            (Cedar::Deny, false) => Why::Forbidden,
        };
        Decision { why, decided_by }
    }

    fn name(&self, id: &PolicyId) -> String {
        name(&self.set, id)
    }
}

/// A policy's `@id`, or else its place in the text.
pub(crate) fn name(set: &PolicySet, id: &PolicyId) -> String {
    set.annotation(id, "id").map_or_else(|| id.to_string(), str::to_owned)
}

fn check_ids(set: &PolicySet) -> Result<(), PolicyError> {
    let mut names: Vec<String> = set.policies().map(|policy| name(set, policy.id())).collect();
    names.sort_unstable();
    let repeated = names.windows(2).find_map(|pair| match pair {
        [first, second] if first == second => Some(first.clone()),
        _ => None,
    });
    repeated.map_or(Ok(()), |name| Err(PolicyError::RepeatedId(name)))
}

fn schema(types: &ClaimTypes) -> Result<Schema, PolicyError> {
    let fragment = |text: &str| {
        let parsed = SchemaFragment::from_cedarschema_str(text);
        parsed.map(|(fragment, _warnings)| fragment).map_err(|error| PolicyError::Schema(vec![error_text(&error)]))
    };
    Schema::from_schema_fragments([fragment(&whole_schema(types))?])
        .map_err(|error| PolicyError::Schema(vec![error_text(&error)]))
}

/// The published text with the declared claims in its namespace.
fn whole_schema(types: &ClaimTypes) -> String {
    const NAMESPACE: &str = "namespace Cress {\n";
    let declared =
        format!("{NAMESPACE}  // What the operator declared.\n  type Claims = {{{}}};\n\n", types.schema_fields());
    SCHEMA.replacen(NAMESPACE, &declared, 1)
}

/// An error with its causes, in one line.
fn error_text(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        let words = deeper.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        cause = deeper.source();
    }
    text.replace('\n', " ")
}

impl fmt::Debug for Policies {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Policies").field("policies", &self.set.num_of_policies()).finish_non_exhaustive()
    }
}
