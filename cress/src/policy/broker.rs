// SPDX-License-Identifier: Apache-2.0
//! The broker's policies, tried: explained for one request, and held to a corpus of cases.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use cress_broker::policy_trial::{Case, CaseRequest, Explanation, Outcome, PolicyTrial};
use cress_broker::{Config, check_token};
use cress_domain::{Clock, CredentialName, Timestamp};
use cress_service::SystemClock;
use cress_service::config::{Sources, load};
use serde_json::{Map, Value, json};

use super::CASES_BYTES_MAX;
use crate::config::read_limited;
use crate::token::read_token;
use crate::{output, runtime};

/// What is asked for.
#[derive(Debug, Clone, Args)]
pub(super) struct Wish {
    /// How long it is to live, in seconds; as the credential is configured by default
    #[arg(long, value_name = "SECONDS")]
    pub(super) ttl: Option<u32>,
    /// What else is asked for; may be given several times
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = parameter)]
    pub(super) parameters: Vec<(String, String)>,
}

impl Wish {
    /// As a request for this credential.
    pub(super) fn request(&self, credential: &CredentialName, source_address: Option<IpAddr>) -> CaseRequest {
        let parameters: BTreeMap<String, String> = self.parameters.iter().cloned().collect();
        CaseRequest { credential: credential.to_string(), ttl_seconds: self.ttl, parameters, source_address }
    }
}

/// The broker's settings.
pub(super) fn config(file: &Path) -> anyhow::Result<Config> {
    Ok(load(&Sources::new("broker").file(Some(file)).environment(std::env::vars_os()))?)
}

/// Says what would be decided, and why.
pub(super) fn explain(
    file: &Path,
    (token, claims): (Option<&PathBuf>, Option<&PathBuf>),
    request: &CaseRequest,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let config = config(file)?;
    let trial = PolicyTrial::new(&config)?;
    let claims = match (claims, token) {
        (Some(file), _) => serde_json::from_str(&read_limited(file, CASES_BYTES_MAX)?)
            .with_context(|| format!("expected claims in {}", file.display()))?,
        (None, Some(file)) => claims_of(&config, file)?,
        (None, None) => anyhow::bail!("expected --token or --claims: without a token the broker gives out nothing"),
    };
    let explanation = trial.explain(&claims, request, SystemClock::new().now());
    if json {
        output::json(&explanation)?;
    } else {
        print(&explanation)?;
    }
    Ok(if explanation.outcome == Outcome::Permitted { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn claims_of(config: &Config, file: &Path) -> anyhow::Result<Map<String, Value>> {
    let token = read_token(file)?;
    let checked = runtime::of_command()?.block_on(check_token(config, token.expose(), Arc::new(SystemClock::new())))?;
    match checked {
        Ok(claims) => Ok(claims.as_map().clone()),
        Err(error) => Err(anyhow::anyhow!("the token is not good ({}): {error}; {}", error.code(), error.remedy())),
    }
}

fn print(explanation: &Explanation) -> anyhow::Result<()> {
    let Explanation { outcome, credential, ttl_seconds, reason, detail, policies } = explanation;
    let outcome = match outcome {
        Outcome::Permitted => "permitted",
        Outcome::Refused => "refused",
    };
    let ttl = ttl_seconds.map_or(String::new(), |seconds| format!(" for {seconds} s"));
    output::line(format!("{outcome}: {credential:?}{ttl} ({reason}): {detail}"))?;
    for policy in policies {
        output::line(format!("  decided by policy {policy:?}"))?;
    }
    output::note("caps on leases and rates are not looked at");
    Ok(())
}

/// Tries a corpus, and says what differs from what is expected.
pub(super) fn test(file: &Path, cases: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let trial = PolicyTrial::new(&config(file)?)?;
    let text = read_limited(cases, CASES_BYTES_MAX)?;
    let cases: Vec<Case> =
        serde_json::from_str(&text).with_context(|| format!("expected a list of cases in {}", cases.display()))?;
    anyhow::ensure!(!cases.is_empty(), "expected at least one case, got none");
    let mut failed = Vec::new();
    for case in &cases {
        let time = case.time.map_or_else(|| SystemClock::new().now(), Timestamp::from_unix_seconds);
        let differences = case.differences(&trial.explain(&case.claims, &case.issue, time));
        if !differences.is_empty() {
            failed.push(json!({ "name": case.name, "differences": differences }));
        }
    }
    super::test::report(cases.len(), &failed, json)
}

fn parameter(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}
