// SPDX-License-Identifier: Apache-2.0
//! Why a token was refused.

use std::time::Duration;

use cress_domain::{Audience, Issuer, KeyId, Timestamp};
use cress_jose::{Algorithm, JsonError, JwsError};

use crate::ClaimRule;

/// Why a token was refused. Texts that come from the token are cut; none of them is the token itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Longer than any token that is looked at.
    #[error("expected a token of at most {max} characters, got {length}", max = cress_domain::limits::TOKEN_BYTES_MAX)]
    TokenTooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// Not a signed token in compact form.
    #[error("{0}")]
    TokenMalformed(JwsError),
    /// An empty signature.
    #[error("expected a signed token, got one without a signature")]
    SignatureMissing,
    /// An algorithm that the rules do not allow, or that does not exist here, such as `none`.
    #[error("expected an allowed algorithm, got {algorithm:?} in the token's header")]
    AlgorithmNotAllowed {
        /// What the header says, cut.
        algorithm: String,
    },
    /// A `typ` that the rules do not allow: the token was made for another purpose.
    #[error("expected another type of token, got {typ:?} in the header")]
    TypeNotAllowed {
        /// What the header says.
        typ: String,
    },
    /// No `kid`.
    #[error("expected a \"kid\" in the token's header, got none")]
    KeyIdMissing,
    /// A `kid` that no key has: empty, too long, or not printable.
    #[error("expected a \"kid\" of 1 to 255 printable characters in the token's header")]
    KeyIdMalformed,
    /// A `kid` that is not in the issuer's set: worth a fresh look at the set, but not often.
    #[error("expected a key of the issuer's set, got the unknown key id {:?}", kid.as_str())]
    KeyUnknown {
        /// The key id.
        kid: KeyId,
    },
    /// The key is for another algorithm than the header says.
    #[error("expected the algorithm {key} of the key, got {header} in the token's header")]
    KeyAlgorithmMismatch {
        /// What the header says.
        header: Algorithm,
        /// What the key is for.
        key: Algorithm,
    },
    /// The key did not sign this header and payload.
    #[error("the signature does not match the token's content and key")]
    SignatureInvalid,
    /// A payload that is no JSON object.
    #[error("expected one JSON object as the token's payload")]
    ClaimsMalformed,
    /// A claim that stands there twice.
    #[error("expected each claim once, got {claim:?} more than once")]
    ClaimRepeated {
        /// Its name, cut.
        claim: String,
    },
    /// A claim that must be there.
    #[error("expected the claim {claim:?}, got none")]
    ClaimMissing {
        /// Its name.
        claim: String,
    },
    /// A claim of the wrong type.
    #[error("expected {expected} as the claim {claim:?}")]
    ClaimType {
        /// Its name.
        claim: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// Signed by, or for the name of, someone else.
    #[error("expected a token of the issuer {expected}, got one of {got:?}")]
    IssuerMismatch {
        /// The issuer of the rules.
        expected: Issuer,
        /// What the token says, cut.
        got: String,
    },
    /// Past its `exp`.
    #[error("the token expired at {expired_at}, now is {now}")]
    Expired {
        /// Its `exp`.
        expired_at: Timestamp,
        /// When it was checked.
        now: Timestamp,
    },
    /// Before its `nbf`.
    #[error("the token is valid from {valid_from}, now is {now}")]
    NotYetValid {
        /// Its `nbf`.
        valid_from: Timestamp,
        /// When it was checked.
        now: Timestamp,
    },
    /// Made later than now.
    #[error("the token was issued at {issued_at}, which is later than now, {now}")]
    IssuedInFuture {
        /// Its `iat`.
        issued_at: Timestamp,
        /// When it was checked.
        now: Timestamp,
    },
    /// Lives longer than the rules allow.
    #[error("expected a token that lives at most {} s, got {} s", max.as_secs(), lifetime.as_secs())]
    LifetimeTooLong {
        /// From its `iat` to its `exp`.
        lifetime: Duration,
        /// What the rules allow.
        max: Duration,
    },
    /// Meant for someone else.
    #[error("expected a token for {expected}, got one for {got}")]
    AudienceMismatch {
        /// The audiences of the rules.
        expected: String,
        /// What the token says, cut.
        got: String,
    },
    /// A claim rule that is not satisfied.
    #[error("expected claims that satisfy the rule {:?}", rule.as_str())]
    ClaimRuleFailed {
        /// The first such rule.
        rule: ClaimRule,
    },
}

/// Longest text of a token that a message carries.
const SHOWN_CHARACTERS_MAX: usize = 64;
const SHOWN_AUDIENCES_MAX: usize = 4;

impl Rejection {
    /// A stable name for metrics, answers and tests.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TokenTooLong { .. } => "token-too-long",
            Self::TokenMalformed(_) => "token-malformed",
            Self::SignatureMissing => "signature-missing",
            Self::AlgorithmNotAllowed { .. } => "algorithm-not-allowed",
            Self::TypeNotAllowed { .. } => "type-not-allowed",
            Self::KeyIdMissing => "key-id-missing",
            Self::KeyIdMalformed => "key-id-malformed",
            Self::KeyUnknown { .. } => "key-unknown",
            Self::KeyAlgorithmMismatch { .. } => "key-algorithm-mismatch",
            Self::SignatureInvalid => "signature-invalid",
            Self::ClaimsMalformed => "claims-malformed",
            Self::ClaimRepeated { .. } => "claim-repeated",
            Self::ClaimMissing { .. } => "claim-missing",
            Self::ClaimType { .. } => "claim-type",
            Self::IssuerMismatch { .. } => "issuer-mismatch",
            Self::Expired { .. } => "expired",
            Self::NotYetValid { .. } => "not-yet-valid",
            Self::IssuedInFuture { .. } => "issued-in-future",
            Self::LifetimeTooLong { .. } => "lifetime-too-long",
            Self::AudienceMismatch { .. } => "audience-mismatch",
            Self::ClaimRuleFailed { .. } => "claim-rule-failed",
        }
    }

    /// What to do about it, in plain words, for whoever runs the workload or the service.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::TokenTooLong { .. } | Self::TokenMalformed(_) | Self::ClaimsMalformed => {
                "send the token exactly as it was received, with no quotes, spaces or line breaks around it"
            }
            Self::SignatureMissing | Self::SignatureInvalid | Self::ClaimRepeated { .. } | Self::ClaimType { .. } => {
                "fetch a fresh token and send it unchanged; if it is refused again, it does not come from the issuer \
                 that it names"
            }
            Self::AlgorithmNotAllowed { .. } | Self::KeyAlgorithmMismatch { .. } => {
                "if the issuer really signs with this algorithm, allow it in the rules; otherwise the token is forged"
            }
            Self::TypeNotAllowed { .. } => "send a token that was made for this purpose, or name its type in the rules",
            Self::KeyIdMissing | Self::KeyIdMalformed => {
                "use an issuer that names the key of each token by the id that its key set has"
            }
            Self::KeyUnknown { .. } => {
                "check that the key set comes from the token's issuer and is fresh; a key that was revoked or retired \
                 is gone on purpose: fetch a new token"
            }
            Self::ClaimMissing { .. } => "use an issuer whose tokens carry this claim, or do not require it",
            Self::IssuerMismatch { .. } => {
                "send a token of the expected issuer, or correct the issuer in the rules; both must be equal to the \
                 letter, a trailing slash included"
            }
            Self::Expired { .. } => {
                "fetch a fresh token, every 2 to 3 minutes at least; if it is fresh, set the clocks right"
            }
            Self::NotYetValid { .. } | Self::IssuedInFuture { .. } => {
                "set the clocks of the issuer and of this machine right"
            }
            Self::LifetimeTooLong { .. } => "ask the issuer for tokens with a shorter life, or allow a longer one",
            Self::AudienceMismatch { .. } => {
                "ask for a token that is meant for this service (?audience=...), or add the audience to the rules"
            }
            Self::ClaimRuleFailed { .. } => "send the token of a workload that is permitted here, or change the rule",
        }
    }

    pub(crate) fn claims(error: JsonError) -> Self {
        match error {
            JsonError::Repeated(claim) => Self::ClaimRepeated { claim },
            _ => Self::ClaimsMalformed,
        }
    }

    pub(crate) fn algorithm_not_allowed(algorithm: &str) -> Self {
        Self::AlgorithmNotAllowed { algorithm: algorithm.to_owned() }
    }

    pub(crate) fn claim_missing(claim: &str) -> Self {
        Self::ClaimMissing { claim: shown(claim) }
    }

    pub(crate) const fn claim_type(claim: &'static str, expected: &'static str) -> Self {
        Self::ClaimType { claim, expected }
    }

    pub(crate) fn issuer_mismatch(expected: &Issuer, got: &str) -> Self {
        Self::IssuerMismatch { expected: expected.clone(), got: shown(got) }
    }

    pub(crate) fn audience_mismatch<'a>(expected: &[Audience], got: impl Iterator<Item = &'a str>) -> Self {
        Self::AudienceMismatch { expected: list(expected.iter().map(Audience::as_str)), got: list(got) }
    }
}

impl From<JwsError> for Rejection {
    fn from(error: JwsError) -> Self {
        match error {
            JwsError::TooLong(length) => Self::TokenTooLong { length },
            JwsError::SignatureMissing => Self::SignatureMissing,
            JwsError::Algorithm(error) => Self::algorithm_not_allowed(error.name()),
            JwsError::KeyId(_) | JwsError::HeaderMember("kid") => Self::KeyIdMalformed,
            JwsError::AlgorithmMismatch { header, key } => Self::KeyAlgorithmMismatch { header, key },
            JwsError::SignatureInvalid => Self::SignatureInvalid,
            error => Self::TokenMalformed(error),
        }
    }
}

/// As much of a stranger's text as a message may carry.
fn shown(text: &str) -> String {
    text.chars().take(SHOWN_CHARACTERS_MAX).collect()
}

fn list<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let mut texts = texts.map(|text| format!("{:?}", shown(text)));
    let first: Vec<String> = texts.by_ref().take(SHOWN_AUDIENCES_MAX).collect();
    match (first.is_empty(), texts.count()) {
        (true, _) => "nobody".to_owned(),
        (false, 0) => first.join(", "),
        (false, more) => format!("{} and {more} more", first.join(", ")),
    }
}
