// SPDX-License-Identifier: Apache-2.0
//! Names and texts as SQL takes them. Statements that make and change roles take no parameters, so this is the one place where a text
//! becomes part of a statement; nothing else may put one there.

use std::fmt;

/// What PostgreSQL keeps of a name (NAMEDATALEN - 1). It cuts longer ones without a word, which would make two names one.
const NAME_BYTES_MAX: usize = 63;

/// The name of a role, a database or a schema: 1 to 63 bytes without a zero byte, whatever else is in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Name(String);

/// A text that is no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a name of 1 to {NAME_BYTES_MAX} bytes without a zero byte")]
pub(crate) struct NameError;

impl Name {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// In double quotes: nothing in it has a meaning any more, and its case stays.
    pub(crate) fn quoted(&self) -> String {
        format!("\"{}\"", self.0.replace('"', "\"\""))
    }

    /// The name as a text.
    pub(crate) fn literal(&self) -> String {
        literal(&self.0)
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        let good = !text.is_empty() && text.len() <= NAME_BYTES_MAX && !text.contains('\0');
        if good { Ok(Self(text)) } else { Err(NameError) }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A text in single quotes, read the same whether `standard_conforming_strings` is on or off. A zero byte, which no text of a
/// PostgreSQL database can have and which would end the statement, is left out.
pub(crate) fn literal(text: &str) -> String {
    let text = text.replace('\0', "").replace('\'', "''");
    if text.contains('\\') { format!(" E'{}'", text.replace('\\', "\\\\")) } else { format!("'{text}'") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_name_ends_it() {
        for (name, quoted) in [
            ("orders_rw", "\"orders_rw\""),
            ("Orders", "\"Orders\""),
            ("a\"; DROP ROLE postgres; --", "\"a\"\"; DROP ROLE postgres; --\""),
            ("\"", "\"\"\"\""),
            ("a\\\"b", "\"a\\\"\"b\""),
            ("ü $1 $$", "\"ü $1 $$\""),
        ] {
            assert_eq!(Name::try_from(name.to_owned()).unwrap().quoted(), quoted);
        }
    }

    #[test]
    fn what_the_server_would_cut_or_end_is_no_name() {
        for bad in [String::new(), "a\0b".to_owned(), "x".repeat(64), "ü".repeat(32)] {
            assert!(Name::try_from(bad.clone()).is_err(), "{bad:?}");
        }
        assert!(Name::try_from("x".repeat(63)).is_ok());
    }

    #[test]
    fn nothing_in_a_text_ends_it() {
        for (text, quoted) in [
            ("", "''"),
            ("a'b", "'a''b'"),
            ("'; DROP ROLE postgres; --", "'''; DROP ROLE postgres; --'"),
            ("\\'; --", " E'\\\\''; --'"),
            ("a\0'b", "'a''b'"),
        ] {
            assert_eq!(literal(text), quoted);
        }
    }
}
