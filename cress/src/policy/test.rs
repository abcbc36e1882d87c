// SPDX-License-Identifier: Apache-2.0
//! `cress policy test`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use cress_authz::{Case, Rehearsal};
use cress_domain::{Clock, Timestamp};
use cress_service::SystemClock;
use serde_json::{Value, json};

use super::{CASES_BYTES_MAX, Rules};
use crate::config::read_limited;
use crate::output;

/// Try a corpus of cases: a JSON list of claims, requests and what is to be decided.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  cress policy test --config authz.toml cases.json
  cress policy test --broker broker.toml cases.json

A case of the authorization service:
  {\"name\": \"the worker reads\",
   \"claims\": {\"iss\": \"https://control.example\", \"aud\": \"reports\", \"exp\": 1999999999, \"salad_workload_id\": \"...\"},
   \"request\": {\"method\": \"GET\", \"host\": \"api.example.com\", \"path\": \"/reports/7\"},
   \"expect\": {\"outcome\": \"permitted\", \"rule\": \"reports\"}}

A case of the broker:
  {\"name\": \"the worker gets the cache\",
   \"claims\": {\"iss\": \"https://control.example\", \"aud\": \"https://broker.example\", \"exp\": 1999999999, \"salad_workload_id\": \"...\"},
   \"issue\": {\"credential\": \"cache-rw\", \"ttl_seconds\": 900, \"parameters\": {}},
   \"expect\": {\"outcome\": \"permitted\", \"policies\": [\"workers\"]}}

Exit codes: 0 every case is decided as expected, 1 one is not.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    rules: Rules,
    /// JSON file with cases; - for standard input
    #[arg(value_name = "FILE")]
    cases: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    if let Some(broker) = &arguments.rules.broker {
        return super::broker::test(broker, &arguments.cases, arguments.json);
    }
    let rehearsal = Rehearsal::new(&arguments.rules.config()?)?;
    let text = read_limited(&arguments.cases, CASES_BYTES_MAX)?;
    let cases: Vec<Case> = serde_json::from_str(&text)
        .with_context(|| format!("expected a list of cases in {}", arguments.cases.display()))?;
    anyhow::ensure!(!cases.is_empty(), "expected at least one case, got none");
    let mut failed = Vec::new();
    for case in &cases {
        let time = case.time.map_or_else(|| SystemClock::new().now(), Timestamp::from_unix_seconds);
        let differences = case.differences(&rehearsal.explain(case.claims.as_ref(), &case.request, time));
        if !differences.is_empty() {
            failed.push(json!({ "name": case.name, "differences": differences }));
        }
    }
    report(cases.len(), &failed, arguments.json)
}

/// Says which cases are decided in another way than expected.
pub(super) fn report(cases: usize, failed: &[Value], json: bool) -> anyhow::Result<ExitCode> {
    if json {
        output::json(&json!({ "cases": cases, "failed": failed }))?;
    } else {
        for one in failed {
            output::line(format!("{}: {}", one["name"], one["differences"]))?;
        }
        output::line(format!("{} of {cases} cases are decided as expected", cases.saturating_sub(failed.len())))?;
    }
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
