// SPDX-License-Identifier: Apache-2.0
//! kube-apiserver, which checks tokens by itself.

use anyhow::ensure;

use super::claims::ClaimCheck;
use super::plan::Plan;
use super::quoted::{quote, yaml_list};
use super::template::fill;

const TEMPLATE: &str = include_str!("templates/kubernetes.yaml");

/// What an instance is called: by its own id where the token has one.
const USERNAME: &str = "'cress:' + (has(claims.salad_instance_id) ? claims.salad_instance_id : claims.sub)";
const GROUPS: &str =
    "groups:\n  expression: \"has(claims.salad_workload_id) ? ['cress:workload:' + claims.salad_workload_id] : []\"\n";

pub(super) fn render(plan: &Plan) -> anyhow::Result<String> {
    ensure!(
        plan.issuer.as_str().starts_with("https://"),
        "expected an https issuer: kube-apiserver takes no other, got {}",
        plan.issuer
    );
    fill(
        TEMPLATE,
        &[
            ("issuer", quote(plan.issuer.as_str())),
            ("audiences", yaml_list(plan.audience_texts())),
            ("rules", plan.checks.iter().map(rule).collect()),
            ("username", quote(USERNAME)),
            ("groups", GROUPS.to_owned()),
        ],
    )
}

fn rule(check: &ClaimCheck) -> String {
    let claim = check.claim();
    let expression = if check.values().is_empty() {
        format!("has(claims.{claim})")
    } else {
        let values = check.values().iter().map(|value| cel(value)).collect::<Vec<_>>().join(", ");
        // A list satisfies a rule if one of its items does. What type a claim has is known when there is one: `dyn`.
        format!(
            "has(claims.{claim}) && (type(dyn(claims.{claim})) == list ? \
             dyn(claims.{claim}).exists(item, item in [{values}]) : dyn(claims.{claim}) in [{values}])"
        )
    };
    format!(
        "- expression: {}\n  message: {}\n",
        quote(&expression),
        quote(&format!("expected another value of the claim {claim}"))
    )
}

/// A text in the language of rules.
fn cel(text: &str) -> String {
    let mut quoted = String::from("'");
    for character in text.chars() {
        match character {
            '\'' | '\\' => quoted.extend(['\\', character]),
            ' '..='~' => quoted.push(character),
            _ => quoted.push_str(&format!("\\U{:08x}", u32::from(character))),
        }
    }
    quoted.push('\'');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_becomes_part_of_a_rule() {
        assert_eq!(cel(r"a'b\' || true"), r"'a\'b\\\' || true'");
        assert_eq!(cel("é"), r"'\U000000e9'");
    }
}
