// SPDX-License-Identifier: Apache-2.0
//! `cargo xtask tidy`: rules that neither the compiler nor clippy knows. Every finding is shown, not only the first.

mod documents;
mod fuzz_lock;
mod generated;
mod layer_table;
mod layers;
mod leftovers;
mod public_api;
mod sources;

use std::fmt;

use anyhow::bail;
use clap::Args;

use crate::report;
use crate::workspace::Workspace;

#[derive(Args, Default)]
pub(crate) struct Options {
    /// Write the generated files anew instead of comparing them
    #[arg(long)]
    write: bool,
}

/// Whether the program that writes the generated files has just been built.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    /// It has: building it alone would build much of it anew, with other features.
    Built,
    /// It has not.
    ToBeBuilt,
}

/// One broken rule, and where.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    place: String,
    message: String,
}

impl Finding {
    fn new(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self { place: place.into(), message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.place, self.message)
    }
}

/// Checks everything, and compares the generated files or writes them.
pub(crate) fn run(workspace: &Workspace, options: &Options, program: Program) -> anyhow::Result<()> {
    let mut findings = layers::check(workspace)?;
    findings.extend(sources::check(workspace)?);
    findings.extend(leftovers::check(workspace)?);
    findings.extend(documents::check(workspace)?);
    if options.write {
        generated::write(workspace, program)?;
        fuzz_lock::write(workspace)?;
    } else {
        findings.extend(fuzz_lock::check(workspace));
        // A program that cannot be built hides no other finding.
        let unknown =
            |error: anyhow::Error| vec![Finding::new(generated::FOLDER, format!("cannot be checked: {error:#}"))];
        findings.extend(generated::check(workspace, program).unwrap_or_else(unknown));
    }

    for finding in &findings {
        report::line(&format!("    {finding}"));
    }
    match findings.len() {
        0 => Ok(()),
        1 => bail!("one rule is broken"),
        count => bail!("{count} rules are broken"),
    }
}
