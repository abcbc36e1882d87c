// SPDX-License-Identifier: Apache-2.0
//! axum with claims as arguments of handlers, and a policy that says who is let in where. Two issuers are trusted: a fleet's, and
//! GitLab, whose jobs may do more.
//!
//! ```sh
//! JWKS_URL=http://127.0.0.1:8420/.well-known/workload-jwks.json ISSUER=http://127.0.0.1:8420 AUDIENCE=<organization id> \
//!     CONTAINER_GROUP_ID=<id> GITLAB_PROJECT_ID=<id> cargo run -p cress-verify --features axum --example axum
//! curl -H "Authorization: Bearer $(cress token get --imds http://127.0.0.1:8440)" http://127.0.0.1:8500/results
//! ```

#![expect(clippy::print_stdout, reason = "it says where it listens")]

use std::env;
use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use axum::routing::{delete, get};
use cress_verify::http::{BearerLayer, BearerToken};
use cress_verify::{
    AudienceRule, ClaimGrant, ClaimPolicy, Preset, RemoteKeys, Settings, SystemClock, TrustedIssuer, Verifier,
};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let verifier = verifier()?;
    let workers =
        ClaimPolicy::deny_all().permit([format!("salad_workload_id={}", setting("CONTAINER_GROUP_ID")?).parse()?])?;
    // Two issuers can use one claim for two things: a grant that is about one of them says so.
    let deployers = ClaimPolicy::deny_all().grant(ClaimGrant {
        issuer: Some(Preset::GitLab.issuer(None)?),
        rules: vec![format!("project_id={}", setting("GITLAB_PROJECT_ID")?).parse()?, "ref_protected=true".parse()?],
    })?;
    let routes = Router::new()
        .route("/results", get(results).layer(BearerLayer::new(verifier.clone()).permit(workers)))
        .route("/results", delete(clear).layer(BearerLayer::new(verifier).permit(deployers)))
        .route("/healthz", get(async || "ok"));

    let listener = TcpListener::bind(env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:8500".to_owned())).await?;
    println!("listening on http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, routes).await?)
}

async fn results(BearerToken(claims): BearerToken) -> String {
    claims
        .workload()
        .map_or_else(|| "unknown".to_owned(), |workload| format!("results of {}", workload.container_group_id))
}

async fn clear(BearerToken(claims): BearerToken) -> String {
    format!("cleared by {}", claims.subject().unwrap_or("nobody"))
}

fn verifier() -> anyhow::Result<Verifier> {
    let audience = setting("AUDIENCE")?.parse()?;
    let audiences = AudienceRule::OneOf(vec![audience]);
    let mut fleet = Preset::Cress.trusted_issuer(Some(setting("ISSUER")?.parse()?), audiences.clone())?;
    fleet.keys = RemoteKeys::new(&setting("JWKS_URL")?)?.into();
    let mut gitlab = Preset::GitLab.trusted_issuer(None, audiences)?;
    if let Ok(jwks_url) = env::var("GITLAB_JWKS_URL") {
        gitlab = TrustedIssuer::new(gitlab.rules, RemoteKeys::new(&jwks_url)?);
    }
    Ok(Verifier::start(vec![fleet, gitlab], &Settings::default(), Arc::new(SystemClock::new()))?)
}

fn setting(name: &str) -> anyhow::Result<String> {
    env::var(name).with_context(|| format!("{name} is not set"))
}
