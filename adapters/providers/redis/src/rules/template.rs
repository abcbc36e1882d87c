// SPDX-License-Identifier: Apache-2.0
//! Patterns of keys and channels with places that a grant fills: `~app:${subject.group_id}:*`, `&jobs:${parameters.queue}`.
//!
//! What fills a place is a few plain letters, or the grant is refused. A place must stand between separators, none of which can be
//! in such a text: in `app:${parameters.name}*` the name `ab` could be reached by whoever is given `a`.

use std::collections::BTreeMap;

use cress_provider::Subject;

use crate::limits::VALUE_BYTES_MAX;

/// A pattern in Redis's glob style.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Place(Source),
}

/// Where the text for a place comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// A claim of the verified token.
    Subject(Claim),
    /// A parameter of the request.
    Parameter(String),
}

/// A claim that can fill a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    Organization,
    Group,
    Instance,
    Machine,
}

const CLAIMS: [(&str, Claim); 4] = [
    ("organization_id", Claim::Organization),
    ("group_id", Claim::Group),
    ("instance_id", Claim::Instance),
    ("machine_id", Claim::Machine),
];

/// What a place must stand between. None of it is in a value, and none means anything in a glob.
const SEPARATORS: &str = ":/{}|,;=@#!";
/// What could make a place part of a set of characters.
const NOT_WITH_PLACES: [char; 3] = ['[', ']', '\\'];
const NAME_BYTES_MAX: usize = 64;

impl Template {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        // A quote would end a word in a configuration file that is rewritten, and a space does everywhere.
        let fits = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\'';
        if text.is_empty() || !text.bytes().all(fits) {
            return Err("expected a pattern of visible ASCII characters without quotes and spaces".to_owned());
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((literal, after)) = rest.split_once("${") {
            let (place, after) = after.split_once('}').ok_or("expected a } after ${")?;
            parts.push(Part::Literal(literal.to_owned()));
            parts.push(Part::Place(Source::parse(place)?));
            rest = after;
        }
        parts.push(Part::Literal(rest.to_owned()));
        let template = Self(parts);
        template.check_places(text)?;
        Ok(template)
    }

    fn check_places(&self, text: &str) -> Result<(), String> {
        if self.sources().next().is_none() {
            return Ok(());
        }
        if text.contains(NOT_WITH_PLACES) {
            return Err("expected neither brackets nor backslashes in a pattern with a ${...}".to_owned());
        }
        let last = self.0.len().saturating_sub(1);
        for (index, part) in self.0.iter().enumerate() {
            let Part::Literal(literal) = part else { continue };
            // The first may be empty, where a place begins the pattern, and the last, where one ends it.
            let begins = index == 0 || literal.starts_with(is_separator) || (index == last && literal.is_empty());
            let ends = index == last || literal.ends_with(is_separator) || (index == 0 && literal.is_empty());
            if !begins || !ends {
                return Err(format!(
                    "expected each ${{...}} to stand between separators, one of {SEPARATORS}, or at an end, as in app:${{subject.group_id}}:*"
                ));
            }
        }
        Ok(())
    }

    pub(super) fn sources(&self) -> impl Iterator<Item = &Source> {
        self.0.iter().filter_map(|part| if let Part::Place(source) = part { Some(source) } else { None })
    }

    pub(super) fn fill<'a>(&self, value: &dyn Fn(&Source) -> Result<&'a str, String>) -> Result<String, String> {
        let mut text = String::new();
        for part in &self.0 {
            text.push_str(match part {
                Part::Literal(literal) => literal,
                Part::Place(source) => value(source)?,
            });
        }
        Ok(text)
    }

    /// Whether it stands for whatever there is.
    pub(super) fn is_everything(&self) -> bool {
        let star = |part: &Part| matches!(part, Part::Literal(literal) if literal.bytes().all(|byte| byte == b'*'));
        self.0.iter().all(star)
    }
}

fn is_separator(character: char) -> bool {
    SEPARATORS.contains(character)
}

impl Source {
    fn parse(text: &str) -> Result<Self, String> {
        let claim = text.strip_prefix("subject.").and_then(|name| CLAIMS.iter().find(|(claim, _)| *claim == name));
        if let Some((_, claim)) = claim {
            return Ok(Self::Subject(*claim));
        }
        let named = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        match text.strip_prefix("parameters.") {
            Some(name) if (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(named) => {
                Ok(Self::Parameter(name.to_owned()))
            }
            _ => Err(format!(
                "expected ${{parameters.<name>}}, or ${{subject.<claim>}} with one of {}, got ${{{text}}}",
                CLAIMS.map(|(name, _)| name).join(", ")
            )),
        }
    }

    /// The text for it, if it is one that means nothing but itself.
    pub(super) fn value<'a>(
        &self,
        subject: &'a Subject,
        parameters: &'a BTreeMap<String, String>,
    ) -> Result<&'a str, String> {
        let value = match self {
            Self::Subject(Claim::Organization) => subject.organization_id.as_deref(),
            Self::Subject(Claim::Group) => subject.group_id.as_deref(),
            Self::Subject(Claim::Instance) => subject.instance_id.as_deref(),
            Self::Subject(Claim::Machine) => subject.machine_id.as_deref(),
            Self::Parameter(name) => parameters.get(name).map(String::as_str),
        };
        let value = value.ok_or_else(|| format!("expected {}, which its key pattern has a place for", self.name()))?;
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if (1..=VALUE_BYTES_MAX).contains(&value.len()) && value.bytes().all(fits) {
            return Ok(value);
        }
        Err(format!(
            "expected {} to be 1 to {VALUE_BYTES_MAX} letters, digits, hyphens, underscores and dots, as it becomes part of a key pattern",
            self.name()
        ))
    }

    fn name(&self) -> String {
        match self {
            Self::Subject(claim) => {
                let name = CLAIMS.iter().find(|(_, each)| each == claim).map_or("", |(name, _)| name);
                format!("the token's {name}")
            }
            Self::Parameter(name) => format!("the parameter {name}"),
        }
    }
}
