// SPDX-License-Identifier: Apache-2.0
//! `cress token inspect`.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use cress_domain::Clock;
use cress_service::SystemClock;
use cress_token::{Explanation, Inspection};

use super::Input;
use crate::output;

/// Show what a token says, in plain words, without checking any of it.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  cress token get | cress token inspect")]
pub(crate) struct Arguments {
    #[command(flatten)]
    input: Input,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let token = arguments.input.read()?;
    let inspection = Inspection::parse(token.expose()).context("this is no signed token")?;
    let explanations = inspection.explain(SystemClock::new().now());
    if arguments.json {
        output::json(&explanations)?;
    } else {
        output::table(["CLAIM", "VALUE", "MEANING"], &explanations.iter().map(row).collect::<Vec<_>>())?;
        output::note("\nNothing of this was checked; `cress token verify` does.");
    }
    Ok(ExitCode::SUCCESS)
}

fn row(explanation: &Explanation) -> [String; 3] {
    [explanation.name.clone(), explanation.value.clone(), explanation.meaning.to_owned()]
}
