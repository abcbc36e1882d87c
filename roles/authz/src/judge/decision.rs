// SPDX-License-Identifier: Apache-2.0
//! What was decided, and by which rule.

use std::sync::Arc;

use cress_verify::http::{Refusal, VerifiedToken};
use http::HeaderMap;

use crate::rules::Rule;

/// A decision about one request.
#[derive(Debug)]
pub(crate) struct Decision {
    /// The rule that fitted, if one did.
    pub(crate) rule: Option<Arc<Rule>>,
    /// The token's claims, if it was good.
    pub(crate) claims: Option<VerifiedToken>,
    pub(crate) verdict: Verdict,
}

/// Whether the request passes. The headers are every header of any rule, filled or empty.
#[derive(Debug)]
pub(crate) enum Verdict {
    Permitted(HeaderMap),
    /// A dry run lets it pass.
    WouldBeRefused(Refusal, HeaderMap),
    Refused(Refusal),
}

impl Decision {
    pub(super) fn permit(rule: &Arc<Rule>, claims: Option<VerifiedToken>, headers: HeaderMap) -> Self {
        Self { rule: Some(Arc::clone(rule)), claims, verdict: Verdict::Permitted(headers) }
    }

    /// Why it was, or would have been, refused.
    pub(crate) const fn refusal(&self) -> Option<&Refusal> {
        match &self.verdict {
            Verdict::Permitted(_) => None,
            Verdict::WouldBeRefused(refusal, _) | Verdict::Refused(refusal) => Some(refusal),
        }
    }
}

impl Verdict {
    pub(super) fn refused(refusal: Refusal, dry_run: bool, headers: HeaderMap) -> Self {
        if dry_run { Self::WouldBeRefused(refusal, headers) } else { Self::Refused(refusal) }
    }

    /// A stable word for logs and metrics.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::Permitted(_) => "permitted",
            Self::WouldBeRefused(..) => "would-be-refused",
            Self::Refused(_) => "refused",
        }
    }
}
