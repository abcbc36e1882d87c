// SPDX-License-Identifier: Apache-2.0
//! Who is permitted, by their claims.

use cress_domain::Issuer;
use serde::{Deserialize, Serialize};

use crate::{ClaimRule, Claims, Verified};

/// Who is permitted: a token passes if it satisfies every rule of at least one grant. Without a grant nobody is.
///
/// In JSON or TOML it is a list of grants, each with its rules and, where several issuers are trusted, the issuer that it is about:
///
/// ```
/// # let claims = serde_json::json!({});
/// let policy: cress_token::ClaimPolicy = serde_json::from_str(
///     r#"[
///         { "rules": ["salad_workload_id=215f0bf7-c4c2-4457-85c5-71cd0819def7"] },
///         { "issuer": "https://gitlab.com", "rules": ["project_id=28", "ref_protected=true"] }
///     ]"#,
/// )?;
/// assert!(!policy.is_empty());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Vec<ClaimGrant>", into = "Vec<ClaimGrant>")]
pub struct ClaimPolicy {
    grants: Vec<ClaimGrant>,
}

/// Rules all of which a token must satisfy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimGrant {
    /// The issuer whose tokens this is about; any that the verifier trusts if it is not said. Two issuers can use one claim for two
    /// things, so say it where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<Issuer>,
    /// The rules: at least one.
    pub rules: Vec<ClaimRule>,
}

/// A policy that permits by mistake, or is too long.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimPolicyError {
    /// A grant without a rule would permit everybody whom the issuer knows.
    #[error("expected at least one rule in each grant; one without rules would permit every token")]
    NoRule,
    /// More than [`ClaimPolicy::GRANTS_MAX`] grants or [`ClaimPolicy::RULES_MAX`] rules in one.
    #[error(
        "expected at most {} grants of at most {} rules each, got more",
        ClaimPolicy::GRANTS_MAX,
        ClaimPolicy::RULES_MAX
    )]
    TooLong,
}

impl ClaimPolicy {
    /// Most grants. Each is looked at for each request that no grant before it permits.
    pub const GRANTS_MAX: usize = 1_024;
    /// Most rules in one grant.
    pub const RULES_MAX: usize = 32;

    /// Permits nobody.
    #[must_use]
    pub const fn deny_all() -> Self {
        Self { grants: Vec::new() }
    }

    /// Permits besides whoever satisfies all of these rules.
    ///
    /// # Errors
    /// [`ClaimPolicyError`].
    pub fn permit(self, rules: impl IntoIterator<Item = ClaimRule>) -> Result<Self, ClaimPolicyError> {
        self.grant(ClaimGrant { issuer: None, rules: rules.into_iter().collect() })
    }

    /// Permits besides whoever satisfies this grant.
    ///
    /// # Errors
    /// [`ClaimPolicyError`].
    pub fn grant(mut self, grant: ClaimGrant) -> Result<Self, ClaimPolicyError> {
        if grant.rules.is_empty() {
            return Err(ClaimPolicyError::NoRule);
        }
        if grant.rules.len() > Self::RULES_MAX || self.grants.len() >= Self::GRANTS_MAX {
            return Err(ClaimPolicyError::TooLong);
        }
        self.grants.push(grant);
        Ok(self)
    }

    /// Whether this token is permitted.
    #[must_use]
    pub fn permits(&self, claims: &Verified<Claims>) -> bool {
        self.grants.iter().any(|grant| grant.is_satisfied_by(claims))
    }

    /// Whether nobody is permitted.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.grants.is_empty()
    }
}

impl ClaimGrant {
    fn is_satisfied_by(&self, claims: &Claims) -> bool {
        let issued = self.issuer.as_ref().is_none_or(|issuer| issuer == claims.issuer());
        // `all` of nothing is true: that no grant is without rules was checked when it was made, and is asked again here.
        issued && !self.rules.is_empty() && self.rules.iter().all(|rule| rule.matches(claims.as_map()))
    }
}

impl TryFrom<Vec<ClaimGrant>> for ClaimPolicy {
    type Error = ClaimPolicyError;
    fn try_from(grants: Vec<ClaimGrant>) -> Result<Self, ClaimPolicyError> {
        grants.into_iter().try_fold(Self::deny_all(), Self::grant)
    }
}

impl From<ClaimPolicy> for Vec<ClaimGrant> {
    fn from(policy: ClaimPolicy) -> Self {
        policy.grants
    }
}

#[cfg(test)]
mod tests {
    use cress_domain::Clock;
    use cress_testkit::{MockClock, TestIssuer};

    use super::*;
    use crate::{AudienceRule, KeySet, Rules, verify};

    fn claims() -> Verified<Claims> {
        let (issuer, now) = (TestIssuer::new(), MockClock::default().now());
        let rules = Rules::new(issuer.issuer().clone(), AudienceRule::Any);
        verify(&issuer.token(now), &KeySet::new(&issuer.jwks()), &rules, now).unwrap()
    }

    #[test]
    fn nothing_is_permitted_that_no_grant_permits() {
        let claims = claims();
        for (policy, permitted) in [
            ("[]", false),
            (r#"[{"rules":["salad_workload_name=demo"]}]"#, true),
            (r#"[{"rules":["salad_workload_name=other"]}]"#, false),
            (r#"[{"rules":["salad_workload_name=demo","salad_organization_name=acme"]}]"#, true),
            (r#"[{"rules":["salad_workload_name=demo","salad_organization_name=other"]}]"#, false),
            (r#"[{"rules":["salad_workload_name=other"]},{"rules":["salad_organization_name=acme"]}]"#, true),
            (r#"[{"issuer":"https://issuer.test","rules":["sub"]}]"#, true),
            (r#"[{"issuer":"https://other.test","rules":["sub"]}]"#, false),
            (r#"[{"rules":["absent"]}]"#, false),
        ] {
            let policy: ClaimPolicy = serde_json::from_str(policy).unwrap();
            assert_eq!(policy.permits(&claims), permitted, "{policy:?}");
        }
        assert!(!ClaimPolicy::deny_all().permits(&claims) && ClaimPolicy::default().is_empty());
    }

    #[test]
    fn policies_that_permit_by_mistake_are_refused() {
        for (policy, message) in [
            (r#"[{"rules":[]}]"#.to_owned(), "expected at least one rule"),
            (r#"[{}]"#.to_owned(), "missing field `rules`"),
            (r#"[{"rules":["a=b"],"isuer":"https://x.test"}]"#.to_owned(), "unknown field `isuer`"),
            (r#"[{"rules":["a="]}]"#.to_owned(), "expected a value"),
            (format!("[{{\"rules\":[{}]}}]", ["\"a\""; 33].join(",")), "at most 1024 grants of at most 32 rules"),
            (format!("[{}]", [r#"{"rules":["a"]}"#; 1_025].join(",")), "at most 1024 grants"),
        ] {
            let error = serde_json::from_str::<ClaimPolicy>(&policy).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
        assert_eq!(ClaimPolicy::deny_all().permit([]), Err(ClaimPolicyError::NoRule));
    }

    #[test]
    fn a_policy_is_serialized_as_it_was_written() {
        let text = r#"[{"issuer":"https://gitlab.com","rules":["project_id=28"]},{"rules":["a","b^=c"]}]"#;
        let policy: ClaimPolicy = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&policy).unwrap(), text);
    }
}
