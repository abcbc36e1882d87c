// SPDX-License-Identifier: Apache-2.0
//! Checks the packages' dependencies against the table of layers.

use cargo_metadata::{Dependency, DependencyKind, Package};

use super::Finding;
use super::layer_table::{CONFINED, FOR_TESTS, LAYERS, Layer};
use crate::workspace::Workspace;

pub(super) fn check(workspace: &Workspace) -> anyhow::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for package in workspace.metadata.workspace_packages() {
        check_package(workspace, package, &mut findings);
    }
    Ok(findings)
}

fn check_package(workspace: &Workspace, package: &Package, findings: &mut Vec<Finding>) {
    let folder = folder(workspace, package);
    let manifest = format!("{folder}/Cargo.toml");
    let Some(layer) = layer_of(&folder) else {
        findings.push(Finding::new(
            manifest,
            "its folder is in no layer: add it to the table in xtask and ARCHITECTURE.md",
        ));
        return;
    };
    for dependency in &package.dependencies {
        let problem = match ours(workspace, dependency) {
            Some(target) => refuse_ours(layer, &folder, &target, dependency.kind),
            None => refuse_foreign(&folder, dependency),
        };
        findings.extend(problem.map(|message| Finding::new(manifest.clone(), message)));
    }
}

/// The folder of a package of ours that is depended on.
fn ours(workspace: &Workspace, dependency: &Dependency) -> Option<String> {
    dependency.path.as_ref().map(|path| workspace.relative(path.as_std_path()))
}

fn refuse_ours(layer: &Layer, folder: &str, target: &str, kind: DependencyKind) -> Option<String> {
    let is_for_tests = kind == DependencyKind::Development
        && FOR_TESTS.iter().any(|(user, used)| (user.is_empty() || lies_in(folder, user)) && lies_in(target, used));
    let is_allowed = is_for_tests || layer.may_use.iter().any(|allowed| lies_in(target, allowed));
    (!is_allowed).then(|| {
        let allowed = if layer.may_use.is_empty() { "nothing of ours".to_owned() } else { layer.may_use.join(", ") };
        format!("must not depend on {target}: {} may use {allowed}", layer.folder)
    })
}

fn refuse_foreign(folder: &str, dependency: &Dependency) -> Option<String> {
    let rule = CONFINED.iter().find(|rule| rule.package == dependency.name)?;
    let is_allowed = dependency.kind == DependencyKind::Development || rule.to.iter().any(|to| lies_in(folder, to));
    (!is_allowed).then(|| format!("must not depend on {}: only {} may", rule.package, rule.to.join(", ")))
}

fn layer_of(folder: &str) -> Option<&'static Layer> {
    LAYERS.iter().filter(|layer| lies_in(folder, layer.folder)).max_by_key(|layer| layer.folder.len())
}

/// Whether this is that folder, or lies somewhere below it.
fn lies_in(folder: &str, above: &str) -> bool {
    folder.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn folder(workspace: &Workspace, package: &Package) -> String {
    let folder = package.manifest_path.parent().map(|folder| folder.as_std_path());
    folder.map(|folder| workspace.relative(folder)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_refused(from: &str, to: &str, kind: DependencyKind) -> bool {
        refuse_ours(layer_of(from).unwrap(), from, to, kind).is_some()
    }

    #[test]
    fn layers_point_downwards() {
        for (from, to, refused) in [
            ("core/domain", "core/jose", true),
            ("core/token", "core/jose", false),
            ("contracts/api", "core/token", false),
            ("contracts/api", "contracts/driver", true),
            ("libs/verify", "libs/service", true),
            ("libs/keyring", "libs/store", false),
            ("libs/store", "libs/keyring", true),
            ("adapters/drivers/process", "contracts/driver", false),
            ("adapters/drivers/process", "libs/service", true),
            ("roles/node", "roles/control", true),
            ("roles/node", "adapters/drivers/process", true),
            ("roles/node", "libs/client", false),
            ("cress", "adapters/drivers/process", false),
            ("cress", "testkit", true),
        ] {
            assert_eq!(is_refused(from, to, DependencyKind::Normal), refused, "{from} -> {to}");
        }
    }

    #[test]
    fn tests_may_use_more() {
        assert!(!is_refused("core/token", "testkit", DependencyKind::Development));
        assert!(is_refused("core/token", "testkit", DependencyKind::Normal));
        assert!(is_refused("core/token", "testkit", DependencyKind::Build));
        assert!(is_refused("roles/node", "roles/control", DependencyKind::Development));
        assert!(!is_refused("roles/node", "adapters/drivers/process", DependencyKind::Development));
        assert!(is_refused("libs/verify", "adapters/drivers/process", DependencyKind::Development));
    }

    #[test]
    fn a_folder_is_not_confused_with_its_longer_namesake() {
        assert!(lies_in("core/jose", "core"));
        assert!(!lies_in("core-extra/jose", "core"));
        assert!(layer_of("elsewhere/thing").is_none());
    }
}
