// SPDX-License-Identifier: Apache-2.0
//! Rules about claims, as far as every proxy can check them by itself.

use anyhow::{bail, ensure};
use cress_token::ClaimRule;

use super::input::is_plain_claim;

/// Longest value.
const VALUE_BYTES_MAX: usize = 512;
/// Most values of one rule.
const VALUES_MAX: usize = 64;

/// A claim that must be there, and which values it may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ClaimCheck {
    rule: ClaimRule,
    claim: String,
    /// Empty: it only has to be there.
    values: Vec<String>,
}

impl ClaimCheck {
    pub(super) fn new(rule: &ClaimRule) -> anyhow::Result<Self> {
        let claim = rule.claim();
        let Some(values) = rule.exact_values() else {
            bail!(
                "expected whole values in --require for {claim}, since not every proxy can check how one begins; cress authz can"
            );
        };
        ensure!(
            is_plain_claim(claim),
            "expected a claim's name of letters, digits and underscores in --require, got {claim:?}; cress authz can look into claims"
        );
        ensure!(values.len() <= VALUES_MAX, "expected at most {VALUES_MAX} values for {claim}, got {}", values.len());
        let safe = |value: &String| value.len() <= VALUE_BYTES_MAX && !value.chars().any(char::is_control);
        ensure!(
            values.iter().all(safe),
            "expected values of at most {VALUE_BYTES_MAX} bytes without control characters for {claim}"
        );
        Ok(Self { rule: rule.clone(), claim: claim.to_owned(), values: values.to_vec() })
    }

    /// As it was written.
    pub(super) const fn rule(&self) -> &ClaimRule {
        &self.rule
    }

    pub(super) fn claim(&self) -> &str {
        &self.claim
    }

    pub(super) fn values(&self) -> &[String] {
        &self.values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_that_not_every_proxy_can_check_are_refused() {
        let long = format!("a={}", "x".repeat(VALUE_BYTES_MAX + 1));
        for (rule, good) in [
            ("salad_workload_name=worker|batch", true),
            ("sub", true),
            ("sub^=x", false),
            ("a=ünï code's \"own\"", true),
            ("/kubernetes.io/namespace=x", false),
            ("kubernetes.io=x", false),
            ("a'b=x", false),
            ("a)=x", false),
            ("a=x\ny", false),
            ("a=x\u{7f}", false),
            ("a=x\u{85}", false),
            (&long, false),
        ] {
            let check = ClaimCheck::new(&rule.parse().unwrap());
            assert_eq!(check.is_ok(), good, "{rule:?}: {check:?}");
        }
    }
}
