// SPDX-License-Identifier: Apache-2.0
//! `cress token`: gets, inspects and verifies tokens.

mod get;
mod inspect;
mod verify;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use cress_domain::Secret;
use cress_domain::limits::TOKEN_BYTES_MAX;

use crate::config::read_limited;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Get a token from a metadata service
    Get(get::Arguments),
    /// Show what a token says, in plain words, without checking any of it
    Inspect(inspect::Arguments),
    /// Check a token, and say which rule it breaks
    Verify(verify::Arguments),
}

/// Where a token is read from. It is no argument: other users see those in the list of processes.
#[derive(Debug, Args)]
struct Input {
    /// File with the token; - for standard input
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
}

pub(crate) fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Get(arguments) => get::run(&arguments),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Verify(arguments) => verify::run(arguments),
    }
}

impl Input {
    fn read(&self) -> anyhow::Result<Secret<String>> {
        read_token(&self.file)
    }
}

/// The token in a file: as it is, after `Bearer`, or as the metadata service's answer.
pub(crate) fn read_token(file: &Path) -> anyhow::Result<Secret<String>> {
    const AROUND_BYTES_MAX: usize = 1_024;
    let bytes_max = u64::try_from(TOKEN_BYTES_MAX.saturating_add(AROUND_BYTES_MAX))?;
    let text = Secret::new(read_limited(file, bytes_max)?);
    let token = bare(text.expose());
    anyhow::ensure!(!token.is_empty(), "expected a token in {}, got nothing", shown(file));
    Ok(Secret::new(token))
}

fn shown(file: &Path) -> String {
    if file == Path::new("-") { "standard input".to_owned() } else { file.display().to_string() }
}

fn bare(text: &str) -> String {
    let text = text.trim();
    if let Ok(answer) = serde_json::from_str::<cress_api::imds::Token>(text) {
        return answer.jwt;
    }
    let unquoted = text.trim_matches('"');
    match unquoted.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim().to_owned(),
        _ => unquoted.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_in_what_people_paste() {
        for text in ["a.b.c", " a.b.c\n", "Bearer a.b.c", "bearer  a.b.c ", "\"a.b.c\"", r#"{"jwt":"a.b.c"}"#] {
            assert_eq!(bare(text), "a.b.c", "{text:?}");
        }
    }
}
