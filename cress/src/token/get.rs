// SPDX-License-Identifier: Apache-2.0
//! `cress token get`.

use std::process::ExitCode;

use clap::Args;
use cress_client::ImdsClient;
use cress_domain::Audience;

use crate::{output, runtime};

/// Get a token from a metadata service and print it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cress token get                                        inside an instance
  cress token get --imds http://127.0.0.1:8440           the first example instance of `cress up`
  cress token get --audience https://broker.example      for one service; the container group must allow it
  cress token get | cress token inspect

The token is a credential while it lives: do not keep it in files or logs.")]
pub(crate) struct Arguments {
    /// Base URL of the metadata service
    #[arg(long, value_name = "URL", env = "CRESS_IMDS_URL", default_value = "http://169.254.169.254")]
    imds: String,
    /// Whom the token is for; the organization if nothing is said
    #[arg(long)]
    audience: Option<Audience>,
    /// Print the metadata service's answer, {"jwt":"..."}
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let token = runtime::of_command()?
        .block_on(async { ImdsClient::new(&arguments.imds)?.token(arguments.audience.as_ref()).await })?;
    if arguments.json {
        output::json(&serde_json::json!({ "jwt": token.expose() }))?;
    } else {
        output::line(token.expose())?;
    }
    Ok(ExitCode::SUCCESS)
}
