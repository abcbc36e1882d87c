// SPDX-License-Identifier: Apache-2.0
//! Words that show that something was left over from writing: work put off, and folders of somebody's machine.

use std::fs;

use anyhow::Context;

use super::Finding;
use crate::workspace::Workspace;

const TEXT_FILES: [&str; 11] = ["rs", "md", "toml", "proto", "sql", "py", "js", "mjs", "sh", "go", "json"];

/// Split, so that this file does not find itself.
const WORDS: [(&str, &str); 5] = [("TO", "DO"), ("FIX", "ME"), ("XX", "X:"), ("/ro", "ot/"), ("/wo", "rk/")];

pub(super) fn check(workspace: &Workspace) -> anyhow::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for path in workspace.files(&TEXT_FILES)? {
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let place = workspace.relative(&path);
        findings
            .extend(leftovers(&text).map(|(line, word)| {
                Finding::new(format!("{place}:{line}"), format!("`{word}` must not be published"))
            }));
    }
    Ok(findings)
}

fn leftovers(text: &str) -> impl Iterator<Item = (usize, String)> {
    text.lines().enumerate().flat_map(|(index, line)| {
        let words = WORDS.iter().map(|(start, end)| format!("{start}{end}"));
        words.filter(move |word| line.contains(word.as_str())).map(move |word| (index + 1, word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_are_found_with_their_lines() {
        let word = format!("{}{}", "FIX", "ME");
        let text = format!("fine\n// {word} later\nfine\n");
        assert_eq!(leftovers(&text).collect::<Vec<_>>(), vec![(2, word)]);
        assert_eq!(leftovers("nothing here\n").count(), 0);
    }
}
