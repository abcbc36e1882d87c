// SPDX-License-Identifier: Apache-2.0
//! Files that are made: what the built binary writes of itself, its command line and the schemas of its configurations, and what the
//! published packages offer. They are kept in the repository so that a change of an interface is seen in review.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;

use super::{Finding, Program, public_api};
use crate::workspace::Workspace;
use crate::{command, report};

/// Where they lie.
pub(super) const FOLDER: &str = "docs/reference";

/// A file, and what `cress` is asked for its content.
struct Generated {
    file: &'static str,
    arguments: &'static [&'static str],
}

const GENERATED: &[Generated] = &[
    Generated { file: "cli.md", arguments: &["reference"] },
    Generated { file: "control.schema.json", arguments: &["config", "schema", "control"] },
    Generated { file: "node.schema.json", arguments: &["config", "schema", "node"] },
    Generated { file: "authz.schema.json", arguments: &["config", "schema", "authz"] },
    Generated { file: "broker.schema.json", arguments: &["config", "schema", "broker"] },
    Generated { file: "broker.openapi.json", arguments: &["config", "openapi"] },
];

/// Compares what is in the repository with what the binary says now.
pub(super) fn check(workspace: &Workspace, program: Program) -> anyhow::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for (path, content) in public_api::lists(workspace)?.into_iter().chain(generate(workspace, program)?) {
        if !fs::read_to_string(&path).is_ok_and(|there| there == content) {
            findings.push(Finding::new(workspace.relative(&path), "is out of date: run `cargo xtask tidy --write`"));
        }
    }
    Ok(findings)
}

/// Writes them anew.
pub(super) fn write(workspace: &Workspace, program: Program) -> anyhow::Result<()> {
    write_all(workspace, public_api::lists(workspace)?)?;
    write_all(workspace, generate(workspace, program)?)
}

fn write_all(workspace: &Workspace, files: Vec<(PathBuf, String)>) -> anyhow::Result<()> {
    for (path, content) in files {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
        report::line(&format!("    wrote {}", workspace.relative(&path)));
    }
    Ok(())
}

fn generate(workspace: &Workspace, program: Program) -> anyhow::Result<Vec<(PathBuf, String)>> {
    if program == Program::ToBeBuilt {
        command::run(&mut command::cargo(workspace, &["build", "--quiet", "-p", "cress"]))?;
    }
    let folder = workspace.root().join(FOLDER);
    GENERATED.iter().map(|each| Ok((folder.join(each.file), ask(workspace, each.arguments)?))).collect()
}

/// The answer must not depend on who asks: no variable that could carry configuration is handed on.
fn ask(workspace: &Workspace, arguments: &[&str]) -> anyhow::Result<String> {
    let mut cress = Command::new(workspace.debug_binary("cress"));
    command::output(cress.args(arguments).env_clear())
}
