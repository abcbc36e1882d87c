// SPDX-License-Identifier: Apache-2.0
//! `cargo xtask test`: installs what is missing, runs every check and every test, and cleans up.
//!
//! A failed check does not keep the others from running; the summary at the end names those that failed.

mod cleanup;
mod steps;

use std::ffi::OsString;

use anyhow::bail;
use clap::Args;

pub(crate) use self::cleanup::Cleanup;
use self::steps::Steps;
use crate::workspace::Workspace;
use crate::{command, tidy, tools};

#[derive(Args)]
pub(crate) struct Options {
    /// Run only the tests: no formatting, no lints, no tidiness
    #[arg(long)]
    only_tests: bool,
    /// What `cargo test` is told besides, such as `-p cress-token` or the name of a test
    #[arg(last = true)]
    arguments: Vec<OsString>,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<()> {
    let mut steps = Steps::default();
    steps.run("tools", || tools::install_for_tests(workspace));
    if !options.only_tests {
        steps.run("format", || cargo(workspace, &["fmt", "--all", "--check"]));
        steps.run("lints", || cargo(workspace, LINTS));
    }
    steps.run("build", || cargo(workspace, BUILD));
    steps.run("tests", || tests(workspace, options));
    if !options.only_tests {
        steps.run("tidy", || tidy::run(workspace, &tidy::Options::default(), tidy::Program::Built));
    }
    steps.summary()
}

/// The programs together with the tests: built alone, their dependencies would be built twice, with other features.
const BUILD: &[&str] = &["build", "--workspace", "--bins", "--tests"];
const LINTS: &[&str] = &["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"];

fn cargo(workspace: &Workspace, arguments: &[&str]) -> anyhow::Result<()> {
    command::run(&mut command::cargo(workspace, arguments))
}

/// Runs the tests, and ends what they left running.
fn tests(workspace: &Workspace, options: &Options) -> anyhow::Result<()> {
    let cleanup = Cleanup::begin()?;
    let mut test = command::cargo(workspace, &["test", "--no-fail-fast"]);
    if !names_packages(&options.arguments) {
        test.arg("--workspace");
    }
    test.args(&options.arguments).envs(tools::variables(workspace));
    let outcome = command::run(&mut test);
    let left_over = cleanup.finish();
    outcome?;
    if !left_over.is_empty() {
        bail!("the tests left over, and this removed: {}", left_over.join("; "));
    }
    Ok(())
}

/// Cargo lets `--workspace` win over packages that are named.
fn names_packages(arguments: &[OsString]) -> bool {
    let texts = arguments.iter().map(|argument| argument.to_string_lossy());
    texts.take_while(|text| text != "--").any(|text| text.starts_with("-p") || text.starts_with("--package"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_packages_are_noticed() {
        for (arguments, names) in [
            (&["-p", "cress-token"][..], true),
            (&["-pcress-token"], true),
            (&["--package=cress-token"], true),
            (&["refused"], false),
            (&["refused", "--", "-p"], false),
            (&[], false),
        ] {
            let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
            assert_eq!(names_packages(&arguments), names, "{arguments:?}");
        }
    }
}
