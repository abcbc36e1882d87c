// SPDX-License-Identifier: Apache-2.0
//! Rules for commands: `+get`, `-keys`, `+cluster|slots`, `+@read`, `-@dangerous`, `+@all`.

use std::fmt;

/// A rule for commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Command {
    pub(super) effect: Effect,
    pub(super) what: What,
}

/// Whether it gives or takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Give,
    Take,
}

/// What is given or taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// `@read`; `@all` is every command.
    Category(String),
    /// `get`, or one subcommand of it.
    Command { name: String, subcommand: Option<String> },
}

/// Words of ACL SETUSER that are this provider's business, or nobody's.
const OWN_WORDS: [&str; 10] = [
    "on",
    "off",
    "nopass",
    "reset",
    "resetpass",
    "resetkeys",
    "resetchannels",
    "clearselectors",
    "sanitize-payload",
    "skip-sanitize-payload",
];

impl Command {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text == "allcommands" {
            return Ok(Self { effect: Effect::Give, what: What::Category("all".to_owned()) });
        }
        if OWN_WORDS.contains(&text) || text.starts_with(['>', '<', '#', '!']) {
            return Err(
                "expected what the account may do, and not how it is let in, which is cress's business".to_owned()
            );
        }
        if text.starts_with('(') {
            return Err("expected no selector; make a credential of its own instead".to_owned());
        }
        let (effect, rest) = match (text.strip_prefix('+'), text.strip_prefix('-')) {
            (Some(rest), _) => (Effect::Give, rest),
            (_, Some(rest)) => (Effect::Take, rest),
            (None, None) => return Err(EXPECTED.to_owned()),
        };
        What::parse(rest).map(|what| Self { effect, what }).ok_or_else(|| EXPECTED.to_owned())
    }
}

const EXPECTED: &str = "expected a rule such as +@read, -@dangerous, +get, +cluster|slots, ~cache:*, %R~shared:*, &events:*, \
                        in lower-case letters";

impl What {
    fn parse(text: &str) -> Option<Self> {
        if let Some(category) = text.strip_prefix('@') {
            return is_word(category).then(|| Self::Category(category.to_owned()));
        }
        let (name, subcommand) = match text.split_once('|') {
            Some((name, subcommand)) => (name, Some(subcommand)),
            None => (text, None),
        };
        let fits = is_word(name) && subcommand.is_none_or(is_word);
        fits.then(|| Self::Command { name: name.to_owned(), subcommand: subcommand.map(str::to_owned) })
    }
}

/// Modules have dots in the names of their commands.
fn is_word(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
    text.bytes().all(fits) && text.starts_with(|first: char| first.is_ascii_lowercase())
}

impl fmt::Display for Command {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.effect {
            Effect::Give => "+",
            Effect::Take => "-",
        })?;
        match &self.what {
            What::Category(category) => write!(formatter, "@{category}"),
            What::Command { name, subcommand: None } => formatter.write_str(name),
            What::Command { name, subcommand: Some(subcommand) } => write!(formatter, "{name}|{subcommand}"),
        }
    }
}
