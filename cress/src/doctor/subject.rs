// SPDX-License-Identifier: Apache-2.0
//! What is looked at: told by flags, by what a settings file has, or by what lies in a directory.

use std::path::{Path, PathBuf};

use super::report::Report;
use super::{Arguments, Role};
use crate::{control, node};

/// Where `cress up` and control keep everything, if nothing is said.
const DATA_DIR_DEFAULT: &str = "cress-data";
/// What only a node's directory has.
const NODE_FILES: [&str; 2] = ["membership.json", "node-key.pem"];
/// What `cress up` has in its directory.
const UP_DIRECTORY: &str = "node";

pub(super) enum Subject {
    Control(Box<cress_control::Config>),
    Node(Box<cress_node::Config>),
    Up(PathBuf),
}

/// Finds it. Settings that cannot be read are a finding, and end the matter.
pub(super) fn of(arguments: &Arguments, report: &mut Report) -> Option<Subject> {
    let config = arguments.config.clone();
    let data_dir = arguments.data_dir.clone();
    let role = arguments.role.unwrap_or_else(|| match &config {
        Some(file) => of_file(file),
        None => of_directory(data_dir.as_deref().unwrap_or(Path::new(DATA_DIR_DEFAULT))),
    });
    let default_dir = || config.is_none().then(|| PathBuf::from(DATA_DIR_DEFAULT));
    match role {
        Role::Control => {
            report.about("control");
            let loaded = control::Arguments::located(config.clone(), data_dir.or_else(default_dir)).load();
            loaded
                .map_err(|error| report.failure("config", error))
                .ok()
                .map(|config| Subject::Control(Box::new(config)))
        }
        Role::Node => {
            report.about("node");
            if config.is_none() && std::env::var_os("CRESS_NODE_CONTROL__URL").is_none() {
                let data_dir = data_dir.or_else(default_dir)?;
                return Some(Subject::Node(Box::new(cress_node::Config::new(data_dir, String::new()))));
            }
            let loaded = node::Arguments::located(config, data_dir).load();
            loaded.map_err(|error| report.failure("config", error)).ok().map(|config| Subject::Node(Box::new(config)))
        }
        Role::Up => Some(Subject::Up(data_dir.or_else(default_dir)?)),
    }
}

/// Only a node's settings say where control is.
fn of_file(file: &Path) -> Role {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let names_control = text.lines().map(str::trim).any(|line| {
        let key = line.trim_start_matches('[').trim_start();
        key.strip_prefix("control").is_some_and(|rest| rest.trim_start().starts_with(['.', ']', '=']))
    });
    if names_control { Role::Node } else { Role::Control }
}

fn of_directory(directory: &Path) -> Role {
    let has = |directory: &Path| NODE_FILES.iter().any(|file| directory.join(file).exists());
    if has(directory) {
        Role::Node
    } else if has(&directory.join(UP_DIRECTORY)) {
        Role::Up
    } else {
        Role::Control
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_role_follows_from_what_is_there() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("settings.toml");
        for (text, role) in [
            ("data_dir = \"/d\"\n", Role::Control),
            ("[node_api]\nlisten = \"127.0.0.1:1\"\n", Role::Control),
            ("data_dir = \"/d\"\n[control]\nurl = \"https://c:1\"\n", Role::Node),
            ("control.url = \"https://c:1\"\n", Role::Node),
            ("control = { url = \"https://c:1\" }\n", Role::Node),
        ] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(of_file(&file), role, "{text}");
        }
        assert_eq!(of_directory(directory.path()), Role::Control);
        std::fs::create_dir(directory.path().join("node")).unwrap();
        std::fs::write(directory.path().join("node/node-key.pem"), "").unwrap();
        assert_eq!(of_directory(directory.path()), Role::Up);
        assert_eq!(of_directory(&directory.path().join("node")), Role::Node);
    }
}
