// SPDX-License-Identifier: Apache-2.0
//! Load by wrk, on the core that is the load's. Every request must succeed.

use std::path::Path;

use anyhow::{Context, ensure};

use crate::cores;
use crate::processes::Process;

/// How many connections are kept alive.
pub(crate) const CONNECTIONS: usize = 32;

/// Sends each token of a file in its turn: wrk's own language is Lua.
const EACH_TOKEN: &str = "\
local requests, last = {}, 0
function init(arguments)
    for token in io.lines(arguments[1]) do
        requests[#requests + 1] = wrk.format(\"GET\", nil, { Authorization = \"Bearer \" .. token })
    end
end
function request()
    last = last % #requests + 1
    return requests[last]
end
";

/// What wrk saw.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Load {
    /// Requests a second.
    pub(crate) rate: f64,
    /// Requests for each second of the server's processor time.
    pub(crate) rate_of_cpu: f64,
    /// Requests.
    pub(crate) count: f64,
}

impl Load {
    pub(crate) fn better_of(self, other: Self) -> Self {
        Self {
            rate: self.rate.max(other.rate),
            rate_of_cpu: self.rate_of_cpu.max(other.rate_of_cpu),
            count: self.count.max(other.count),
        }
    }
}

/// The same request over and over, with this header.
pub(crate) fn wrk(url: &str, header: &str, seconds: u64, server: &Process) -> anyhow::Result<Load> {
    load(&["-H", header, url], seconds, server)
}

/// Requests with the tokens of a file, one a line, one after the other.
pub(crate) fn wrk_with_each(url: &str, tokens: &Path, seconds: u64, server: &Process) -> anyhow::Result<Load> {
    let script = tokens.with_extension("lua");
    std::fs::write(&script, EACH_TOKEN).with_context(|| script.display().to_string())?;
    let (script, tokens) = (script.display().to_string(), tokens.display().to_string());
    load(&["-s", &script, url, "--", &tokens], seconds, server)
}

fn load(arguments: &[&str], seconds: u64, server: &Process) -> anyhow::Result<Load> {
    let mut command = cores::tied(cores::LOAD, "wrk");
    command.args(["-t1", &format!("-c{CONNECTIONS}"), &format!("-d{seconds}s")]).args(arguments);
    let before = server.cpu_seconds()?;
    let output = command.output().context("wrk")?;
    let used = server.cpu_seconds()? - before;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success() && !text.contains("Non-2xx"), "expected only 2xx: {text}");
    let line = text.lines().find_map(|line| line.strip_prefix("Requests/sec:")).context("wrk's rate")?;
    let count = text.lines().find_map(|line| line.split_once(" requests in ")).context("wrk's count")?;
    let count: f64 = count.0.trim().parse()?;
    Ok(Load { rate: line.trim().parse()?, rate_of_cpu: count / used, count })
}
