// SPDX-License-Identifier: Apache-2.0
//! Files with places to fill in: `@name@`. What is filled in is never looked at again, so no value can name a place.

use anyhow::{Context, ensure};

/// Fills every place. A place that stands alone on its line takes several lines, each indented as the place is; without any the
/// line goes away.
pub(super) fn fill(template: &str, values: &[(&str, String)]) -> anyhow::Result<String> {
    let mut filled = String::new();
    for line in template.lines() {
        if let Some(name) = whole_line(line) {
            let indent = line.strip_suffix(line.trim_start()).unwrap_or_default();
            for row in value(values, name)?.lines() {
                filled.push_str(format!("{indent}{row}").trim_end());
                filled.push('\n');
            }
        } else {
            fill_line(line, values, &mut filled)?;
            filled.push('\n');
        }
    }
    Ok(filled)
}

fn whole_line(line: &str) -> Option<&str> {
    let name = line.trim().strip_prefix('@')?.strip_suffix('@')?;
    is_name(name).then_some(name)
}

fn fill_line(line: &str, values: &[(&str, String)], filled: &mut String) -> anyhow::Result<()> {
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('@') {
        filled.push_str(before);
        let (name, after) = after.split_once('@').with_context(|| format!("expected a place to end in {line:?}"))?;
        ensure!(is_name(name), "expected a place's name in {line:?}");
        let text = value(values, name)?;
        ensure!(!text.contains(['\n', '\r']), "expected one line for {name}");
        filled.push_str(text);
        rest = after;
    }
    filled.push_str(rest);
    Ok(())
}

fn value<'a>(values: &'a [(&str, String)], name: &str) -> anyhow::Result<&'a str> {
    let found = values.iter().find(|(known, _)| *known == name);
    found.map(|(_, text)| text.as_str()).with_context(|| format!("expected a value for {name}"))
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled_once() {
        let values = [("a", "1@b@".to_owned()), ("b", "x\n  y".to_owned()), ("none", String::new())];
        assert_eq!(fill("p @a@ q@a@\n\t@b@\n  @none@\nend\n", &values).unwrap(), "p 1@b@ q1@b@\n\tx\n\t  y\nend\n");
        for wrong in ["@missing@", "x @b@", "x @a", "x @A@"] {
            assert!(fill(wrong, &values).is_err(), "{wrong}");
        }
    }
}
