// SPDX-License-Identifier: Apache-2.0
//! Documents that name things of the code: what they name must be there, and what must be named must be in them.

use std::collections::BTreeSet;
use std::fs;

use anyhow::Context;

use super::Finding;
use crate::workspace::Workspace;

const ARCHITECTURE: &str = "ARCHITECTURE.md";
const SECURITY: &str = "SECURITY.md";
/// The heading of the table whose last column names tests.
const THREATS: &str = "## Threats";

pub(super) fn check(workspace: &Workspace) -> anyhow::Result<Vec<Finding>> {
    let mut findings = architecture(workspace)?;
    findings.extend(security(workspace)?);
    Ok(findings)
}

/// Every package is on the map, and every path on it exists.
fn architecture(workspace: &Workspace) -> anyhow::Result<Vec<Finding>> {
    let words = quoted(&read(workspace, ARCHITECTURE)?);
    let folders: Vec<String> = workspace
        .metadata
        .workspace_packages()
        .iter()
        .filter_map(|package| package.manifest_path.parent())
        .map(|folder| workspace.relative(folder.as_std_path()))
        .collect();
    let unnamed = folders.iter().filter(|folder| !words.contains(*folder));
    let unnamed = unnamed.map(|folder| Finding::new(ARCHITECTURE, format!("does not name the package {folder}")));
    let is_path = |word: &&String| folders.iter().any(|folder| word.starts_with(&format!("{folder}/")));
    let missing = words.iter().filter(is_path).filter(|word| !workspace.root().join(word).exists());
    let missing = missing.map(|path| Finding::new(ARCHITECTURE, format!("names {path}, which does not exist")));
    Ok(unnamed.chain(missing).collect())
}

/// Every threat names a test, and every test named exists.
fn security(workspace: &Workspace) -> anyhow::Result<Vec<Finding>> {
    Ok(untested(&read(workspace, SECURITY)?, &tests(workspace)?))
}

/// The threats that name no test, or one that is not there.
fn untested(text: &str, functions: &BTreeSet<String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for row in threats(text) {
        let tests = quoted(row.rsplit('|').nth(1).unwrap_or_default());
        if tests.is_empty() {
            findings.push(Finding::new(SECURITY, format!("has a threat without a test: {row}")));
        }
        let missing = tests.iter().filter(|test| !functions.contains(*test));
        findings
            .extend(missing.map(|test| Finding::new(SECURITY, format!("names the test {test}, which does not exist"))));
    }
    if threats(text).next().is_none() {
        findings.push(Finding::new(SECURITY, format!("has no table of threats below `{THREATS}`")));
    }
    findings
}

/// The rows of the table, without its head.
fn threats(text: &str) -> impl Iterator<Item = &str> {
    let section = text.split_once(THREATS).map_or("", |(_, rest)| rest);
    let rows = section.lines().skip(1).take_while(|line| !line.starts_with("## ")).filter(|line| line.starts_with('|'));
    rows.skip(2)
}

/// What stands between backticks.
fn quoted(text: &str) -> BTreeSet<String> {
    text.lines().flat_map(|line| line.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

/// The names of all functions in tests.
fn tests(workspace: &Workspace) -> anyhow::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for path in workspace.files(&["rs"])? {
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let tests = test_code(&workspace.relative(&path), &text);
        let definitions = tests.split("fn ").skip(1).filter_map(|rest| rest.split(['(', '<']).next());
        names.extend(definitions.map(str::to_owned));
    }
    Ok(names)
}

/// What of a file is no product: a function of the product that a threat named would prove nothing.
fn test_code<'a>(place: &str, text: &'a str) -> &'a str {
    let is_test = place.split('/').any(|part| part == "tests" || part == "tests.rs" || part == "testkit");
    if is_test { text } else { text.split_once("#[cfg(test)]").map_or("", |(_, tests)| tests) }
}

fn read(workspace: &Workspace, file: &str) -> anyhow::Result<String> {
    fs::read_to_string(workspace.root().join(file)).with_context(|| format!("cannot read {file}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_threats_is_found() {
        let text = "| x | `no` |\n## Threats, and more\n\n| threat | tests |\n|---|---|\n| a | `one`, `two` |\n| b | |\n## Next\n| c | |\n";
        let rows: Vec<&str> = threats(text).collect();
        assert_eq!(rows, ["| a | `one`, `two` |", "| b | |"]);
        let tests = quoted(rows[0].rsplit('|').nth(1).unwrap());
        assert_eq!(tests, BTreeSet::from(["one".to_owned(), "two".to_owned()]));
        assert!(quoted(rows[1].rsplit('|').nth(1).unwrap()).is_empty());
    }

    #[test]
    fn a_threat_without_its_test_is_a_finding() {
        let there = BTreeSet::from(["one".to_owned()]);
        let found = |row: &str| {
            let text = format!("## Threats\n\n| threat | tests |\n|---|---|\n{row}\n");
            untested(&text, &there).into_iter().map(|finding| finding.message).collect::<Vec<_>>()
        };
        assert!(found("| a | `one` |").is_empty());
        assert_eq!(found("| a | `one`, `two` |"), ["names the test two, which does not exist"]);
        assert_eq!(found("| a | |"), ["has a threat without a test: | a | |"]);
        assert_eq!(untested("nothing", &there).len(), 1);
    }

    #[test]
    fn functions_of_the_product_are_no_tests() {
        let text = "fn product() {}\n#[cfg(test)]\nmod tests { fn test() {} }\n";
        assert!(!test_code("core/a/src/b.rs", text).contains("product"));
        assert!(test_code("core/a/src/b.rs", text).contains("fn test"));
        assert!(test_code("core/a/src/tests/b.rs", text).contains("product"));
        assert_eq!(test_code("core/a/src/b.rs", "fn product() {}"), "");
    }
}
