// SPDX-License-Identifier: Apache-2.0
//! What an account may do: rules in the language of ACL SETUSER, as far as they are safe to give out.
//!
//! Everything is read here and nothing is handed on unread: which words there are, that none of them lets an account in without its
//! password or makes it an administrator ([`danger`]), and where a text of a tenant's may stand ([`template`]).

mod command;
mod danger;
mod template;

use std::collections::{BTreeMap, BTreeSet};

use cress_provider::Subject;

use self::command::Command;
use self::template::{Source, Template};
use crate::limits::{RULE_BYTES_MAX, RULES_MAX};

/// The rules of one credential, in their order, which matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rules(Vec<Rule>);

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Rule {
    /// `+get`, `-@dangerous`, `+cluster|slots`
    Command(Command),
    /// `~cache:*`, `%R~shared:*`, `&events:*`: what stands before the pattern, and the pattern.
    Pattern(Access, Template),
}

/// What a pattern is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    /// Keys, with the word before the pattern.
    Keys(&'static str),
    /// Channels.
    Channels,
}

/// What stands before a pattern; longer ones first.
const PATTERNS: [(&str, Access); 5] = [
    ("%RW~", Access::Keys("%RW~")),
    ("%R~", Access::Keys("%R~")),
    ("%W~", Access::Keys("%W~")),
    ("~", Access::Keys("~")),
    ("&", Access::Channels),
];

impl Rules {
    /// Reads them.
    ///
    /// # Errors
    /// Says which rule, what was expected, and what came.
    pub(crate) fn parse(texts: &[String]) -> Result<Self, String> {
        if texts.is_empty() || texts.len() > RULES_MAX {
            return Err(format!("expected 1 to {RULES_MAX} rules, got {}", texts.len()));
        }
        let rules = texts.iter().map(|text| Rule::parse(text).map_err(|reason| format!("{text:?}: {reason}")));
        let rules = Self(rules.collect::<Result<_, _>>()?);
        danger::refuse(&rules.commands().collect::<Vec<_>>())?;
        Ok(rules)
    }

    /// What ACL SETUSER is told for a grant.
    ///
    /// # Errors
    /// Says which value, or which parameter, cannot be taken.
    pub(crate) fn fill(&self, subject: &Subject, parameters: &BTreeMap<String, String>) -> Result<Vec<String>, String> {
        let known = self.parameters();
        if let Some(name) = parameters.keys().find(|name| !known.contains(name.as_str())) {
            return Err(format!("expected no parameter {name:?}, as none of the rules has a place for it"));
        }
        self.0.iter().map(|rule| rule.fill(&|source| source.value(subject, parameters))).collect()
    }

    /// The same with a sample in each place, to try them out.
    pub(crate) fn sample(&self) -> Vec<String> {
        self.0.iter().filter_map(|rule| rule.fill(&|_| Ok("sample")).ok()).collect()
    }

    /// What an operator should know about them.
    pub(crate) fn doubts(&self) -> Vec<String> {
        let everything = self.0.iter().filter_map(|rule| match rule {
            Rule::Pattern(Access::Keys(_), template) if template.is_everything() => Some("every key is open to it"),
            Rule::Pattern(Access::Channels, template) if template.is_everything() => {
                Some("every channel is open to it")
            }
            Rule::Pattern(..) | Rule::Command(_) => None,
        });
        everything.map(str::to_owned).chain(self.commands().filter_map(danger::doubt)).collect()
    }

    fn parameters(&self) -> BTreeSet<&str> {
        let templates = self.0.iter().filter_map(|rule| match rule {
            Rule::Pattern(_, template) => Some(template),
            Rule::Command(_) => None,
        });
        let sources = templates.flat_map(Template::sources);
        sources
            .filter_map(|source| if let Source::Parameter(name) = source { Some(name.as_str()) } else { None })
            .collect()
    }

    fn commands(&self) -> impl Iterator<Item = &Command> {
        self.0.iter().filter_map(|rule| if let Rule::Command(command) = rule { Some(command) } else { None })
    }
}

impl Rule {
    fn parse(text: &str) -> Result<Self, String> {
        if text.len() > RULE_BYTES_MAX {
            return Err(format!("expected at most {RULE_BYTES_MAX} bytes, got {}", text.len()));
        }
        match text {
            "allkeys" => return Template::parse("*").map(|all| Self::Pattern(Access::Keys("~"), all)),
            "allchannels" => return Template::parse("*").map(|all| Self::Pattern(Access::Channels, all)),
            _ => {}
        }
        for (prefix, access) in PATTERNS {
            if let Some(pattern) = text.strip_prefix(prefix) {
                return Template::parse(pattern).map(|template| Self::Pattern(access, template));
            }
        }
        Command::parse(text).map(Self::Command)
    }

    fn fill<'a>(&self, value: &dyn Fn(&Source) -> Result<&'a str, String>) -> Result<String, String> {
        match self {
            Self::Command(command) => Ok(command.to_string()),
            Self::Pattern(Access::Keys(word), template) => Ok(format!("{word}{}", template.fill(value)?)),
            Self::Pattern(Access::Channels, template) => Ok(format!("&{}", template.fill(value)?)),
        }
    }
}

#[cfg(test)]
mod tests;
