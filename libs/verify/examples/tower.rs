// SPDX-License-Identifier: Apache-2.0
//! A tower layer around a service of hyper's, without a web framework: whoever has a good token is told who they are.
//!
//! ```sh
//! JWKS_URL=http://127.0.0.1:8420/.well-known/workload-jwks.json ISSUER=http://127.0.0.1:8420 AUDIENCE=<organization id> \
//!     cargo run -p cress-verify --example tower
//! curl -H "Authorization: Bearer $(cress token get --imds http://127.0.0.1:8440)" http://127.0.0.1:8500/
//! ```

#![expect(clippy::print_stdout, reason = "it says where it listens")]

use std::convert::Infallible;
use std::env;
use std::sync::Arc;

use anyhow::Context;
use bytes::Bytes;
use cress_verify::http::{BearerLayer, VerifiedToken};
use cress_verify::{AudienceRule, RemoteKeys, Rules, Settings, SystemClock, TrustedIssuer, Verifier};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tower::{Layer, ServiceExt, service_fn};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let whoami = BearerLayer::new(verifier()?).realm("whoami").layer(service_fn(whoami));
    let listener = TcpListener::bind(env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:8500".to_owned())).await?;
    println!("listening on http://{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        let whoami = whoami.clone();
        let service = hyper::service::service_fn(move |request| whoami.clone().oneshot(request));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

/// Only requests with a good token come here, with its claims among their extensions.
async fn whoami(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let subject = request.extensions().get::<VerifiedToken>().and_then(|claims| claims.subject());
    Ok(Response::new(Full::from(subject.unwrap_or("nobody").to_owned())))
}

fn verifier() -> anyhow::Result<Verifier> {
    let audience = setting("AUDIENCE")?.parse()?;
    let rules = Rules::for_workloads(setting("ISSUER")?.parse()?, AudienceRule::OneOf(vec![audience]));
    let issuers = vec![TrustedIssuer::new(rules, RemoteKeys::new(&setting("JWKS_URL")?)?)];
    Ok(Verifier::start(issuers, &Settings::default(), Arc::new(SystemClock::new()))?)
}

fn setting(name: &str) -> anyhow::Result<String> {
    env::var(name).with_context(|| format!("{name} is not set"))
}
