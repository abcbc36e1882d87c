// SPDX-License-Identifier: Apache-2.0
//! A token taken apart for people. Nothing here is checked, and nothing here says that a token is good.

use cress_domain::Timestamp;
use cress_jose::{Algorithm, JwsParts, parse_object};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{Rejection, numeric_date};

/// What a token says, whether or not any of it is true: also one with `none` as its algorithm can be looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Inspection {
    header: Map<String, Value>,
    claims: Map<String, Value>,
    signature_bytes: usize,
}

/// One member of the token in plain words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Where it stands.
    pub part: TokenPart,
    /// Its name, such as `exp`.
    pub name: String,
    /// What it means.
    pub meaning: &'static str,
    /// Its value for people: times as dates with their distance from now.
    pub value: String,
}

/// A part of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenPart {
    /// How it is signed.
    Header,
    /// What it says.
    Payload,
    /// The signature itself.
    Signature,
}

impl Inspection {
    /// Takes a token apart.
    ///
    /// # Errors
    /// [`Rejection`] if it does not have three parts of which the first two are JSON objects.
    pub fn parse(token: &str) -> Result<Self, Rejection> {
        let parts = JwsParts::split(token)?;
        let header = parse_object(parts.header()).map_err(cress_jose::JwsError::HeaderJson)?;
        let claims = parse_object(parts.payload()).map_err(Rejection::claims)?;
        Ok(Self { header, claims, signature_bytes: parts.signature().len() })
    }

    /// The header's members.
    #[must_use]
    pub const fn unverified_header(&self) -> &Map<String, Value> {
        &self.header
    }

    /// The claims.
    #[must_use]
    pub const fn unverified_claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// Each member in plain words: header, claims with the well-known ones first, signature.
    #[must_use]
    pub fn explain(&self, now: Timestamp) -> Vec<Explanation> {
        let header = ordered(&self.header, &HEADER_MEANINGS).map(|(name, value, meaning)| Explanation {
            part: TokenPart::Header,
            name: name.to_owned(),
            meaning: meaning.unwrap_or("a header member that is not looked at"),
            value: header_value(name, value),
        });
        let claims = ordered(&self.claims, &CLAIM_MEANINGS).map(|(name, value, meaning)| Explanation {
            part: TokenPart::Payload,
            name: name.to_owned(),
            meaning: meaning.unwrap_or("a claim of the issuer's own, or one that the container group adds"),
            value: claim_value(name, value, now),
        });
        header.chain(claims).chain([self.explain_signature()]).collect()
    }

    fn explain_signature(&self) -> Explanation {
        Explanation {
            part: TokenPart::Signature,
            name: "signature".to_owned(),
            meaning: "proves who signed the token; it is not checked here",
            value: match self.signature_bytes {
                0 => "none: no service may accept this token".to_owned(),
                bytes => format!("{bytes} bytes"),
            },
        }
    }
}

const HEADER_MEANINGS: [(&str, &str); 3] =
    [("alg", "how the token is signed"), ("kid", "which key signed it"), ("typ", "what kind of token it is")];

const CLAIM_MEANINGS: [(&str, &str); 13] = [
    ("iss", "who issued the token"),
    ("sub", "whom the token is about; for a workload the machine that it runs on"),
    ("aud", "whom the token is meant for; no one else should accept it"),
    ("iat", "when the token was issued"),
    ("nbf", "from when on the token is valid"),
    ("exp", "when the token expires"),
    ("jti", "the token's own id"),
    ("salad_instance_id", "the container instance that holds the token"),
    ("salad_machine_id", "the machine that the instance runs on"),
    ("salad_workload_id", "the container group that the instance belongs to"),
    ("salad_workload_name", "the name of the container group, chosen by the tenant"),
    ("salad_organization_id", "the organization that the container group belongs to"),
    ("salad_organization_name", "the name of the organization, chosen by the tenant"),
];

type Meanings = [(&'static str, &'static str)];

/// Known members in the order of their meanings, then the others by name.
fn ordered<'a>(
    members: &'a Map<String, Value>,
    meanings: &'static Meanings,
) -> impl Iterator<Item = (&'a str, &'a Value, Option<&'static str>)> {
    let known = meanings.iter().filter_map(|(name, meaning)| Some((*name, members.get(*name)?, Some(*meaning))));
    let is_known = |name: &str| meanings.iter().any(|(known, _)| *known == name);
    let mut others: Vec<_> = members.iter().filter(|(name, _)| !is_known(name)).collect();
    others.sort_unstable_by_key(|(name, _)| *name);
    known.chain(others.into_iter().map(|(name, value)| (name.as_str(), value, None)))
}

fn header_value(name: &str, value: &Value) -> String {
    match (name, value.as_str()) {
        ("alg", Some(algorithm)) if algorithm.parse::<Algorithm>().is_err() => {
            format!("{} (never accepted: only ES256, ES384, RS256, RS384, RS512, PS256 and EdDSA can be)", plain(value))
        }
        _ => plain(value),
    }
}

fn claim_value(name: &str, value: &Value, now: Timestamp) -> String {
    if !matches!(name, "iat" | "nbf" | "exp") {
        return plain(value);
    }
    match numeric_date::parse(value) {
        Some(time) => format!("{time}, {}", distance(time, now)),
        None => format!("{} (never accepted: no time between 1970 and 9999)", plain(value)),
    }
}

/// A text as it is and everything else as JSON, but what could deceive on a terminal is escaped.
fn plain(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            ' '..='~' => shown.push(character),
            other => shown.extend(other.escape_default()),
        }
    }
    shown
}

fn distance(time: Timestamp, now: Timestamp) -> String {
    let (ahead, behind) = (time.saturating_since(now).as_secs(), now.saturating_since(time).as_secs());
    match (ahead, behind) {
        (0, 0) => "now".to_owned(),
        (0, behind) => format!("{} ago", words(behind)),
        (ahead, _) => format!("in {}", words(ahead)),
    }
}

fn words(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds % 86_400 / 3_600, seconds % 3_600 / 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min {} s", seconds % 60),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}
