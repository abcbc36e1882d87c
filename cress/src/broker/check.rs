// SPDX-License-Identifier: Apache-2.0
//! `cress config check broker`: the whole configuration, and with `--connect` the targets too.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use cress_broker::{Connected, Finding, Rehearsal};
use cress_service::{SystemClock, SystemRandom};

use super::{Arguments, providers};
use crate::{output, runtime};

/// Whether targets are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Targets {
    /// They are not.
    LeftAlone,
    /// Each is asked whether it answers and gives the rights that are needed.
    Asked,
}

pub(crate) fn run(config: Option<PathBuf>, targets: Targets) -> anyhow::Result<ExitCode> {
    let config = Arguments::with_file(config).load()?;
    let (clock, random) = (Arc::new(SystemClock::new()), Arc::new(SystemRandom));
    let rehearsal = Rehearsal::new(config, &providers::builder(), clock, random)?;
    for warning in rehearsal.warnings() {
        output::note(format!("warning: {warning}"));
    }
    if targets == Targets::LeftAlone {
        output::line("the configuration is good")?;
        return Ok(ExitCode::SUCCESS);
    }
    let connected = runtime::of_command()?.block_on(rehearsal.connect());
    let mut is_good = true;
    for one in &connected {
        is_good &= print(one)?;
    }
    if is_good {
        output::line("the configuration is good, and all that it names answers")?;
        Ok(ExitCode::SUCCESS)
    } else {
        output::note("the configuration is good, but not all that it names is fit for it");
        Ok(ExitCode::FAILURE)
    }
}

/// Prints what was found, and tells whether credentials can be made.
fn print(connected: &Connected) -> anyhow::Result<bool> {
    let key = &connected.key;
    match &connected.findings {
        Err(error) => {
            output::line(format!("bad   {key}: {error}"))?;
            Ok(false)
        }
        Ok(findings) => {
            if findings.is_empty() {
                output::line(format!("good  {key}"))?;
            }
            for finding in findings {
                match finding {
                    Finding::Good(text) => output::line(format!("good  {key}: {text}"))?,
                    Finding::Doubtful(text) => output::line(format!("warn  {key}: {text}"))?,
                    Finding::Bad(text) => output::line(format!("bad   {key}: {text}"))?,
                }
            }
            Ok(!findings.iter().any(|finding| matches!(finding, Finding::Bad(_))))
        }
    }
}
