// SPDX-License-Identifier: Apache-2.0
//! The check that every token passes before it is served. Control is trusted to sign; that it signed for the right
//! instance, and that the answer went to the right request, is looked at: a mix-up would hand one tenant's identity to
//! another.

use std::time::Duration;

use cress_domain::{Audience, Issuer, KeyId, Timestamp};
use cress_token::{AudienceRule, Claims, KeySet, Leeway, Rejection, Rules, verify};

use super::identity::InstanceIdentity;
use super::limits::EXPIRY_MARGIN;

/// Whose tokens are served, and the keys that verify them.
pub(super) struct IssuerKeys {
    pub(super) issuer: Issuer,
    pub(super) keys: KeySet,
}

/// What the check found out about a good token.
pub(super) struct Good {
    pub(super) kid: KeyId,
    /// From control's time on.
    pub(super) life: Duration,
}

/// Why a token that control sent must not be served.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Flaw {
    #[error(transparent)]
    Rejected(#[from] Rejection),
    #[error("expected a token of the instance that it was asked for, got one of another workload")]
    Identity,
    #[error("expected a token for the one audience that it was asked for, got one for more")]
    Audience,
    #[error("expected a token that lives for more than {} s, got one that lives for {} s", EXPIRY_MARGIN.as_secs(), .0.as_secs())]
    Life(Duration),
}

/// The times in a token come from the same clock as control's time; only the rounding to seconds is between them.
const ROUNDING: Duration = Duration::from_secs(2);

/// Checks signature, claims and times by control's time, and that the token is this instance's, for this audience only.
pub(super) fn check(
    jwt: &str,
    identity: &InstanceIdentity,
    audience: Option<&Audience>,
    keys: &IssuerKeys,
    control_time: Timestamp,
) -> Result<Good, Flaw> {
    let audience = audience.cloned().unwrap_or_else(|| identity.organization_id.into());
    let mut rules = Rules::for_workloads(keys.issuer.clone(), AudienceRule::OneOf(vec![audience]));
    rules.leeway = Leeway::try_from(ROUNDING).unwrap_or_default();
    let claims = verify(jwt, &keys.keys, &rules, control_time)?;
    check_identity(&claims, identity)?;
    let life = claims.expires_at().saturating_since(control_time);
    if life <= EXPIRY_MARGIN {
        return Err(Flaw::Life(life));
    }
    Ok(Good { kid: claims.kid().clone(), life })
}

fn check_identity(claims: &Claims, identity: &InstanceIdentity) -> Result<(), Flaw> {
    if claims.audiences().count() != 1 {
        return Err(Flaw::Audience);
    }
    let is_subject = claims.subject().is_some_and(|subject| subject.parse() == Ok(identity.machine_id));
    if is_subject && claims.workload().is_some_and(|workload| identity.is(&workload)) {
        Ok(())
    } else {
        Err(Flaw::Identity)
    }
}

impl Flaw {
    /// A stable name for the log.
    pub(super) const fn code(&self) -> &'static str {
        match self {
            Self::Rejected(rejection) => rejection.code(),
            Self::Identity => "identity-mismatch",
            Self::Audience => "audience-too-wide",
            Self::Life(_) => "life-too-short",
        }
    }

    /// Whether the key set that control is about to send may cure it.
    pub(super) const fn is_key_unknown(&self) -> bool {
        matches!(self, Self::Rejected(Rejection::KeyUnknown { .. }))
    }
}
