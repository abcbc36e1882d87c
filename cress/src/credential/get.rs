// SPDX-License-Identifier: Apache-2.0
//! `cress credential get`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use cress_api::broker::{IssueRequest, IssuedCredential};
use cress_client::{BrokerClient, ClientError, ImdsClient};
use cress_domain::{Audience, CredentialName, Hex, Random, Secret};
use cress_service::SystemRandom;
use tokio::time::{Instant, sleep};

use super::wanted::Wanted;
use crate::config::read_limited;
use crate::token::read_token;
use crate::{output, runtime};

/// Largest file of certificate authorities.
const AUTHORITIES_BYTES_MAX: u64 = 1 << 20;
/// How long after a failure it is tried again, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));
/// The exit code for what may succeed later.
const TRY_LATER: u8 = 3;

/// Get a credential from the broker, with the token of this instance.
///
/// The token is asked for at the metadata service, for the broker alone, and goes nowhere else.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cress credential get cache-rw                                  as JSON
  eval \"$(cress credential get cache-rw -o env)\"                 $CACHE_RW_USERNAME, $CACHE_RW_PASSWORD ...
  cress credential get reports-db --ttl 900 --parameter schema=sales \\
      -o username=/run/app/username -o password=/run/app/password

Files are replaced whole, and readable for their owner alone (mode 0600). If one cannot be written, the lease is ended again.
A credential that is renewed or asked for anew by the application itself: see docs/broker-client.md.

Exit codes: 0 success, 1 refused or failed, 2 wrong usage, 3 the broker or the metadata service cannot do it now: try later.")]
pub(crate) struct Arguments {
    /// The credential's name, as the broker's operator calls it
    #[arg(value_name = "NAME")]
    name: CredentialName,
    /// How to have it: env (for a shell), json, or NAME=FILE for a part of it; env=FILE and json=FILE write these to a file. json by default
    #[arg(short, long = "output", value_name = "FORM")]
    outputs: Vec<Wanted>,
    /// What the names of variables begin with; the credential's name and an underscore by default
    #[arg(long, value_name = "TEXT", value_parser = prefix)]
    prefix: Option<String>,
    /// How long it is to live, in seconds; as the broker is configured by default
    #[arg(long, value_name = "SECONDS")]
    ttl: Option<u32>,
    /// What else is asked for; may be given several times
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = parameter)]
    parameters: Vec<(String, String)>,
    /// Base URL of the broker
    #[arg(long, value_name = "URL", env = "CRESS_CREDENTIAL_BROKER")]
    broker: String,
    /// PEM file with the certificate authorities to trust for it, instead of the system's
    #[arg(long, value_name = "FILE", env = "CRESS_CREDENTIAL_CA")]
    ca: Option<PathBuf>,
    /// The broker's audience; its URL by default
    #[arg(long, env = "CRESS_CREDENTIAL_AUDIENCE", conflicts_with = "organization_token")]
    audience: Option<Audience>,
    /// Take the organization's token, where the platform's tokens can be for no broker and the broker accepts these
    #[arg(long)]
    organization_token: bool,
    /// Base URL of the metadata service
    #[arg(long, value_name = "URL", env = "CRESS_IMDS_URL", default_value = "http://169.254.169.254")]
    imds: String,
    /// File with a token to take instead of asking the metadata service; - for standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["audience", "organization_token"])]
    token: Option<PathBuf>,
    /// How long to try if the broker cannot do it at once, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    wait: u32,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let printed = arguments.outputs.iter().filter(|wanted| wanted.is_printed()).count();
    anyhow::ensure!(printed <= 1, "expected one of -o env and -o json without a file, got {printed}");
    let outcome = runtime::of_command()?.block_on(carry_out(arguments));
    match outcome {
        Err(error) if is_temporary(&error) => {
            output::error(&error);
            Ok(ExitCode::from(TRY_LATER))
        }
        other => other.map(|()| ExitCode::SUCCESS),
    }
}

async fn carry_out(arguments: &Arguments) -> anyhow::Result<()> {
    let authorities = arguments.ca.as_deref().map(|file| read_limited(file, AUTHORITIES_BYTES_MAX)).transpose()?;
    let broker = BrokerClient::new(&arguments.broker, authorities.as_deref().map(str::as_bytes))?;
    let token = token(arguments).await?;
    let issued = issue(arguments, &broker, &token).await?;
    let put = put(arguments, &issued);
    if put.is_err() {
        // Nobody has it: nobody should be able to use it. The lease ends by itself if this fails.
        let _ended = broker.end(&token, issued.lease_id).await;
    }
    put
}

fn put(arguments: &Arguments, issued: &IssuedCredential) -> anyhow::Result<()> {
    let prefix = arguments.prefix.clone().unwrap_or_else(|| prefix_of(&arguments.name));
    let default = [Wanted::Json];
    let wanted = if arguments.outputs.is_empty() { default.as_slice() } else { &arguments.outputs };
    // Files first: what is printed cannot be taken back.
    let (printed, written): (Vec<_>, Vec<_>) = wanted.iter().partition(|wanted| wanted.is_printed());
    written.into_iter().chain(printed).try_for_each(|wanted| wanted.put(issued, &prefix))
}

async fn token(arguments: &Arguments) -> anyhow::Result<Secret<String>> {
    if let Some(file) = &arguments.token {
        return read_token(file);
    }
    let audience = match (&arguments.audience, arguments.organization_token) {
        (_, true) => None,
        (Some(audience), false) => Some(audience.clone()),
        (None, false) => Some(arguments.broker.parse().context("--audience is needed: the broker's URL is none")?),
    };
    Ok(ImdsClient::new(&arguments.imds)?.token(audience.as_ref()).await?)
}

/// One request, sent again while the broker may still do it: it is the same for the broker, so that no second credential comes of it.
async fn issue(
    arguments: &Arguments,
    broker: &BrokerClient,
    token: &Secret<String>,
) -> anyhow::Result<IssuedCredential> {
    let request = IssueRequest { ttl_seconds: arguments.ttl, parameters: parameters(&arguments.parameters)? };
    let mut key = [0; 16];
    SystemRandom.fill(&mut key);
    let key = Hex(&key).to_string();
    let until = Instant::now() + Duration::from_secs(arguments.wait.into());
    let mut pause = RETRY.0;
    loop {
        match broker.issue(token, &arguments.name, &request, Some(&key)).await {
            Err(error) if may_succeed_later(&error) && Instant::now() + pause < until => {
                sleep(pause).await;
                pause = (pause * 2).min(RETRY.1);
            }
            outcome => return Ok(outcome?),
        }
    }
}

fn parameters(given: &[(String, String)]) -> anyhow::Result<BTreeMap<String, String>> {
    let mut parameters = BTreeMap::new();
    for (name, value) in given {
        let former = parameters.insert(name.clone(), value.clone());
        anyhow::ensure!(former.is_none(), "expected the parameter {name:?} once");
    }
    Ok(parameters)
}

fn is_temporary(error: &anyhow::Error) -> bool {
    error.downcast_ref::<ClientError>().is_some_and(may_succeed_later)
}

fn may_succeed_later(error: &ClientError) -> bool {
    match error {
        ClientError::Unreachable { .. } => true,
        // 409: the same request is being answered at this moment.
        ClientError::Refused(problem) => matches!(problem.status, 409 | 429 | 500 | 502 | 503 | 504),
        _ => false,
    }
}

/// `cache-rw` as `CACHE_RW_`.
fn prefix_of(name: &CredentialName) -> String {
    name.as_str().to_ascii_uppercase().replace('-', "_") + "_"
}

fn prefix(text: &str) -> Result<String, String> {
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let starts_well = text.bytes().next().is_none_or(|first| !first.is_ascii_digit());
    if starts_well && text.bytes().all(is_good) {
        Ok(text.to_owned())
    } else {
        Err("expected letters, digits and underscores, no digit first".to_owned())
    }
}

fn parameter(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_called_after_the_credential() {
        assert_eq!(prefix_of(&"cache-rw".parse().unwrap()), "CACHE_RW_");
        assert!(prefix("").is_ok() && prefix("APP_").is_ok());
        assert!(prefix("1").is_err() && prefix("A;").is_err());
    }

    #[test]
    fn a_parameter_is_given_once() {
        let pair = |text| parameter(text).unwrap();
        assert_eq!(parameters(&[pair("a=b=c"), pair("d=")]).unwrap().len(), 2);
        assert!(parameters(&[pair("a=1"), pair("a=2")]).is_err());
        assert!(parameter("a").is_err() && parameter("=a").is_err());
    }
}
