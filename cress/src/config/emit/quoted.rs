// SPDX-License-Identifier: Apache-2.0
//! Text in quotes, for YAML and TOML.

/// Just this text to every reader of YAML or TOML: both have these escapes.
pub(super) fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            // Beyond ASCII too: line separators are line breaks to some readers.
            ' '..='~' => quoted.push(character),
            _ => quoted.push_str(&format!("\\U{:08x}", u32::from(character))),
        }
    }
    quoted.push('"');
    quoted
}

/// A list of YAML, one text a line.
pub(super) fn yaml_list<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> String {
    texts.into_iter().map(|text| format!("- {}\n", quote(text.as_ref()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_a_text_early() {
        assert_eq!(quote("a\"b\\c: {d} #e"), r#""a\"b\\c: {d} #e""#);
        assert_eq!(quote("a\nb\u{2028}é"), r#""a\U0000000ab\U00002028\U000000e9""#);
        assert_eq!(yaml_list(["a", "- b"]), "- \"a\"\n- \"- b\"\n");
    }
}
