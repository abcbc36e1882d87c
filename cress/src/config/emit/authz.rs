// SPDX-License-Identifier: Apache-2.0
//! The configuration of `cress authz` that the other ones rely on.

use std::net::SocketAddr;

use anyhow::ensure;

use super::Protocol;
use super::plan::Plan;
use super::quoted::quote;
use super::template::fill;

const TEMPLATE: &str = include_str!("templates/authz.toml");

pub(super) fn render(plan: &Plan) -> anyhow::Result<String> {
    let listen = plan.authz.host_and_port();
    ensure!(
        listen.parse::<SocketAddr>().is_ok(),
        "expected an address in --authz, since it is where cress authz listens, got {listen}"
    );
    let headers = plan.headers.iter().map(|header| format!("{} = {}\n", header.name(), quote(header.claim())));
    let rules = plan.checks.iter().map(|check| quote(check.rule().as_str())).collect::<Vec<_>>();
    let audiences = plan.audience_texts().map(quote).collect::<Vec<_>>();
    fill(
        TEMPLATE,
        &[
            ("listen", quote(&listen)),
            ("grpc", grpc(plan)?),
            ("issuer", quote(plan.issuer.as_str())),
            ("jwks_url", quote(plan.jwks_url.as_str())),
            ("audiences", audiences.join(", ")),
            ("algorithm", quote(plan.algorithm.as_str())),
            ("headers", headers.collect()),
            ("claims", rules.join(", ")),
        ],
    )
}

/// Over gRPC only where somebody asks so.
fn grpc(plan: &Plan) -> anyhow::Result<String> {
    if plan.protocol == Protocol::Http {
        return Ok(String::new());
    }
    let listen = plan.authz_grpc.host_and_port();
    ensure!(
        listen.parse::<SocketAddr>().is_ok(),
        "expected an address in --authz-grpc, since it is where cress authz listens, got {listen}"
    );
    Ok(format!("grpc.listen = {}\n", quote(&listen)))
}
