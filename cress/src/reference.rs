// SPDX-License-Identifier: Apache-2.0
//! The command line's reference as Markdown, for `docs/`.

use std::process::ExitCode;

use clap::{Command, CommandFactory};

use crate::{cli, output};

pub(crate) fn run() -> anyhow::Result<ExitCode> {
    let mut command = cli::Cli::command().term_width(100);
    command.build();
    output::line("# Command line\n\nMade by `cargo xtask tidy --write`; do not edit.")?;
    print(&mut command, "")?;
    Ok(ExitCode::SUCCESS)
}

fn print(command: &mut Command, parent: &str) -> anyhow::Result<()> {
    let name = format!("{parent}{}", command.get_name());
    let help = command.render_long_help().to_string();
    let help: Vec<&str> = help.lines().map(str::trim_end).collect();
    output::line(format!("\n## `{name}`\n\n```text\n{}\n```", help.join("\n").trim_end()))?;
    let parent = format!("{name} ");
    let shown = command.get_subcommands_mut().filter(|inner| !inner.is_hide_set() && inner.get_name() != "help");
    for inner in shown {
        print(inner, &parent)?;
    }
    Ok(())
}
