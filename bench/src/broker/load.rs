// SPDX-License-Identifier: Apache-2.0
//! Load that shows another token with each request, by wrk: the same generator for us and for the peer.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::Value;

/// wrk's own language is Lua. `init` takes the file of tokens, and how a token goes into a request.
const SCRIPT: &str = include_str!("load.lua");
const CONNECTIONS: usize = 16;

/// Where in a request the token stands.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shown {
    /// `Authorization: Bearer`, with an empty JSON object as the body.
    InHeader,
    /// In the body of OpenBao's login.
    InBody,
}

/// What wrk saw.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Load {
    /// Good answers a second.
    pub(super) rate: f64,
    /// In milliseconds.
    pub(super) median: f64,
    /// In milliseconds.
    pub(super) p99: f64,
}

/// Posts for so many seconds, a token of the file with each request, from the first line on and again. Every answer has to be good.
pub(super) fn post(url: &str, tokens: &Path, shown: Shown, seconds: u64) -> anyhow::Result<Load> {
    run(url, "POST", tokens, shown, seconds)
}

/// Gets with the one header that the file holds, as OpenBao gives out accounts.
pub(super) fn get(url: &str, tokens: &Path, seconds: u64) -> anyhow::Result<Load> {
    run(url, "GET", tokens, Shown::InHeader, seconds)
}

fn run(url: &str, method: &str, tokens: &Path, shown: Shown, seconds: u64) -> anyhow::Result<Load> {
    let script = tokens.with_extension("lua");
    fs::write(&script, SCRIPT)?;
    let mut wrk = Command::new("wrk");
    wrk.args(["-t1", &format!("-c{CONNECTIONS}"), &format!("-d{seconds}s"), "--timeout", "20s", "-s"])
        .arg(&script)
        .arg(url);
    wrk.arg("--").arg(tokens).arg(method).arg(match shown {
        Shown::InHeader => "header",
        Shown::InBody => "body",
    });
    let output = wrk.output().context("wrk")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let told =
        text.lines().find_map(|line| line.strip_prefix("figures ")).with_context(|| format!("wrk said: {text}"))?;
    let told: Value = serde_json::from_str(told)?;
    let figure = |name: &str| told.get(name).and_then(Value::as_f64).with_context(|| format!("{name} of wrk"));
    let (bad, sample) = (figure("bad")?, told.get("sample").map(Value::to_string).unwrap_or_default());
    ensure!(bad == 0.0, "expected good answers from {url}, {bad} were not, such as {sample}");
    Ok(Load { rate: figure("rate")?, median: figure("median")?, p99: figure("p99")? })
}
