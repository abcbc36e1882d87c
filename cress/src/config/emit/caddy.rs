// SPDX-License-Identifier: Apache-2.0
//! Caddy, which asks `cress authz` with `forward_auth`. It cannot check tokens by itself.

use anyhow::ensure;

use super::plan::Plan;
use super::template::fill;

const TEMPLATE: &str = include_str!("templates/caddy.Caddyfile");

/// What a header's name may have besides letters, digits and hyphens (RFC 9110 section 5.6.2): applications that make variables of
/// headers take each for an underscore.
const ALIASES: &str = "_.!#$%&'*+^`|~";

pub(super) fn render(plan: &Plan) -> anyhow::Result<String> {
    ensure!(!plan.native, "Caddy checks no tokens by itself; leave out --native, and run cress authz");
    let names = || plan.headers.iter().map(|header| header.name());
    fill(
        TEMPLATE,
        &[
            ("at", "@".to_owned()),
            ("issuer", plan.issuer.to_string()),
            ("audience", plan.audience_texts().collect::<Vec<_>>().join(" or ")),
            ("port", plan.listen.0.port().to_string()),
            ("address", plan.listen.0.ip().to_string()),
            ("authz", plan.authz.host_and_port()),
            ("upstream", plan.upstream.host_and_port()),
            ("strip", names().map(|name| format!("request_header -{name}\n")).collect()),
            ("aliases", ALIASES.chars().map(|letter| format!("request_header {}\n", alias(letter))).collect()),
            ("headers", names().map(|name| format!("{name}\n")).collect()),
        ],
    )
}

/// Every header with this in its name: in stars, which say "anything", and in quotes that have no escapes unless it is their own.
fn alias(letter: char) -> String {
    if letter == '`' { format!("\"-*{letter}*\"") } else { format!("`-*{letter}*`") }
}
