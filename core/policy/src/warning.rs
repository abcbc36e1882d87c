// SPDX-License-Identifier: Apache-2.0
//! What is allowed and yet worth a second look: a policy that permits by nothing but a name that tenants choose, or permits everyone.
//!
//! Names are free again after a deletion, and the next tenant who takes one gets what was meant for the last. So each way to
//! satisfy a permit should compare an id.

use std::fmt;

use cedar_policy::{Effect, PolicySet};
use serde_json::Value;

use crate::claim_types::ClaimTypes;
use crate::policies::name;

/// Attributes that tenants choose.
const NAMES: [&str; 2] = ["organization_name", "group_name"];
/// Attributes that the issuer gives.
const IDS: [&str; 5] = ["organization_id", "group_id", "instance_id", "machine_id", "subject"];

/// Something worth a second look.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// A name that tenants choose is enough.
    NameAlone {
        /// The policy.
        policy: String,
    },
    /// Every good token is enough.
    Everyone {
        /// The policy.
        policy: String,
    },
    /// What Cedar's own validator remarks, such as a policy that can never apply.
    Validator(String),
}

/// What one way through a condition compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Guard {
    Nothing,
    Name,
    Id,
}

pub(crate) fn of(set: &PolicySet, types: &ClaimTypes, validator: impl Iterator<Item = String>) -> Vec<Warning> {
    let mut warnings: Vec<Warning> = validator.map(Warning::Validator).collect();
    for policy in set.policies().filter(|policy| policy.effect() == Effect::Permit) {
        let Ok(json) = policy.to_json() else { continue };
        let policy = name(set, policy.id());
        match guard_of(&json, types) {
            Guard::Id => {}
            Guard::Name => warnings.push(Warning::NameAlone { policy }),
            Guard::Nothing => warnings.push(Warning::Everyone { policy }),
        }
    }
    warnings
}

/// The best guard of a policy: all of its conditions must hold.
fn guard_of(policy: &Value, types: &ClaimTypes) -> Guard {
    if policy.pointer("/principal/op").and_then(Value::as_str) == Some("==") {
        return Guard::Id;
    }
    let conditions = policy.get("conditions").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let whens = conditions.iter().filter(|condition| condition.get("kind").and_then(Value::as_str) == Some("when"));
    whens.filter_map(|when| when.get("body")).map(|body| guard(body, types)).max().unwrap_or(Guard::Nothing)
}

/// What is compared whenever an expression is true. Both sides of an `&&` hold; of an `||` only the weaker is sure.
fn guard(expression: &Value, types: &ClaimTypes) -> Guard {
    let Some((operator, operands)) = expression.as_object().and_then(|object| object.iter().next()) else {
        return Guard::Nothing;
    };
    let operand = |name: &str| operands.get(name).map_or(Guard::Nothing, |inner| guard(inner, types));
    match operator.as_str() {
        "&&" => operand("left").max(operand("right")),
        "||" => operand("left").min(operand("right")),
        "if-then-else" => operand("then").min(operand("else")),
        "==" | "in" | "contains" | "containsAny" | "containsAll" | "like" => mentioned(operands, types),
        _ => Guard::Nothing,
    }
}

/// The best attribute of the principal that stands anywhere within.
fn mentioned(expression: &Value, types: &ClaimTypes) -> Guard {
    match expression {
        Value::Object(members) => {
            let here = members.get(".").map_or(Guard::Nothing, |access| attribute(access, types));
            members.values().map(|inner| mentioned(inner, types)).fold(here, Guard::max)
        }
        Value::Array(items) => items.iter().map(|inner| mentioned(inner, types)).max().unwrap_or(Guard::Nothing),
        _ => Guard::Nothing,
    }
}

fn attribute(access: &Value, types: &ClaimTypes) -> Guard {
    let Some(name) = access.get("attr").and_then(Value::as_str) else { return Guard::Nothing };
    let is_principal =
        |value: Option<&Value>| value.and_then(|it| it.get("Var")).and_then(Value::as_str) == Some("principal");
    let left = access.get("left");
    if is_principal(left) {
        return match name {
            name if IDS.contains(&name) => Guard::Id,
            name if NAMES.contains(&name) => Guard::Name,
            _ => Guard::Nothing,
        };
    }
    let is_claim = left.and_then(|left| left.get(".")).is_some_and(|outer| {
        is_principal(outer.get("left")) && outer.get("attr").and_then(Value::as_str) == Some("claims")
    });
    match types.iter().find(|(declared, _)| is_claim && *declared == name) {
        Some((_, declared)) if declared.chosen_by_tenants => Guard::Name,
        Some(_) => Guard::Id,
        None => Guard::Nothing,
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NameAlone { policy } => write!(
                formatter,
                "policy {policy:?} permits by a name that tenants choose, alone: who takes the name when it is free gets in; compare \
                 organization_id or group_id too"
            ),
            Self::Everyone { policy } => {
                write!(formatter, "policy {policy:?} permits without comparing who asks: every good token is enough")
            }
            Self::Validator(text) => formatter.write_str(text),
        }
    }
}
