// SPDX-License-Identifier: Apache-2.0
//! The access log: what was decided about what, and why. Never a token, a header of a client, or a query.

use crate::config::AccessLog;
use crate::judge::{Decision, Verdict};
use crate::request::Asked;

/// The longest path that a line repeats, in bytes.
const PATH_BYTES_MAX: usize = 256;

pub(super) fn access<'a>(log: AccessLog, decision: &Decision, asked: impl FnOnce() -> Asked<'a>) {
    let is_wanted = match log {
        AccessLog::Off => false,
        AccessLog::Refused => !matches!(decision.verdict, Verdict::Permitted(_)),
        AccessLog::All => true,
    };
    if is_wanted {
        write(decision, &asked());
    }
}

fn write(decision: &Decision, asked: &Asked<'_>) {
    let rule = decision.rule.as_ref().map_or("", |rule| rule.name.as_str());
    let claims = decision.claims.as_ref();
    let refusal = decision.refusal();
    tracing::info!(
        target: "cress_authz::access",
        outcome = decision.verdict.word(),
        reason = refusal.map_or("", |refusal| refusal.code),
        detail = refusal.map_or("", |refusal| refusal.detail.as_str()),
        rule,
        method = asked.method.unwrap_or_default(),
        host = asked.host.as_deref().unwrap_or_default(),
        path = asked.path.and_then(|path| path.get(..PATH_BYTES_MAX.min(path.len()))).unwrap_or_default(),
        issuer = claims.map_or("", |claims| claims.issuer().as_str()),
        subject = ?claims.and_then(|claims| claims.subject()).unwrap_or_default(),
        token_id = ?claims.and_then(|claims| claims.token_id()).unwrap_or_default(),
        "{}", decision.verdict.word()
    );
}
