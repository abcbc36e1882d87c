// SPDX-License-Identifier: Apache-2.0
//! The one way from a text to verified claims.

use cress_domain::{KeyId, Timestamp};
use cress_jose::{CompactJws, Header, VerificationKey, parse_object};
use serde_json::{Map, Value};

use crate::{AudienceRule, Claims, KeySet, Rejection, Rules, Verified};

/// A well-formed token about which nothing is known: anyone may have written it.
#[derive(Clone)]
pub struct Unverified<'token> {
    jws: CompactJws<'token>,
    claims: Map<String, Value>,
}

/// Checks a token against the keys of its issuer and the rules, at this moment.
///
/// # Errors
/// The first [`Rejection`] found; until the signature is checked nothing that the token says is taken for true.
pub fn verify(token: &str, keys: &KeySet, rules: &Rules, now: Timestamp) -> Result<Verified<Claims>, Rejection> {
    Unverified::parse(token)?.verify(keys, rules, now)
}

impl<'token> Unverified<'token> {
    /// Parses a token without checking anything that it says.
    ///
    /// # Errors
    /// [`Rejection`] if the token is malformed, or uses what no rules allow.
    pub fn parse(token: &'token str) -> Result<Self, Rejection> {
        let jws = CompactJws::parse(token)?;
        let claims = parse_object(jws.unverified_payload()).map_err(Rejection::claims)?;
        Ok(Self { jws, claims })
    }

    /// The header.
    #[must_use]
    pub const fn unverified_header(&self) -> &Header {
        self.jws.header()
    }

    /// `iss` as the token has it: good for choosing the rules and keys that it is then checked with, and for nothing else.
    #[must_use]
    pub fn unverified_issuer(&self) -> Option<&str> {
        self.claims.get("iss").and_then(Value::as_str)
    }

    /// Checks everything, the signature before any claim.
    ///
    /// # Errors
    /// The first [`Rejection`] found.
    pub fn verify(self, keys: &KeySet, rules: &Rules, now: Timestamp) -> Result<Verified<Claims>, Rejection> {
        let header = self.jws.header();
        if !rules.algorithms.contains(&header.algorithm()) {
            return Err(Rejection::algorithm_not_allowed(header.algorithm().as_str()));
        }
        if !rules.token_type.accepts(header.typ()) {
            return Err(Rejection::TypeNotAllowed { typ: header.typ().unwrap_or("none").to_owned() });
        }
        let (kid, key) = select(header, keys)?;
        self.jws.verify(key)?;
        let kid = kid.clone();
        check_issuer(&self.claims, rules)?;
        let claims = Claims::parse(&rules.issuer, self.claims)?;
        check_times(&claims, rules, now)?;
        check_audience(&claims, rules)?;
        check_claims(&claims, rules)?;
        Ok(Verified::new(claims, kid))
    }
}

fn select<'a>(header: &'a Header, keys: &'a KeySet) -> Result<(&'a KeyId, &'a VerificationKey), Rejection> {
    let kid = header.kid().ok_or(Rejection::KeyIdMissing)?;
    let key = keys.get(kid.as_str()).ok_or_else(|| Rejection::KeyUnknown { kid: kid.clone() })?;
    Ok((kid, key))
}

fn check_issuer(claims: &Map<String, Value>, rules: &Rules) -> Result<(), Rejection> {
    match claims.get("iss") {
        Some(Value::String(issuer)) if *issuer == rules.issuer.as_str() => Ok(()),
        Some(Value::String(issuer)) => Err(Rejection::issuer_mismatch(&rules.issuer, issuer)),
        Some(_) => Err(Rejection::claim_type("iss", "a text")),
        None => Err(Rejection::claim_missing("iss")),
    }
}

fn check_times(claims: &Claims, rules: &Rules, now: Timestamp) -> Result<(), Rejection> {
    let leeway = rules.leeway.duration();
    // RFC 7519 section 4.1.4: the current time must be before exp, so a token is no good at the very moment.
    if now >= claims.expires_at() + leeway {
        return Err(Rejection::Expired { expired_at: claims.expires_at(), now });
    }
    if let Some(valid_from) = claims.not_before().filter(|valid_from| now + leeway < *valid_from) {
        return Err(Rejection::NotYetValid { valid_from, now });
    }
    if let Some(issued_at) = claims.issued_at().filter(|issued_at| now + leeway < *issued_at) {
        return Err(Rejection::IssuedInFuture { issued_at, now });
    }
    let Some(max) = rules.lifetime_max else { return Ok(()) };
    let issued_at = claims.issued_at().ok_or_else(|| Rejection::claim_missing("iat"))?;
    let lifetime = claims.expires_at().saturating_since(issued_at);
    if lifetime > max { Err(Rejection::LifetimeTooLong { lifetime, max }) } else { Ok(()) }
}

fn check_audience(claims: &Claims, rules: &Rules) -> Result<(), Rejection> {
    let AudienceRule::OneOf(expected) = &rules.audiences else { return Ok(()) };
    if claims.claim("aud").is_none() {
        return Err(Rejection::claim_missing("aud"));
    }
    if claims.audiences().any(|audience| expected.iter().any(|expected| expected.as_str() == audience)) {
        Ok(())
    } else {
        Err(Rejection::audience_mismatch(expected, claims.audiences()))
    }
}

fn check_claims(claims: &Claims, rules: &Rules) -> Result<(), Rejection> {
    let absent = |name: &&String| claims.claim(name).is_none_or(Value::is_null);
    if let Some(name) = rules.required_claims.iter().find(absent) {
        return Err(Rejection::claim_missing(name));
    }
    match rules.claim_rules.iter().find(|rule| !rule.matches(claims.as_map())) {
        Some(rule) => Err(Rejection::ClaimRuleFailed { rule: rule.clone() }),
        None => Ok(()),
    }
}

/// A token is a credential as long as it is valid: `Debug` shows none of it.
impl std::fmt::Debug for Unverified<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Unverified(..)")
    }
}
