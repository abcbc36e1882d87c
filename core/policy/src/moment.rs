// SPDX-License-Identifier: Apache-2.0
//! Whether policies look at the moment and the place of a request. Where none does, the same token that asks for the same again gets the
//! same answer, which may be remembered.

use cedar_policy::PolicySet;
use serde_json::Value;

/// What of a request is the same each time that the same is asked for.
const LASTING: [&str; 5] = ["ttl_seconds", "parameters", "method", "host", "path"];

/// Whether any policy looks at anything else of the request; yes where that is not plain to see.
pub(crate) fn is_looked_at(set: &PolicySet) -> bool {
    set.policies().any(|policy| policy.to_json().map_or(true, |json| looks(&json)))
}

fn looks(expression: &Value) -> bool {
    match expression {
        Value::Object(members) => members.iter().any(|(operator, operands)| match operator.as_str() {
            "." | "has" if operands.get("left").is_some_and(is_context) => !is_lasting(operands),
            "Var" if operands.is_string() => operands == "context",
            _ => looks(operands),
        }),
        Value::Array(items) => items.iter().any(looks),
        _ => false,
    }
}

fn is_context(expression: &Value) -> bool {
    expression.get("Var").and_then(Value::as_str) == Some("context")
}

fn is_lasting(access: &Value) -> bool {
    access.get("attr").and_then(Value::as_str).is_some_and(|attribute| LASTING.contains(&attribute))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_moment_is_seen_wherever_it_stands() {
        for (condition, expected) in [
            ("true", false),
            ("context.ttl_seconds <= 300", false),
            ("context.parameters.contains(\"database=a\")", false),
            ("principal has group_id && principal.group_id == \"time\"", false),
            ("context.time < datetime(\"2030-01-01\")", true),
            ("context has source_address && context.source_address.isLoopback()", true),
            ("[context.time].contains(datetime(\"2030-01-01\"))", true),
            ("if context.ttl_seconds > 5 then principal.expires_at > context.time else false", true),
            ("{a: context} == {a: context}", true),
            ("{Var: context.time} == {Var: context.time}", true),
        ] {
            for word in ["when", "unless"] {
                let text = format!("permit (principal, action, resource) {word} {{ {condition} }};");
                assert_eq!(is_looked_at(&text.parse().unwrap()), expected, "{text}");
            }
        }
    }
}
