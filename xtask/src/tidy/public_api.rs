// SPDX-License-Identifier: Apache-2.0
//! What the published packages offer, listed in files of the repository, so that a change of it is seen in review.
//!
//! It reads the sources and not the compiler's mind: the format is rustfmt's, and the lint `unreachable_pub` sees to it that what
//! says `pub` is public. It does not see auto traits, what macros make, or a change of behaviour.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use anyhow::Context;

use crate::workspace::Workspace;

/// The packages that are fit to be published.
const PACKAGES: [&str; 4] = ["core/domain", "core/jose", "core/token", "libs/verify"];
/// Attributes that are part of what is offered.
const ATTRIBUTES: [&str; 3] = ["#[derive(", "#[non_exhaustive]", "#[cfg("];

/// Each list with its path.
pub(super) fn lists(workspace: &Workspace) -> anyhow::Result<Vec<(PathBuf, String)>> {
    PACKAGES.iter().map(|package| list(workspace, package)).collect()
}

fn list(workspace: &Workspace, package: &str) -> anyhow::Result<(PathBuf, String)> {
    let folder = workspace.root().join(package).join("src");
    let mut sources = Vec::new();
    for path in workspace.files(&["rs"])?.into_iter().filter(|path| path.starts_with(&folder)) {
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let name = workspace.relative(&path);
        if !name.contains("/tests") {
            sources.push((name, items(&text)));
        }
    }
    sources.sort();
    let types = types(&sources);
    let mut listing = format!(
        "# What {package} offers. Written by `cargo xtask tidy --write`; a line that changes or goes can break users.\n"
    );
    for (name, items) in &sources {
        let offered: Vec<&String> = items.iter().filter(|item| !is_foreign(item, &types)).collect();
        // An `impl` without anything public in it offers nothing by itself.
        if offered.iter().any(|item| !item.starts_with("impl") || item.contains(" for ")) {
            listing += &format!("\n## {name}\n");
            offered.iter().for_each(|item| listing += &format!("{item}\n"));
        }
    }
    let file = format!("docs/reference/api/cress-{}.txt", package.rsplit('/').next().unwrap_or(package));
    Ok((workspace.root().join(file), listing))
}

/// The names of all public types and traits.
fn types(sources: &[(String, Vec<String>)]) -> BTreeSet<String> {
    let declared = sources.iter().flat_map(|(_, items)| items).filter_map(|item| {
        let item = item.rsplit("] ").next()?.strip_prefix("pub ")?;
        let rest = ["struct ", "enum ", "trait ", "type "].iter().find_map(|kind| item.strip_prefix(kind))?;
        Some(identifier(rest))
    });
    declared.collect()
}

/// Whether it is an implementation for something that is not public.
fn is_foreign(item: &str, types: &BTreeSet<String>) -> bool {
    let Some(rest) = item.strip_prefix("impl") else { return false };
    let target = rest.split_once(" for ").map_or_else(|| without_generics(rest), |(_, target)| target);
    !types.contains(&identifier(target.trim_start_matches(['&', ' '])))
}

/// What follows the generics of an `impl`.
fn without_generics(rest: &str) -> &str {
    let mut depth = 0_usize;
    for (at, character) in rest.char_indices() {
        match character {
            '<' => depth += 1,
            '>' => depth = depth.saturating_sub(1),
            ' ' if depth == 0 => return rest.get(at + 1..).unwrap_or_default(),
            _ => {}
        }
    }
    rest
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|character| character.is_alphanumeric() || *character == '_').collect()
}

/// The public items of a file, each on one line, in their order.
fn items(text: &str) -> Vec<String> {
    let (mut items, mut attributes) = (Vec::new(), Vec::new());
    let mut lines = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().lines();
    while let Some(line) = lines.next() {
        let bare = line.trim();
        let indent = line.len() - line.trim_start().len();
        if ATTRIBUTES.iter().any(|attribute| bare.starts_with(attribute)) {
            attributes.push(bare.to_owned());
        } else if bare.starts_with("pub ") || (indent == 0 && bare.starts_with("impl")) {
            let body = bare.starts_with("pub enum") || bare.starts_with("pub trait");
            let mut item = attributes.drain(..).map(|attribute| attribute + " ").collect::<String>();
            if bare.starts_with("impl") {
                item.clear();
            }
            item += &declaration(bare, &mut lines);
            items.push(item);
            if body && !bare.ends_with('}') {
                items.extend(members(&mut lines, indent));
            }
        } else if !bare.starts_with("//") && !bare.starts_with("#[") {
            attributes.clear();
        }
    }
    items
}

/// The item up to its body, on one line.
fn declaration<'a>(first: &str, lines: &mut impl Iterator<Item = &'a str>) -> String {
    let mut text = first.to_owned();
    // A field ends in a comma, everything else in a brace or a semicolon.
    let is_field =
        !["fn ", "use ", "mod ", "const ", "struct ", "enum ", "trait ", "type ", "impl", "static ", "async "]
            .iter()
            .any(|keyword| first.trim_start_matches("pub ").starts_with(keyword));
    let is_use = first.starts_with("pub use ");
    let is_over = |text: &str| match text.chars().next_back() {
        Some(';') => true,
        Some('{' | '}') => !is_use,
        Some(',') => is_field,
        _ => false,
    };
    while !is_over(&text) {
        let Some(next) = lines.next() else { break };
        text += " ";
        text += next.trim();
    }
    let is_value = first.starts_with("pub const ") && !first.starts_with("pub const fn ");
    // The value itself may change.
    let end = if is_value { " = " } else { " {" };
    if is_use {
        return text.trim_end_matches(';').to_owned();
    }
    text.split(end).next().unwrap_or_default().trim_end_matches([',', ';', '{', ' ']).to_owned()
}

/// Variants of an enumeration or items of a trait, up to the closing brace.
fn members<'a>(lines: &mut impl Iterator<Item = &'a str>, indent: usize) -> Vec<String> {
    let (mut members, mut in_attribute) = (Vec::new(), false);
    let closing = format!("{}}}", " ".repeat(indent));
    for line in lines.by_ref().take_while(|line| *line != closing) {
        let bare = line.trim();
        in_attribute |= bare.starts_with("#[");
        if !in_attribute && !bare.is_empty() && !bare.starts_with("//") {
            members.push(line.trim_end().to_owned());
        }
        in_attribute &= !bare.ends_with(']');
    }
    members
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_items_are_listed_each_on_a_line() {
        let text = "\
#[derive(Debug)]
#[non_exhaustive]
pub struct Shown<T> {
    /// A field.
    pub field: T,
    hidden: u8,
}
struct Hidden;
impl<T: Clone> Shown<T> {
    pub const MAX: usize = 3;
    /// A function.
    pub fn new(
        field: T,
    ) -> Self {
        let pub_local = 1;
    }
    pub(crate) fn inner() {}
}
impl Hidden {}
impl<T> Drop for Shown<T> {
}
pub enum Kind {
    /// One.
    #[error(
        \"text\"
    )]
    One,
    Two { member: u8 },
}
pub use elsewhere::{
    A, B,
};
#[cfg(test)]
mod tests {
    pub fn not_this() {}
}
";
        let items = items(text);
        let types = types(&[(String::new(), items.clone())]);
        let offered: Vec<&str> = items.iter().filter(|item| !is_foreign(item, &types)).map(String::as_str).collect();
        assert_eq!(
            offered,
            [
                "#[derive(Debug)] #[non_exhaustive] pub struct Shown<T>",
                "pub field: T",
                "impl<T: Clone> Shown<T>",
                "pub const MAX: usize",
                "pub fn new( field: T, ) -> Self",
                "impl<T> Drop for Shown<T>",
                "pub enum Kind",
                "    One,",
                "    Two { member: u8 },",
                "pub use elsewhere::{ A, B, }",
            ]
        );
    }
}
