// SPDX-License-Identifier: Apache-2.0
//! `cress audit verify`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use cress_broker::Records;
use cress_broker::audit::verify::{ChainReport, Keys, Report, Verifier};
use cress_jose::{JWKS_BYTES_MAX, Jwk, JwkSet};

use super::files;
use crate::config::read_limited;
use crate::{output, runtime};

/// The exit code if nothing is wrong and nothing vouches for it.
const NOT_VOUCHED_FOR: u8 = 3;

/// Look whether records are as they were written.
///
/// A line that was changed, left out, put in, repeated or moved is found by the hashes, and a whole log made anew by the signatures. What
/// no signature reaches yet is named: the last records of a broker that runs, or was killed and has not started again.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cress audit verify --file /var/log/cress/audit.log --key audit-keys.json
  cress audit verify --file audit.log.2 --file audit.log.1 --file audit.log --key audit-keys.json
  cress audit verify --file audit.log --continued --key audit-keys.json    older files are gone
  cress audit verify --store --config /etc/cress/broker.toml --key audit-keys.json

The public keys should have been put aside when they were new (cress audit keys): who can write the records may be able to write the
store too.

Exit codes: 0 nothing is wrong, 1 something is, or it cannot be read, 2 wrong usage, 3 nothing is wrong but no key was given or nothing is
signed by one, so that all of it could have been made anew.")]
pub(crate) struct Arguments {
    /// A file of records; several in the order in which they were written, the oldest first
    #[arg(long = "file", value_name = "FILE", required_unless_present = "store")]
    files: Vec<PathBuf>,
    /// The records in the broker's store
    #[arg(long, conflicts_with_all = ["files", "continued"], requires = "config")]
    store: bool,
    /// TOML file of the broker, for --store
    #[arg(long, value_name = "FILE", env = "CRESS_BROKER_CONFIG")]
    config: Option<PathBuf>,
    /// JSON file with a public key or a set of them, as cress audit keys prints it
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The first file goes on from one that is not given
    #[arg(long)]
    continued: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let given = arguments.key.as_deref().map(keys).transpose()?;
    let is_given = given.is_some();
    let report = match arguments.config.as_deref().filter(|_| arguments.store) {
        Some(config) => of_store(config, given)?,
        None => of_files(arguments, given)?,
    };
    if arguments.json {
        output::json(&report)?;
    } else {
        print(&report)?;
    }
    if report.intact && !is_given {
        output::note("no --key was given: whoever can write the records could have made all of them anew");
    }
    Ok(exit_code(&report, is_given))
}

fn of_files(arguments: &Arguments, keys: Option<Keys>) -> anyhow::Result<Report> {
    let mut verifier = Verifier::new(keys.unwrap_or_default());
    if arguments.continued {
        verifier = verifier.continued();
    }
    files::walk(&mut verifier, &arguments.files)?;
    Ok(verifier.finish())
}

/// Without other keys the store's own find what was done without care: who can write there can add a key, too.
fn of_store(config: &Path, keys: Option<Keys>) -> anyhow::Result<Report> {
    let config = super::keys::config(config)?;
    runtime::of_command()?.block_on(async {
        let records = Records::open(&config).await?;
        let keys = match keys {
            Some(keys) => keys,
            None => Keys::new(&records.public_keys().await?),
        };
        Ok(records.verify(Verifier::new(keys)).await?)
    })
}

fn keys(file: &Path) -> anyhow::Result<Keys> {
    let text = read_limited(file, JWKS_BYTES_MAX as u64)?;
    let set = match Jwk::parse(text.as_bytes()) {
        Ok(key) => JwkSet::new(vec![key])?,
        Err(_) => JwkSet::parse(text.as_bytes())?,
    };
    Ok(Keys::new(&set))
}

fn exit_code(report: &Report, keys_given: bool) -> ExitCode {
    let vouched_for = report.chains.iter().any(|chain| chain.anchored_seq.is_some());
    match (report.intact, keys_given && (vouched_for || report.lines == 0)) {
        (false, _) => ExitCode::FAILURE,
        (true, true) => ExitCode::SUCCESS,
        (true, false) => ExitCode::from(NOT_VOUCHED_FOR),
    }
}

fn print(report: &Report) -> anyhow::Result<()> {
    for chain in &report.chains {
        output::line(describe(chain))?;
    }
    for finding in &report.findings {
        output::line(format!("WRONG: {finding}"))?;
    }
    let more = report.findings_count.saturating_sub(report.findings.len() as u64);
    if more > 0 {
        output::line(format!("WRONG: and {more} more"))?;
    }
    let starts = report.chains.len();
    output::line(if report.intact {
        format!("nothing is wrong in {} lines of {starts} starts", report.lines)
    } else {
        format!("{} things are wrong in {} lines of {starts} starts", report.findings_count, report.lines)
    })
}

fn describe(chain: &ChainReport) -> String {
    let ChainReport { chain: id, begun_at, first_seq, head, anchored_seq, unanchored, ended, lost, .. } = chain;
    let mut text = format!("chain {id} of {begun_at}: lines {first_seq} to {}", head.seq);
    text += if *ended { ", ended in good order" } else { ", not ended: it goes on, was killed, or was cut off" };
    text += &match anchored_seq {
        None => "; no signature vouches for any of it".to_owned(),
        Some(_) if *unanchored == 0 => "; signatures vouch for all of it".to_owned(),
        Some(seq) => format!("; signatures vouch for it up to line {seq}, for the last {unanchored} lines none does"),
    };
    if *lost > 0 {
        text += &format!("; {lost} records of revocations were lost, as it says");
    }
    if chain.unfinished_bytes > 0 {
        text += &format!("; {} bytes of a line that was being written", chain.unfinished_bytes);
    }
    text + &format!("\n  it has come to {} {} {}", head.chain, head.seq, head.hash)
}
