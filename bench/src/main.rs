// SPDX-License-Identifier: Apache-2.0
//! Benchmarks against peers, in one run on one machine: `cargo xtask bench`.
//!
//! Each prints figures with the ratio to its peer and the target that the project has set itself. A figure below its target
//! is reported, and fails nothing: a machine's mood is no reason to stop a build.
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the real clock")]
#![expect(clippy::print_stdout, reason = "figures are what this program is for")]

mod authz;
mod broker;
mod cores;
mod footprint;
mod imds;
mod issuance;
mod issuer;
mod node_client;
mod open_loop;
mod processes;
mod proxies;
mod report;
mod scale;
mod stores;
mod verification;
mod wrk;

use clap::{Parser, ValueEnum};

use crate::report::Report;

/// Benchmarks against peers, in one run on one machine.
#[derive(Debug, Parser)]
struct Arguments {
    /// What to measure; everything if nothing is named
    what: Vec<Benchmark>,
    /// Seconds for each measurement
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Answer every request on this port with an empty 204, as a peer
    #[arg(long, hide = true)]
    serve_empty: Option<u16>,
    /// Append the figures to bench/RESULTS.md
    #[arg(long)]
    record: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Benchmark {
    /// Tokens from the metadata service, against nginx
    Imds,
    /// Tokens signed through the node protocol, against bare signing
    Issuance,
    /// Tokens verified, against bare verification and jsonwebtoken
    Verification,
    /// /verify for other proxies, against an empty answer
    Authz,
    /// A check of each request behind nginx, and behind Envoy against its own
    Proxies,
    /// Credentials of the broker, against OpenBao
    Broker,
    /// Memory, and the time until the first token
    Footprint,
    /// A large fleet on SQLite and on PostgreSQL: changes until nodes have them, and a start
    Scale,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if let Some(port) = arguments.serve_empty {
        return authz::serve_empty(port);
    }
    let wanted = |one| arguments.what.is_empty() || arguments.what.contains(&one);
    let mut report = Report::new();
    if wanted(Benchmark::Verification) {
        verification::run(&mut report, arguments.seconds)?;
    }
    if wanted(Benchmark::Issuance) {
        issuance::run(&mut report, arguments.seconds)?;
    }
    if wanted(Benchmark::Imds) {
        imds::run(&mut report, arguments.seconds)?;
    }
    if wanted(Benchmark::Authz) {
        authz::run(&mut report, arguments.seconds)?;
    }
    if wanted(Benchmark::Proxies) {
        proxies::run(&mut report, arguments.seconds)?;
    }
    if wanted(Benchmark::Broker) {
        broker::run(&mut report, arguments.seconds)?;
    }
    if wanted(Benchmark::Footprint) {
        footprint::run(&mut report)?;
    }
    if wanted(Benchmark::Scale) {
        scale::run(&mut report)?;
    }
    if arguments.record { report.record() } else { Ok(()) }
}
