// SPDX-License-Identifier: Apache-2.0
//! What a token must satisfy.

use std::time::Duration;

use cress_domain::limits::TOKEN_TTL_SECONDS_MAX;
use cress_domain::{Audience, Issuer};
use cress_jose::Algorithm;

use crate::ClaimRule;

/// The rules of one relying party for the tokens of one issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rules {
    /// Who must have signed, compared as text.
    pub issuer: Issuer,
    /// Whom the token must be meant for.
    pub audiences: AudienceRule,
    /// Algorithms that are accepted, whatever keys the issuer publishes. ES256 if nothing else is said.
    pub algorithms: Vec<Algorithm>,
    /// What the header's `typ` must be.
    pub token_type: TypeRule,
    /// How far the issuer's clock and ours may be apart.
    pub leeway: Leeway,
    /// Longest time between `iat` and `exp`; `iat` is required if this is set.
    pub lifetime_max: Option<Duration>,
    /// Claims that must be there and not null, beside `iss` and `exp`, which always must.
    pub required_claims: Vec<String>,
    /// What else the claims must say: all of these.
    pub claim_rules: Vec<ClaimRule>,
}

/// Whom a token must be meant for (RFC 7519 section 4.1.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AudienceRule {
    /// At least one of these; with an empty list no token passes.
    OneOf(Vec<Audience>),
    /// Any or none. A token can then be replayed here by every other service that was ever shown it.
    Any,
}

/// What the header's `typ` must be (RFC 8725 section 3.11). `application/` may be left out, case does not count
/// (RFC 7515 section 4.1.9).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum TypeRule {
    /// `JWT` or no `typ`: what most issuers write.
    #[default]
    JwtOrNone,
    /// Exactly this type, such as `at+jwt`.
    Exactly(String),
}

/// How far two clocks may be apart: 30 s by default, at most 5 minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leeway(Duration);

/// A leeway beyond its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a leeway of at most {} seconds, got {}", Leeway::MAX.as_secs(), .0.as_secs_f64())]
pub struct LeewayError(Duration);

impl Rules {
    /// Tokens of this issuer for these audiences, signed with ES256.
    #[must_use]
    pub fn new(issuer: Issuer, audiences: AudienceRule) -> Self {
        Self {
            issuer,
            audiences,
            algorithms: vec![Algorithm::Es256],
            token_type: TypeRule::default(),
            leeway: Leeway::default(),
            lifetime_max: None,
            required_claims: Vec::new(),
            claim_rules: Vec::new(),
        }
    }

    /// As [`Self::new`], for tokens of workloads: they name subject, token id, time of issue and start of validity,
    /// and live for an hour at most. The reference platform's tokens pass too.
    #[must_use]
    pub fn for_workloads(issuer: Issuer, audiences: AudienceRule) -> Self {
        let required =
            ["sub", "jti", "iat", "nbf", "aud", "salad_machine_id", "salad_workload_id", "salad_organization_id"];
        Self {
            lifetime_max: Some(Duration::from_secs(u64::from(TOKEN_TTL_SECONDS_MAX))),
            required_claims: required.map(str::to_owned).to_vec(),
            ..Self::new(issuer, audiences)
        }
    }
}

impl TypeRule {
    pub(crate) fn accepts(&self, typ: Option<&str>) -> bool {
        match (self, typ) {
            (Self::JwtOrNone, None) => true,
            (Self::JwtOrNone, Some(typ)) => bare(typ).eq_ignore_ascii_case("JWT"),
            (Self::Exactly(expected), Some(typ)) => bare(typ).eq_ignore_ascii_case(bare(expected)),
            (Self::Exactly(_), None) => false,
        }
    }
}

fn bare(typ: &str) -> &str {
    const PREFIX: &str = "application/";
    match typ.split_at_checked(PREFIX.len()) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case(PREFIX) => rest,
        _ => typ,
    }
}

impl Leeway {
    /// The longest leeway.
    pub const MAX: Duration = Duration::from_secs(300);

    /// The leeway as a duration.
    #[must_use]
    pub const fn duration(self) -> Duration {
        self.0
    }
}

impl Default for Leeway {
    fn default() -> Self {
        Self(Duration::from_secs(30))
    }
}

impl TryFrom<Duration> for Leeway {
    type Error = LeewayError;
    fn try_from(leeway: Duration) -> Result<Self, LeewayError> {
        if leeway <= Self::MAX { Ok(Self(leeway)) } else { Err(LeewayError(leeway)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_compared_as_media_types() {
        let exactly = TypeRule::Exactly("at+jwt".to_owned());
        for (rule, typ, accepted) in [
            (&TypeRule::JwtOrNone, None, true),
            (&TypeRule::JwtOrNone, Some("JWT"), true),
            (&TypeRule::JwtOrNone, Some("jwt"), true),
            (&TypeRule::JwtOrNone, Some("application/jwt"), true),
            (&TypeRule::JwtOrNone, Some(""), false),
            (&TypeRule::JwtOrNone, Some("at+jwt"), false),
            (&TypeRule::JwtOrNone, Some("JWT "), false),
            (&exactly, Some("at+JWT"), true),
            (&exactly, Some("Application/AT+jwt"), true),
            (&exactly, Some("JWT"), false),
            (&exactly, None, false),
        ] {
            assert_eq!(rule.accepts(typ), accepted, "{rule:?} {typ:?}");
        }
    }

    #[test]
    fn leeway_is_bounded() {
        assert!(Leeway::try_from(Duration::from_secs(300)).is_ok());
        let error = Leeway::try_from(Duration::from_millis(300_001)).unwrap_err();
        assert_eq!(error.to_string(), "expected a leeway of at most 300 seconds, got 300.001");
    }
}
