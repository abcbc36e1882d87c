// SPDX-License-Identifier: Apache-2.0
//! HAProxy, which asks `cress authz` with a few lines of Lua, or checks tokens by itself with the files of `cress jwks sync`.

use std::fmt::Write;

use anyhow::ensure;
use cress_domain::limits::TOKEN_BYTES_MAX;
use cress_jose::Algorithm;

use super::claims::ClaimCheck;
use super::input::IdentityHeader;
use super::plan::Plan;
use super::template::fill;

/// The action that asks.
pub(super) const LUA: &str = include_str!("templates/cress-verify.lua");

const VERIFY: &str = include_str!("templates/haproxy-verify.cfg");
const NATIVE: &str = include_str!("templates/haproxy-native.cfg");

pub(super) fn render(plan: &Plan) -> anyhow::Result<String> {
    if plan.native { native(plan) } else { verify(plan) }
}

fn verify(plan: &Plan) -> anyhow::Result<String> {
    let headers = plan.headers.iter().map(|header| {
        let (name, variable) = (header.name(), format!("txn.cress.{}", header.variable()));
        format!("http-request set-header {name} %[var({variable})] if {{ var({variable}) -m len gt 0 }}\n")
    });
    fill(
        VERIFY,
        &[
            ("dir", plan.haproxy_dir.clone()),
            ("issuer", plan.issuer.to_string()),
            ("audience", plan.audience_texts().collect::<Vec<_>>().join(" or ")),
            ("listen", plan.listen.0.to_string()),
            ("authz", plan.authz.host_and_port()),
            ("upstream", plan.upstream.host_and_port()),
            ("strip", strip(&plan.headers)),
            ("headers", headers.collect()),
        ],
    )
}

fn native(plan: &Plan) -> anyhow::Result<String> {
    let algorithm = plan.algorithm;
    ensure!(
        !matches!(algorithm, Algorithm::EdDsa | Algorithm::Ps256),
        "expected an algorithm that HAProxy 2.6 knows, such as ES256 or RS256, got {algorithm}"
    );
    fill(
        NATIVE,
        &[
            ("jwks_url", quote(plan.jwks_url.as_str())?),
            ("dir", plan.haproxy_dir.clone()),
            ("listen", plan.listen.0.to_string()),
            ("upstream", plan.upstream.host_and_port()),
            ("strip", strip(&plan.headers)),
            ("header_bytes_max", TOKEN_BYTES_MAX.saturating_add("Bearer ".len()).to_string()),
            ("algorithm", algorithm.as_str().to_owned()),
            ("issuer", quote(plan.issuer.as_str())?),
            ("audiences", quote_all(plan.audience_texts())?),
            ("rules", rules(&plan.checks)?),
            ("headers", plan.headers.iter().map(header).collect()),
        ],
    )
}

fn strip(headers: &[IdentityHeader]) -> String {
    headers.iter().map(|header| format!("http-request del-header {}\n", header.name())).collect()
}

fn rules(checks: &[ClaimCheck]) -> anyhow::Result<String> {
    let mut lines = String::new();
    for (number, check) in checks.iter().enumerate() {
        let what = if check.values().is_empty() {
            "-m found".to_owned()
        } else {
            format!("-m str -- {}", quote_all(check.values().iter().map(String::as_str))?)
        };
        writeln!(lines, "acl rule_{number} var(txn.token),jwt_payload_query('$.{}') {what}", check.claim())?;
        writeln!(
            lines,
            "http-request return status 403 hdr WWW-Authenticate 'Bearer error=\"insufficient_scope\"' unless rule_{number}"
        )?;
    }
    Ok(lines)
}

/// HAProxy writes a line break of a claim into a header as it stands, and with it headers of the token's own. The variables have a
/// beginning of their own: a header `Token` or `Exp` must not overwrite what the token is checked by.
fn header(header: &IdentityHeader) -> String {
    let (name, variable) = (header.name(), format!("txn.claim_{}", header.variable()));
    format!(
        "http-request set-var({variable}) var(txn.token),jwt_payload_query('$.{}')\n\
         http-request return status 403 if {{ var({variable}) -m reg '[^ -~]' }}\n\
         http-request set-header {name} %[var({variable})] if {{ var({variable}) -m len gt 0 }}\n",
        header.claim()
    )
}

/// Nothing means anything between these quotes but themselves.
fn quote(text: &str) -> anyhow::Result<String> {
    ensure!(!text.contains('\''), "expected a text without an apostrophe for HAProxy, got {text}");
    Ok(format!("'{text}'"))
}

fn quote_all<'a>(texts: impl IntoIterator<Item = &'a str>) -> anyhow::Result<String> {
    Ok(texts.into_iter().map(quote).collect::<anyhow::Result<Vec<_>>>()?.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_header_overwrites_what_a_token_is_checked_by() {
        let own = ["token", "key", "past", "future", "exp", "iat", "nbf"];
        for name in own {
            assert!(NATIVE.contains(&format!("txn.{name}")), "{name}");
            let lines = header(&format!("{name}=sub").parse().unwrap());
            assert!(lines.contains(&format!("set-var(txn.claim_{name})")), "{lines}");
        }
        assert!(!NATIVE.contains("txn.claim_"));
    }
}
