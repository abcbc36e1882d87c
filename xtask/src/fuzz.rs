// SPDX-License-Identifier: Apache-2.0
//! `cargo xtask fuzz`: builds the fuzz targets and runs them for a while, two at a time.
//!
//! On stable Rust and without a sanitizer: our crates forbid unsafe code, and what is unsafe below them is C that was compiled elsewhere,
//! which Rust's address sanitizer does not see. What is looked for are panics, overflows, hangs, memory without bounds, and the
//! assertions of the targets.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use clap::Args;

use crate::report::{self, Stopwatch};
use crate::workspace::Workspace;
use crate::{command, tools};

/// Targets that run at the same time.
const AT_ONCE: usize = 2;
/// An input that takes longer is a finding.
const INPUT_SECONDS_MAX: u32 = 10;
/// Memory that a target may take.
const MEMORY_MIB_MAX: u32 = 2_048;
/// Longer inputs find little, and slow everything down.
const INPUT_BYTES_MAX: u32 = 16_384;
const PAUSE: Duration = Duration::from_millis(200);

#[derive(Args)]
pub(crate) struct Options {
    /// The targets; all of them if none is named
    targets: Vec<String>,
    /// How long each runs
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    seconds: u32,
}

/// Where everything of it is.
struct Fuzz {
    folder: PathBuf,
    programs: PathBuf,
    corpus: PathBuf,
    findings: PathBuf,
}

/// A target that runs.
struct Run {
    target: String,
    child: Child,
    log: PathBuf,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<()> {
    let target = workspace.target().join("fuzz");
    let fuzz = Fuzz {
        folder: workspace.root().join("fuzz"),
        programs: target.join(host()?).join("release"),
        corpus: target.join("corpus"),
        findings: target.join("findings"),
    };
    let targets = fuzz.choose(&options.targets)?;
    build(workspace, &fuzz.folder, &target)?;
    let mut waiting = VecDeque::from(targets);
    let (mut running, mut failed) = (Vec::new(), Vec::new());
    let stopwatch = Stopwatch::start();
    while !(waiting.is_empty() && running.is_empty()) {
        while running.len() < AT_ONCE
            && let Some(target) = waiting.pop_front()
        {
            running.push(fuzz.start(&target, options.seconds)?);
        }
        std::thread::sleep(PAUSE);
        for ended in take_ended(&mut running)? {
            failed.extend(ended);
        }
    }
    report::line(&format!("    fuzzed for {}", stopwatch.text()));
    ensure!(
        failed.is_empty(),
        "found something in {}; what led to it lies in {}",
        failed.join(", "),
        fuzz.findings.display()
    );
    Ok(())
}

fn host() -> anyhow::Result<String> {
    let told = command::output(Command::new("rustc").args(["--version", "--verbose"]))?;
    let host = told.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc does not say for which machine it builds")
}

/// In a directory of its own, since everything is built with coverage.
fn build(workspace: &Workspace, folder: &Path, target: &Path) -> anyhow::Result<()> {
    let bin = tools::cargo_fuzz(workspace)?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let paths = std::iter::once(bin).chain(std::env::split_paths(&path));
    let mut cargo =
        command::cargo(workspace, &["fuzz", "build", "--fuzz-dir", ".", "--sanitizer", "none", "--target-dir"]);
    cargo.arg(target).current_dir(folder).env("PATH", std::env::join_paths(paths)?);
    command::run(&mut cargo)
}

/// Those that have ended; the name of each that failed.
fn take_ended(running: &mut Vec<Run>) -> anyhow::Result<Vec<Option<String>>> {
    let mut ended = Vec::new();
    let mut index = 0;
    while let Some(run) = running.get_mut(index) {
        match run.child.try_wait()? {
            None => index += 1,
            Some(status) => {
                let run = running.remove(index);
                let log = fs::read_to_string(&run.log).unwrap_or_default();
                if status.success() {
                    report::line(&format!("    {}: {}", run.target, done(&log)));
                    ended.push(None);
                } else {
                    report::line(&format!("    {} FAILED ({status}):\n{}", run.target, tail(&log)));
                    ended.push(Some(run.target));
                }
            }
        }
    }
    Ok(ended)
}

/// libFuzzer's last line of a good run, such as `Done 12345 runs in 61 second(s)`.
fn done(log: &str) -> &str {
    log.lines().rev().find(|line| line.starts_with("Done ")).unwrap_or("done")
}

fn tail(log: &str) -> String {
    const LINES: usize = 40;
    let lines: Vec<&str> = log.lines().collect();
    lines.get(lines.len().saturating_sub(LINES)..).unwrap_or_default().join("\n")
}

impl Fuzz {
    fn choose(&self, named: &[String]) -> anyhow::Result<Vec<String>> {
        let all = self.all()?;
        if named.is_empty() {
            return Ok(all);
        }
        match named.iter().find(|name| !all.contains(name)) {
            Some(unknown) => bail!("expected one of the targets {}, got {unknown}", all.join(", ")),
            None => Ok(named.to_vec()),
        }
    }

    fn all(&self) -> anyhow::Result<Vec<String>> {
        let folder = self.folder.join("targets");
        let entries = fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
        let paths = entries.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<Vec<_>>>()?;
        let mut names: Vec<String> =
            paths.iter().filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect();
        names.sort();
        Ok(names)
    }

    /// What it finds worth keeping goes into its corpus, what makes it fail into the findings; the seeds stay as they are.
    fn start(&self, target: &str, seconds: u32) -> anyhow::Result<Run> {
        let (corpus, findings) = (self.corpus.join(target), self.findings.join(target));
        for folder in [&corpus, &findings] {
            fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        let log = self.findings.join(format!("{target}.log"));
        let output = fs::File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let mut program = Command::new(self.programs.join(target));
        program.arg(&corpus).arg(self.folder.join("seeds").join(target)).args([
            format!("-artifact_prefix={}/", findings.display()),
            format!("-max_total_time={seconds}"),
            format!("-timeout={INPUT_SECONDS_MAX}"),
            format!("-rss_limit_mb={MEMORY_MIB_MAX}"),
            format!("-max_len={INPUT_BYTES_MAX}"),
            "-print_final_stats=1".to_owned(),
        ]);
        program.stdin(Stdio::null()).stdout(Stdio::null()).stderr(output);
        let child = program.spawn().with_context(|| format!("cannot start the target {target}"))?;
        Ok(Run { target: target.to_owned(), child, log })
    }
}
