// SPDX-License-Identifier: Apache-2.0
//! `cress policy explain`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use cress_authz::{CaseRequest, Explanation, Outcome, Rehearsal};
use cress_domain::{Clock, CredentialName};
use cress_service::SystemClock;
use serde_json::{Map, Value};

use super::broker::{self, Wish};
use super::{CASES_BYTES_MAX, Rules};
use crate::config::read_limited;
use crate::token::read_token;
use crate::{output, runtime};

/// Say what would be decided about a request, by which rule and policy, and why.
///
/// A token is checked as the service would, with its issuer's keys. Claims from a file are taken for checked.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cress token get --imds http://127.0.0.1:8440 | cress policy explain --config authz.toml \\
      --token - --method GET --host api.example.com --path /reports/7
  cress policy explain --config authz.toml --claims claims.json --path /admin
  cress policy explain --broker broker.toml --token token.txt --credential cache-rw --ttl 900 --parameter db=3

Exit codes: 0 permitted, 1 refused, or nobody can tell.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    rules: Rules,
    /// File with the token; - for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "claims")]
    token: Option<PathBuf>,
    /// JSON file with claims, instead of a token
    #[arg(long, value_name = "FILE")]
    claims: Option<PathBuf>,
    /// The request's method
    #[arg(long)]
    method: Option<String>,
    /// Its host
    #[arg(long)]
    host: Option<String>,
    /// Its path
    #[arg(long)]
    path: Option<String>,
    /// The credential that the broker is asked for
    #[arg(long, requires = "broker", conflicts_with_all = ["method", "host", "path"])]
    credential: Option<CredentialName>,
    #[command(flatten)]
    wish: Wish,
    /// Where the client is
    #[arg(long, value_name = "ADDRESS")]
    source_address: Option<IpAddr>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    if let Some(file) = &arguments.rules.broker {
        let credential = arguments.credential.as_ref().context("expected --credential with --broker")?;
        let request = arguments.wish.request(credential, arguments.source_address);
        return broker::explain(file, (arguments.token.as_ref(), arguments.claims.as_ref()), &request, arguments.json);
    }
    let config = arguments.rules.config()?;
    let rehearsal = Rehearsal::new(&config)?;
    let claims = claims(arguments, &config)?;
    let request = CaseRequest {
        method: arguments.method.clone(),
        host: arguments.host.clone(),
        path: arguments.path.clone(),
        source_address: arguments.source_address,
    };
    let explanation = rehearsal.explain(claims.as_ref(), &request, SystemClock::new().now());
    if arguments.json {
        output::json(&explanation)?
    } else {
        print(&explanation)?
    }
    Ok(if explanation.outcome == Outcome::Permitted { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn claims(arguments: &Arguments, config: &cress_authz::Config) -> anyhow::Result<Option<Map<String, Value>>> {
    if let Some(file) = &arguments.claims {
        return Ok(Some(serde_json::from_str(&read_limited(file, CASES_BYTES_MAX)?)?));
    }
    let Some(file) = &arguments.token else { return Ok(None) };
    let token = read_token(file)?;
    let checked = runtime::of_command()?.block_on(cress_authz::check_token(
        config,
        token.expose(),
        Arc::new(SystemClock::new()),
    ))?;
    match checked {
        Ok(claims) => Ok(Some(claims.as_map().clone())),
        Err(error) => Err(anyhow::anyhow!("the token is not good ({}): {error}; {}", error.code(), error.remedy())),
    }
}

fn print(explanation: &Explanation) -> anyhow::Result<()> {
    let outcome = match explanation.outcome {
        Outcome::Permitted => "permitted",
        Outcome::Refused => "refused",
    };
    let rule = explanation.rule.as_ref().map_or("no rule".to_owned(), |rule| format!("rule {rule:?}"));
    output::line(format!("{outcome} by {rule} ({}): {}", explanation.reason, explanation.detail))?;
    for policy in &explanation.policies {
        output::line(format!("  decided by policy {policy:?}"))?;
    }
    for (name, value) in &explanation.headers {
        output::line(format!("  {name}: {value}"))?;
    }
    Ok(())
}
