// SPDX-License-Identifier: Apache-2.0
//! What the tests and benchmarks need besides Rust: packages of the operating system, Python environments and npm packages with
//! the published SDKs and what the guides show, proxies, two versions of PostgreSQL, Redis and Valkey. Everything but the first lies in `target/tools`. What is there is left alone.

mod cargo_fuzz;
mod node;
mod openbao;
mod postgres;
mod proxies;
mod python;
mod system;
mod valkey;
mod wheels;

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use anyhow::Context;

pub(crate) use cargo_fuzz::install as cargo_fuzz;

use crate::report;
use crate::workspace::Workspace;

/// Installs what the tests need and is missing.
pub(crate) fn install_for_tests(workspace: &Workspace) -> anyhow::Result<()> {
    system::install(system::FOR_TESTS)?;
    for environment in python::ENVIRONMENTS {
        environment.install(&workspace.tools())?;
    }
    for environment in node::ENVIRONMENTS {
        environment.install(&workspace.tools())?;
    }
    proxies::install(&workspace.tools())?;
    valkey::install(&workspace.tools())?;
    postgres::install(&workspace.tools())
}

/// Installs what the benchmarks compare with and is missing.
pub(crate) fn install_for_benchmarks(workspace: &Workspace) -> anyhow::Result<()> {
    system::install(system::FOR_BENCHMARKS)?;
    openbao::install(&workspace.tools())?;
    proxies::install(&workspace.tools())
}

/// What the tests and benchmarks are told of the tools, as environment variables.
pub(crate) fn variables(workspace: &Workspace) -> Vec<(&'static str, OsString)> {
    let tools = workspace.tools();
    let mut variables = vec![
        ("CRESS_TEST_POSTGRES_15", postgres::PROGRAMS_15.into()),
        ("CRESS_TEST_POSTGRES_18", postgres::programs_18(&tools).into_os_string()),
        (openbao::VARIABLE, openbao::program(&tools).into_os_string()),
        ("CRESS_TEST_VALKEY", valkey::program(&tools).into_os_string()),
    ];
    variables.extend(node::ENVIRONMENTS.iter().map(|each| (each.variable, each.modules(&tools).into_os_string())));
    variables
        .extend(python::ENVIRONMENTS.iter().map(|each| (each.variable, each.interpreter(&tools).into_os_string())));
    variables.extend(proxies::programs(&tools).map(|(variable, path)| (variable, path.into_os_string())));
    variables
}

/// Installs into a folder unless its stamp says that just this is there; a folder half made is made anew.
fn install_once(folder: &Path, wanted: &str, install: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    let stamp = folder.join("installed.txt");
    if fs::read_to_string(&stamp).is_ok_and(|there| there == wanted) {
        return Ok(());
    }
    report::line(&format!("    installing into {}", folder.display()));
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    install()?;
    fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_installed_is_left_alone_and_what_is_half_made_is_made_anew() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("tool");
        let mut installs = 0;
        for (wanted, expected) in [("a", 1), ("a", 1), ("b", 2), ("b", 2)] {
            install_once(&folder, wanted, || {
                installs += 1;
                Ok(())
            })
            .unwrap();
            assert_eq!(installs, expected);
        }

        install_once(&folder, "c", || anyhow::bail!("the network is down")).unwrap_err();
        install_once(&folder, "c", || {
            installs += 1;
            Ok(())
        })
        .unwrap();
        assert_eq!(installs, 3);
    }
}
