// SPDX-License-Identifier: Apache-2.0
//! `cress token verify`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use cress_domain::{Audience, Issuer};
use cress_jose::Algorithm;
use cress_service::SystemClock;
use cress_token::{AudienceRule, ClaimRule, Claims, Rules, Verified};
use cress_verify::{KeySource, Preset, RemoteKeys, Settings, TrustedIssuer, Verifier, VerifyError};
use serde_json::json;

use super::Input;
use crate::{output, runtime};

/// Check a token, and say which rule it breaks and what to do about it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cress token get --imds http://127.0.0.1:8440 | cress token verify \\
      --jwks http://127.0.0.1:8420/.well-known/workload-jwks.json --issuer http://127.0.0.1:8420 --any-audience
  cress token verify token.txt --jwks keys.json --issuer https://control.example \\
      --audience 2c3573b6-88de-4067-821f-1af088bd9c6a --claim salad_workload_name=worker
  cress token verify token.txt --issuer https://control.example --audience https://deploy.example
  cress token verify token.txt --preset github-actions --audience https://deploy.example \\
      --claim repository_id=123456789 --claim ref=refs/heads/main

Exit codes: 0 the token is good, 1 it is not, or nobody can tell.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    input: Input,
    /// Whose tokens they are: cress, saladcloud, kubernetes, spire, github-actions or gitlab; docs/presets.md says what follows
    #[arg(long, value_name = "NAME")]
    preset: Option<Preset>,
    /// The issuer's key set: a URL or a file; where the preset, or else the issuer's discovery document, says if nothing is said
    #[arg(long, value_name = "URL|FILE")]
    jwks: Option<String>,
    /// The issuer that the token must name; the preset's if it has one
    #[arg(long, value_name = "URL", required_unless_present = "preset")]
    issuer: Option<Issuer>,
    /// An audience that the token may be for; can be repeated
    #[arg(long, required_unless_present = "any_audience")]
    audience: Vec<Audience>,
    /// Accept any audience: the token may have been shown to other services
    #[arg(long, conflicts_with = "audience")]
    any_audience: bool,
    /// What a claim must say, as NAME=VALUE, NAME=VALUE|VALUE, NAME^=START, or NAME if it only has to be there; can be repeated
    #[arg(long, visible_alias = "require", value_name = "RULE")]
    claim: Vec<ClaimRule>,
    /// An algorithm that the token may be signed with; can be repeated; ES256, or the preset's, if nothing is said
    #[arg(long)]
    algorithm: Vec<Algorithm>,
    /// How far the issuer's clock may be from this machine's, up to 300
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    leeway_seconds: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let token = arguments.input.read()?;
    let as_json = arguments.json;
    let issuer = trusted_issuer(arguments)?;
    let verdict = runtime::of_command()?.block_on(async {
        let settings = Settings::default();
        let verifier = Verifier::start(vec![issuer], &settings, Arc::new(SystemClock::new()))?;
        // Why the keys cannot be had is part of the verdict.
        let _unavailable = verifier.ready().await;
        anyhow::Ok(verifier.verify(token.expose()).await)
    })?;
    match verdict {
        Ok(claims) => accepted(&claims, as_json),
        Err(error) => refused(&error, as_json),
    }
}

fn trusted_issuer(arguments: Arguments) -> anyhow::Result<TrustedIssuer> {
    let audiences = if arguments.any_audience { AudienceRule::Any } else { AudienceRule::OneOf(arguments.audience) };
    let mut rules = match arguments.preset {
        Some(preset) => preset.rules(arguments.issuer, audiences)?,
        None => Rules::new(arguments.issuer.context("expected --issuer")?, audiences),
    };
    if !arguments.algorithm.is_empty() {
        rules.algorithms = arguments.algorithm;
    }
    rules.claim_rules.extend(arguments.claim);
    rules.leeway = Duration::from_secs(arguments.leeway_seconds).try_into()?;
    let preset_url = || arguments.preset.map(|preset| preset.jwks_url(&rules.issuer));
    let keys: KeySource = match arguments.jwks.or_else(preset_url) {
        Some(url) if url.contains("://") => RemoteKeys::new(&url)?.into(),
        Some(file) => PathBuf::from(file).into(),
        None => RemoteKeys::discovered(&rules.issuer).context("without --jwks")?.into(),
    };
    Ok(TrustedIssuer::new(rules, keys))
}

fn accepted(claims: &Verified<Claims>, as_json: bool) -> anyhow::Result<ExitCode> {
    if as_json {
        output::json(&json!({ "valid": true, "kid": claims.kid(), "claims": claims.as_map() }))?;
    } else {
        output::line(format!("the token is good until {}, signed with {}", claims.expires_at(), claims.kid()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn refused(error: &VerifyError, as_json: bool) -> anyhow::Result<ExitCode> {
    if as_json {
        let (reason, remedy) = (error.to_string(), error.remedy());
        output::json(&json!({ "valid": false, "code": error.code(), "reason": reason, "remedy": remedy }))?;
    } else {
        output::line(format!("the token is not good ({}): {error}\nremedy: {}", error.code(), error.remedy()))?;
    }
    Ok(ExitCode::FAILURE)
}
