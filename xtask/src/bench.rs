// SPDX-License-Identifier: Apache-2.0
//! `cargo xtask bench`: builds what is measured as it is shipped, and hands over to the benchmarks' own program.

use std::ffi::OsString;

use clap::Args;

use crate::workspace::Workspace;
use crate::{command, tools};

#[derive(Args)]
pub(crate) struct Options {
    /// What the benchmarks themselves are told; `cargo xtask bench -- --help` lists it
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<()> {
    tools::install_for_benchmarks(workspace)?;
    command::run(&mut command::cargo(
        workspace,
        &["build", "--release", "--locked", "-p", "cress", "-p", "cress-bench"],
    ))?;
    let release = workspace.target().join("release");
    let mut bench = std::process::Command::new(release.join("cress-bench"));
    bench.args(&options.arguments).env("CRESS_BENCH_BINARY", release.join("cress")).current_dir(workspace.root());
    bench.envs(tools::variables(workspace));
    command::run(&mut bench)
}
