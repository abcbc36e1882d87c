// SPDX-License-Identifier: Apache-2.0
//! Rules for Rust files: a licence, a module header, a size that can be taken in, a reason for each exception to a lint.

use std::fs;

use anyhow::Context;

use super::Finding;
use crate::workspace::Workspace;

/// Lines of a file before its tests. Past that a second topic has moved in.
const LINES_MAX: usize = 400;

const LICENCE: &str = "// SPDX-License-Identifier: Apache-2.0";

pub(super) fn check(workspace: &Workspace) -> anyhow::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for path in workspace.files(&["rs"])? {
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let place = workspace.relative(&path);
        let kind = if is_test(&place) { Kind::Test } else { Kind::Product };
        findings.extend(problems(&text, kind).into_iter().map(|message| Finding::new(place.clone(), message)));
    }
    Ok(findings)
}

/// What a file is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Product,
    /// Modules of tests may go without a header where their names say all.
    Test,
}

fn is_test(place: &str) -> bool {
    place.contains("/tests/") || place.ends_with("/tests.rs")
}

fn problems(text: &str, kind: Kind) -> Vec<String> {
    let mut problems = Vec::new();
    if text.lines().next() != Some(LICENCE) {
        problems.push(format!("its first line must be `{LICENCE}`"));
    }
    if kind == Kind::Product && !text.lines().take(3).any(|line| line.starts_with("//!")) {
        problems.push("has no module header (`//!`) below its licence".to_owned());
    }
    let lines = lines_before_tests(text);
    if lines > LINES_MAX {
        problems.push(format!("has {lines} lines before its tests, {LINES_MAX} at most: which second topic moved in?"));
    }
    problems.extend(expectations_without_reason(text));
    problems
}

fn lines_before_tests(text: &str) -> usize {
    text.lines().take_while(|line| line.trim_end() != "#[cfg(test)]").count()
}

/// The compiler accepts exceptions without a reason where a file is not part of the build at hand.
fn expectations_without_reason(text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    for word in ["expect", "allow"] {
        for open in [format!("#[{word}("), format!("#![{word}(")] {
            let attributes = text.split(&open).skip(1);
            let without = attributes.filter(|rest| !rest.split(")]").next().unwrap_or(rest).contains("reason"));
            problems.extend(without.map(|_| format!("`{open}` needs a reason")));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "// SPDX-License-Identifier: Apache-2.0\n//! What it is for.\n";

    fn check(rest: &str) -> Vec<String> {
        problems(&format!("{HEAD}{rest}"), Kind::Product)
    }

    #[test]
    fn a_file_needs_its_licence_and_its_header() {
        assert!(check("").is_empty());
        assert_eq!(problems("//! Header.\n", Kind::Product).len(), 1);
        assert_eq!(problems("", Kind::Product).len(), 2);
        let without_header = "// SPDX-License-Identifier: Apache-2.0\nfn main() {}\n";
        assert_eq!(problems(without_header, Kind::Product).len(), 1);
        assert!(problems(without_header, Kind::Test).is_empty());
        assert!(is_test("roles/control/src/ca/tests.rs") && is_test("libs/store/tests/suite/main.rs"));
        assert!(!is_test("testkit/src/lib.rs"));
    }

    #[test]
    fn size_counts_up_to_the_tests() {
        let many = "fn line() {}\n".repeat(LINES_MAX - 2);
        assert!(check(&many).is_empty());
        assert_eq!(check(&format!("{many}fn one_more() {{}}\n")).len(), 1);
        assert!(check(&format!("{many}#[cfg(test)]\n{many}")).is_empty());
    }

    #[test]
    fn an_exception_needs_a_reason() {
        let exception = |inside: &str| format!("#[{}({inside})]\nfn f() {{}}\n", "expect");
        assert!(check(&exception("clippy::panic, reason = \"the caller asked for it\"")).is_empty());
        assert!(check(&exception("\n    clippy::panic,\n    reason = \"over several lines\"\n")).is_empty());
        assert_eq!(check(&exception("clippy::panic")).len(), 1);
    }
}
