// SPDX-License-Identifier: Apache-2.0
//! A service that takes results from the instances of one container group, and from nobody else.

mod settings;
mod web;

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use cress_verify::{RemoteKeys, Rules, Settings, SystemClock, TrustedIssuer, Verifier};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(io::stderr).with_ansi(io::stderr().is_terminal()).init();
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> anyhow::Result<()> {
    let settings = settings::from_environment()?;

    let rules = Rules::for_workloads(settings.issuer, settings.audiences);
    let keys = RemoteKeys::new(&settings.jwks_url).context("JWKS_URL")?;
    let issuers = vec![TrustedIssuer::new(rules, keys)];
    let verifier = Verifier::start(issuers, &Settings::default(), Arc::new(SystemClock::new()))?;
    if let Err(error) = verifier.ready().await {
        tracing::warn!("{error}; requests get 503 until the keys are there");
    }

    let listener =
        TcpListener::bind(&settings.listen).await.with_context(|| format!("cannot listen on {}", settings.listen))?;
    tracing::info!("listening on {}", listener.local_addr()?);
    axum::serve(listener, web::router(verifier, settings.permitted)).with_graceful_shutdown(stopped()).await?;
    Ok(())
}

async fn stopped() {
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            terminate.recv().await;
        }
        Err(_) => std::future::pending().await,
    }
}
