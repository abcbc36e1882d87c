// SPDX-License-Identifier: Apache-2.0
//! Envoy that asks `cress authz` over gRPC, against Envoy that checks tokens by itself: tokens that were never seen, each sent
//! once to programs that have just begun, and one that has been seen.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, ensure};

use super::setting::{AUTHZ_PORT, Setting, is_listening};
use crate::cores;
use crate::processes::{Process, wait_for};
use crate::report::{Report, Target};
use crate::wrk::{Load, wrk, wrk_with_each};

const PORT: u16 = 10_549;
/// How often each measurement is made.
const ROUNDS: usize = 3;
/// So many tokens for each second: more than can be checked.
const TOKENS_PER_SECOND: u64 = 25_000;
/// Where the programs that the tests use are, seen from the project's folder.
const PROGRAM: &str = "target/tools/proxies/bin/envoy";
/// What `jwt_authn` keeps, as much as `cress authz` does by default. Off unless it is asked for.
const CACHE: &str = "jwt_cache_config: { jwt_cache_size: 10000 }";

/// How a token is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Grpc,
    JwtAuthn,
    JwtAuthnWithCache,
}

/// What runs. Envoy ends first.
struct Running {
    envoy: Process,
    _authz: Option<Process>,
}

pub(super) fn run(report: &mut Report, setting: &Setting, seconds: u64) -> anyhow::Result<()> {
    report.section(
        "Envoy, one worker on one core; cress authz, the service behind and the load share the other; 32 connections kept alive",
    );
    let tokens = setting.file("tokens.txt");
    let count = usize::try_from(TOKENS_PER_SECOND.saturating_mul(seconds))?;
    setting.issuer.write_tokens(0..count, &tokens)?;
    let url = format!("http://127.0.0.1:{PORT}/");

    let (mut theirs, mut ours) = (Load::default(), Load::default());
    let first = |way: Way| {
        let running = start(setting, way)?;
        let load = wrk_with_each(&url, &tokens, seconds, &running.envoy)?;
        #[expect(clippy::cast_precision_loss, reason = "a count of tokens")]
        let once = load.count <= count as f64;
        ensure!(once, "expected each of {count} tokens to be sent once, got {} requests", load.count);
        anyhow::Ok(load)
    };
    for _ in 0..ROUNDS {
        theirs = theirs.better_of(first(Way::JwtAuthn)?);
        ours = ours.better_of(first(Way::Grpc)?);
    }
    compare(report, "first seen", "jwt_authn", theirs, ours);

    let (mut theirs, mut ours) = (Load::default(), Load::default());
    let again = |way: Way| wrk(&url, &setting.header, seconds, &start(setting, way)?.envoy);
    for _ in 0..ROUNDS {
        theirs = theirs.better_of(again(Way::JwtAuthnWithCache)?);
        ours = ours.better_of(again(Way::Grpc)?);
    }
    compare(report, "seen before", "jwt_authn with its cache", theirs, ours);
    Ok(())
}

fn compare(report: &mut Report, seen: &str, peer: &str, theirs: Load, ours: Load) {
    report.figure(&format!("{peer}, token {seen}"), theirs.rate, "requests/s", Target::None);
    report.figure(&format!("ext_authz over gRPC, token {seen}"), ours.rate, "requests/s", Target::None);
    report.figure(&format!("ext_authz / jwt_authn, token {seen}"), ours.rate / theirs.rate, "x", Target::None);
}

/// Starts what this way needs, and waits until a good token passes.
fn start(setting: &Setting, way: Way) -> anyhow::Result<Running> {
    let authz = (way == Way::Grpc).then(|| setting.authz(cores::LOAD)).transpose()?;
    let file = setting.file("envoy.yaml");
    fs::write(&file, configuration(setting, way)?)?;
    let mut command = cores::tied(cores::SERVER, &program()?.display().to_string());
    command.arg("-c").arg(&file).args(["--concurrency", "1", "--disable-hot-restart", "-l", "error"]);
    let envoy = Process::start(command)?;
    wait_for("Envoy to listen", || is_listening(PORT))?;
    wait_for("a good token to pass", || passes(&setting.header))?;
    Ok(Running { envoy, _authz: authz })
}

fn configuration(setting: &Setting, way: Way) -> anyhow::Result<String> {
    let target: &[&str] = if way == Way::Grpc { &["envoy", "--ext-authz", "grpc"] } else { &["envoy", "--native"] };
    let text = setting.emit(target, PORT, AUTHZ_PORT)?;
    if way != Way::JwtAuthnWithCache {
        return Ok(text);
    }
    let line = text.lines().find(|line| line.trim() == "forward: false").context("a provider of jwt_authn")?;
    Ok(text.replacen(line, &format!("{}\n{line}", line.replace("forward: false", CACHE)), 1))
}

fn passes(header: &str) -> bool {
    let mut curl = std::process::Command::new("curl");
    curl.args(["--silent", "--fail", "--noproxy", "*", "--output", "/dev/null", "--header", header]);
    curl.arg(format!("http://127.0.0.1:{PORT}/")).status().is_ok_and(|status| status.success())
}

fn program() -> anyhow::Result<PathBuf> {
    let given = std::env::var_os("CRESS_TEST_ENVOY").map(PathBuf::from);
    let path = given.unwrap_or_else(|| PROGRAM.into());
    ensure!(path.exists(), "expected Envoy at {}; use `cargo xtask bench`", path.display());
    Ok(path)
}
