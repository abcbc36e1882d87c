// SPDX-License-Identifier: Apache-2.0
//! Whoever shows a token, as Cedar sees it. A claim of another type than the schema's ends it here: Cedar would leave a policy out
//! that cannot be evaluated, and a forbid left out would permit.

use std::collections::{HashMap, HashSet};

use cedar_policy::{Entity, EntityUid, RestrictedExpression as Expression};
use cress_domain::Timestamp;
use cress_token::ClaimRule;
use serde_json::{Map, Value};

use crate::claim_types::{ClaimKind, ClaimTypes};
use crate::decision::Why;
use crate::request::{text, time, uid};

/// Attributes of the schema by the claims that they are.
const TEXTS: [(&str, &str); 8] = [
    ("subject", "sub"),
    ("token_id", "jti"),
    ("organization_id", "salad_organization_id"),
    ("organization_name", "salad_organization_name"),
    ("group_id", "salad_workload_id"),
    ("group_name", "salad_workload_name"),
    ("instance_id", "salad_instance_id"),
    ("machine_id", "salad_machine_id"),
];

/// The principal with its attributes.
pub(crate) fn entity(claims: &Map<String, Value>, types: &ClaimTypes) -> Result<(EntityUid, Entity), Why> {
    let issuer = required_text(claims, "iss")?;
    let subject = claims.get("sub").and_then(Value::as_str).unwrap_or_default();
    // The id is for people who read decisions: policies match attributes.
    let uid = uid("Cress::Workload", &format!("{issuer} {subject}")).ok_or(Why::RequestType)?;
    let mut attributes = HashMap::from([
        ("issuer".to_owned(), text(issuer)),
        ("audiences".to_owned(), Expression::new_set(audiences(claims)?.into_iter().map(text))),
        ("expires_at".to_owned(), moment(claims, "exp")?.ok_or_else(|| wrong("exp", "a time"))?),
    ]);
    if let Some(issued_at) = moment(claims, "iat")? {
        attributes.insert("issued_at".to_owned(), issued_at);
    }
    for (attribute, claim) in TEXTS {
        match claims.get(claim) {
            None | Some(Value::Null) => {}
            Some(Value::String(value)) => {
                attributes.insert(attribute.to_owned(), text(value));
            }
            Some(_) => return Err(wrong(claim, ClaimKind::String.words())),
        }
    }
    attributes.insert("claims".to_owned(), declared(claims, types)?);
    let entity = Entity::new(uid.clone(), attributes, HashSet::new()).map_err(|_| Why::RequestType)?;
    Ok((uid, entity))
}

fn declared(claims: &Map<String, Value>, types: &ClaimTypes) -> Result<Expression, Why> {
    let mut fields = Vec::new();
    for (name, declared) in types.iter() {
        let path: ClaimRule = declared.claim.parse().map_err(|_| Why::RequestType)?;
        match path.find(claims) {
            None | Some(Value::Null) => {}
            Some(value) => {
                let value = typed(value, declared.kind).ok_or_else(|| wrong(&declared.claim, declared.kind.words()))?;
                fields.push((name.to_owned(), value));
            }
        }
    }
    Expression::new_record(fields).map_err(|_| Why::RequestType)
}

fn typed(value: &Value, kind: ClaimKind) -> Option<Expression> {
    match kind {
        ClaimKind::String => value.as_str().map(text),
        ClaimKind::Long => value.as_i64().map(Expression::new_long),
        ClaimKind::Bool => value.as_bool().map(Expression::new_bool),
        ClaimKind::Strings => {
            let items = value.as_array()?.iter().map(|item| item.as_str().map(text)).collect::<Option<Vec<_>>>()?;
            Some(Expression::new_set(items))
        }
    }
}

fn required_text<'a>(claims: &'a Map<String, Value>, name: &str) -> Result<&'a str, Why> {
    claims.get(name).and_then(Value::as_str).ok_or_else(|| wrong(name, ClaimKind::String.words()))
}

fn audiences(claims: &Map<String, Value>) -> Result<Vec<&str>, Why> {
    let items: Option<Vec<&str>> = match claims.get("aud") {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(Value::String(one)) => Some(vec![one.as_str()]),
        Some(Value::Array(items)) => items.iter().map(Value::as_str).collect(),
        Some(_) => None,
    };
    items.ok_or_else(|| wrong("aud", ClaimKind::Strings.words()))
}

/// RFC 7519 allows fractions, which no policy needs.
fn moment(claims: &Map<String, Value>, name: &str) -> Result<Option<Expression>, Why> {
    /// The year 9999.
    const SECONDS_MAX: f64 = 253_402_300_799.0;
    let Some(value) = claims.get(name).filter(|value| !value.is_null()) else { return Ok(None) };
    let seconds = value.as_f64().filter(|seconds| (0.0..=SECONDS_MAX).contains(seconds));
    #[expect(
        clippy::cast_possible_truncation,
        reason = "within the bounds just checked; the fraction is cut on purpose"
    )]
    let seconds = seconds.ok_or_else(|| wrong(name, "a time"))? as i64;
    Ok(Some(time(Timestamp::from_unix_seconds(seconds))))
}

fn wrong(claim: &str, expected: &'static str) -> Why {
    Why::ClaimType { claim: claim.to_owned(), expected }
}
