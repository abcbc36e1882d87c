// SPDX-License-Identifier: Apache-2.0
//! The project's tasks: `cargo xtask test`, `cargo xtask bench`, `cargo xtask tidy`, `cargo xtask tools`.
//!
//! What these do is all that a contributor or a build server has to know; no task may depend on what somebody installed by
//! hand, and none leaves anything behind outside `target/`, apart from packages of the operating system.

mod bench;
mod command;
mod fuzz;
mod report;
#[cfg(target_os = "linux")]
mod soak;
mod test;
mod tidy;
mod tools;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The tasks of the project")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Installs what is missing, then runs every check and every test
    Test(test::Options),
    /// Builds the release and runs the benchmarks against their peers
    Bench(bench::Options),
    /// Builds the fuzz targets and runs each for a while
    Fuzz(fuzz::Options),
    /// Runs a small fleet under load, churn and faults for a long time
    #[cfg(target_os = "linux")]
    Soak(soak::Options),
    /// Checks layers, file sizes, headers and generated files
    Tidy(tidy::Options),
    /// Installs what the tests and benchmarks need, and nothing more
    Tools,
}

fn main() -> ExitCode {
    match run(Arguments::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::failure(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> anyhow::Result<()> {
    let workspace = Workspace::load()?;
    match task {
        Task::Test(options) => test::run(&workspace, &options),
        Task::Bench(options) => bench::run(&workspace, &options),
        Task::Fuzz(options) => fuzz::run(&workspace, &options),
        #[cfg(target_os = "linux")]
        Task::Soak(options) => soak::run(&workspace, &options),
        Task::Tidy(options) => tidy::run(&workspace, &options, tidy::Program::ToBeBuilt),
        Task::Tools => {
            tools::install_for_tests(&workspace)?;
            tools::install_for_benchmarks(&workspace)
        }
    }
}
