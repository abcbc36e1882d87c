// SPDX-License-Identifier: Apache-2.0
//! `cress jwks sync`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{bail, ensure};
use clap::Args;
use cress_domain::{Issuer, KeyId};
use cress_service::shutdown::DRAIN_DEFAULT;
use cress_service::{Shutdown, SystemClock};
use cress_verify::{KeySetReader, KeySource, Preset, RemoteKeys};

use super::files::Files;
use super::follow::{Follower, Reloaded, Report};
use super::reload::Reload;
use super::signer::Choice;
use super::target::{self, Kind, Target};
use crate::cli::Logging;
use crate::{logging, output, runtime};

/// Shortest time between two looks at a set, whatever its server says, unless the interval is shorter.
const LOOK_MIN: Duration = Duration::from_secs(15);

/// Keep files with an issuer's keys up to date, for programs that cannot fetch or choose keys.
///
/// It looks at the key set again and again, writes what has changed, each file whole or not at all and readable by all, and then
/// runs a command. Files outlive an outage of the issuer; a set that is empty, malformed, too long or elsewhere changes nothing.
#[derive(Debug, Args)]
#[command(after_help = "\
Outputs:
  jwks:PATH            a JSON Web Key Set
  jwk:PATH             a JSON Web Key: the one that signs now, or the one of --kid
  pem:PATH             all public keys as PEM, one after the other
  pem-dir:DIR          a directory with one PEM file for each key, named by its id in a safe spelling; those of keys
                       that are gone are removed
  haproxy-map:PATH     a map of HAProxy from key ids to the files of the pem-dir
  haproxy-config:PATH  a configuration file that makes HAProxy load the files of the pem-dir

Examples:
  cress jwks sync --jwks https://control.example/.well-known/workload-jwks.json --output jwks:/etc/nginx/jwks.json \\
      --reload 'systemctl reload nginx'
  cress jwks sync --jwks https://control.example/.well-known/workload-jwks.json \\
      --output pem-dir:/etc/haproxy/jwt/keys --output haproxy-map:/etc/haproxy/jwt/keys.map \\
      --output haproxy-config:/etc/haproxy/jwt/keys.cfg --reload 'systemctl reload haproxy'
  cress jwks sync --jwks keys.json --output pem:keys.pem --once
  cress jwks sync --issuer https://control.example --output jwks:/etc/nginx/jwks.json --reload 'systemctl reload nginx'
  cress jwks sync --preset saladcloud --output jwks:/etc/nginx/jwks.json --reload 'systemctl reload nginx'

Exit codes: 0 the files are up to date (with --once), or it was asked to stop; 1 failure, 2 wrong usage.")]
pub(crate) struct Arguments {
    /// The issuer's key set: a URL or a file
    #[arg(long, value_name = "URL|FILE", required_unless_present_any = ["preset", "issuer"], conflicts_with_all = ["preset", "issuer"])]
    jwks: Option<String>,
    /// Whose keys they are, instead of where: cress, saladcloud, kubernetes, spire, github-actions or gitlab
    #[arg(long, value_name = "NAME")]
    preset: Option<Preset>,
    /// The preset's issuer, where each installation has another; without a preset its discovery document says where the keys are
    #[arg(long, value_name = "URL")]
    issuer: Option<Issuer>,
    /// What to write, and where; can be repeated
    #[arg(long, value_name = "KIND:PATH", required = true)]
    output: Vec<Target>,
    /// Command for the shell, run after all files are written if one has changed, and again until it succeeds
    #[arg(long, value_name = "COMMAND")]
    reload: Option<String>,
    /// How long the command may take, up to 600; then it is killed
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=600))]
    reload_timeout_seconds: u64,
    /// Look at the set after this long at the latest, 1 to 3600; sooner if its server says so
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    interval_seconds: u64,
    /// For jwk: the id of the key
    #[arg(long, value_name = "KID")]
    kid: Option<KeyId>,
    /// For jwk without --kid: how long a key is public before it signs; key ids must end in the time of their making
    #[arg(long, value_name = "SECONDS", default_value_t = 7 * 24 * 3_600, conflicts_with = "kid")]
    signs_after_seconds: u32,
    /// Look once and end, for cron; prints nothing if nothing has changed
    #[arg(long)]
    once: bool,
    /// Print a line of JSON for each pass that did something; with --once for any
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, logs: &Logging) -> anyhow::Result<ExitCode> {
    logging::start(logs, if arguments.once { "warn" } else { "info" })?;
    let follower = arguments.follower()?;
    runtime::of_command()?.block_on(async {
        if arguments.once { once(follower, arguments.json).await } else { follow(follower, arguments.json).await }
    })
}

impl Arguments {
    fn follower(&self) -> anyhow::Result<Follower> {
        let targets = target::check(&self.output)?;
        let has_jwk = targets.iter().any(|target| target.kind == Kind::Jwk);
        ensure!(has_jwk || self.kid.is_none(), "expected an output of the kind jwk with --kid, which chooses its key");
        let timeout = Duration::from_secs(self.reload_timeout_seconds);
        let first = targets.first().map(|target| target.path.clone()).unwrap_or_default();
        let reload = self.reload.clone().map(|command| Reload::new(command, timeout, &first));
        let marker = reload.as_ref().map(|reload| reload.marker().to_owned());
        Ok(Follower {
            reader: KeySetReader::new(self.source()?)?,
            files: Files { targets, choice: self.choice(), marker },
            reload,
            clock: Arc::new(SystemClock::new()),
            interval: self.interval(),
            set: None,
        })
    }

    fn source(&self) -> anyhow::Result<KeySource> {
        let keys = match (&self.jwks, self.preset, &self.issuer) {
            (Some(file), ..) if !file.contains("://") => return Ok(PathBuf::from(file).into()),
            (Some(url), ..) => RemoteKeys::new(url)?,
            (None, Some(preset), issuer) => RemoteKeys::new(&preset.jwks_url(&preset.issuer(issuer.clone())?))?,
            (None, None, Some(issuer)) => RemoteKeys::discovered(issuer)?,
            (None, None, None) => bail!("expected --jwks, --preset or --issuer"),
        };
        let interval = self.interval();
        Ok(keys.with_refresh(LOOK_MIN.min(interval), interval, interval)?.into())
    }

    fn choice(&self) -> Choice {
        let by_age = || Choice::ByAge(Duration::from_secs(u64::from(self.signs_after_seconds)));
        self.kid.clone().map_or_else(by_age, Choice::Named)
    }

    const fn interval(&self) -> Duration {
        Duration::from_secs(self.interval_seconds)
    }
}

async fn once(mut follower: Follower, as_json: bool) -> anyhow::Result<ExitCode> {
    let report = follower.once().await;
    if as_json {
        json(&report)?;
    } else if report.changed || report.reload == Reloaded::Done {
        output::line(summary(&report))?;
    }
    match report.errors.is_empty() {
        true => Ok(ExitCode::SUCCESS),
        false => Err(anyhow::anyhow!(report.errors.join("; "))),
    }
}

async fn follow(follower: Follower, as_json: bool) -> anyhow::Result<ExitCode> {
    let shutdown = Shutdown::on_signals(DRAIN_DEFAULT)?;
    let tell = |report: &Report| {
        for error in &report.errors {
            tracing::warn!("{error}");
        }
        if report.changed || report.reload == Reloaded::Done {
            tracing::info!("{}", summary(report));
        }
        if as_json { json(report) } else { Ok(()) }
    };
    follower.run(&shutdown, tell).await?;
    Ok(ExitCode::SUCCESS)
}

/// One line, so that a stream of them can be read.
fn json(report: &Report) -> anyhow::Result<()> {
    output::line(serde_json::to_string(report)?)
}

fn summary(report: &Report) -> String {
    let reload = match report.reload {
        Reloaded::NotNeeded => "",
        Reloaded::Done => ", reloaded",
        Reloaded::Failed => ", reload failed",
        Reloaded::Pending => ", reload pending",
    };
    let (keys, written, removed) = (report.keys.len(), report.written.len(), report.removed.len());
    format!("{keys} keys: {written} files written, {removed} removed{reload}")
}
