// SPDX-License-Identifier: Apache-2.0
//! Which objects of a bucket: prefixes and keys, perhaps with a workload's ids in them, and what a workload may narrow them to.
//!
//! R2 compares a prefix as bytes, so `a` covers `a/b` and also `ab`; nothing here gives `/`, `..` or `*` a meaning.

use std::fmt;
use std::str::FromStr;

use cress_provider::{ProviderError, Subject};

use crate::error;

/// Longest key of an object (S3's limit).
pub(crate) const KEY_BYTES_MAX: usize = 1_024;
/// Longest id that goes into a key.
const ID_BYTES_MAX: usize = 128;

/// A prefix or a key with ids to be filled in, such as `tenants/{organization_id}/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Id(IdName),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IdName {
    Organization,
    Group,
    Instance,
    Machine,
}

/// A text that is no template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TemplateError(String);

impl IdName {
    const ALL: [Self; 4] = [Self::Organization, Self::Group, Self::Instance, Self::Machine];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Organization => "organization_id",
            Self::Group => "group_id",
            Self::Instance => "instance_id",
            Self::Machine => "machine_id",
        }
    }

    fn of(self, subject: &Subject) -> Option<&str> {
        match self {
            Self::Organization => subject.organization_id.as_deref(),
            Self::Group => subject.group_id.as_deref(),
            Self::Instance => subject.instance_id.as_deref(),
            Self::Machine => subject.machine_id.as_deref(),
        }
    }
}

impl Template {
    /// With this workload's ids.
    pub(crate) fn filled(&self, subject: &Subject) -> Result<String, ProviderError> {
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(piece) => text.push_str(piece),
                Piece::Id(name) => text.push_str(id(*name, subject)?),
            }
        }
        Ok(text)
    }
}

/// An id goes into a key only if it is one word, so that no id reaches into what is another's.
fn id(name: IdName, subject: &Subject) -> Result<&str, ProviderError> {
    let id = name.of(subject).ok_or_else(|| error::no_id(name.as_str()))?;
    let word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if (1..=ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(word) {
        Ok(id)
    } else {
        Err(error::bad_id(name.as_str()))
    }
}

impl FromStr for Template {
    type Err = TemplateError;
    fn from_str(text: &str) -> Result<Self, TemplateError> {
        let refuse = |what: &str| {
            let names = IdName::ALL.map(IdName::as_str).join(", ");
            TemplateError(format!(
                "expected 1 to {KEY_BYTES_MAX} bytes without control characters, with ids of the workload as {{{names}}} where they \
                 are wanted, got {what} in {text:?}"
            ))
        };
        if text.is_empty() || text.len() > KEY_BYTES_MAX || text.chars().any(char::is_control) {
            return Err(refuse("something else"));
        }
        let (mut pieces, mut rest) = (Vec::new(), text);
        while let Some((before, after)) = rest.split_once('{') {
            let (name, behind) = after.split_once('}').ok_or_else(|| refuse("an open brace"))?;
            let name = IdName::ALL.into_iter().find(|known| known.as_str() == name);
            let name = name.ok_or_else(|| refuse("another name in braces"))?;
            if before.contains('}') {
                return Err(refuse("a closing brace"));
            }
            pieces.push(Piece::Text(before.to_owned()));
            pieces.push(Piece::Id(name));
            rest = behind;
        }
        if rest.contains('}') {
            return Err(refuse("a closing brace"));
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Ok(Self(pieces))
    }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What a credential reaches: everything in its bucket if both are empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Reach {
    pub(crate) prefixes: Vec<String>,
    pub(crate) objects: Vec<String>,
}

impl Reach {
    fn is_everything(&self) -> bool {
        self.prefixes.is_empty() && self.objects.is_empty()
    }

    /// Whether every key that begins so is reached.
    fn covers_prefix(&self, prefix: &str) -> bool {
        self.is_everything() || self.prefixes.iter().any(|own| prefix.starts_with(own))
    }

    fn covers_object(&self, key: &str) -> bool {
        self.covers_prefix(key) || self.objects.iter().any(|own| own == key)
    }

    /// Less, as a workload asks for it: one prefix, or one object.
    pub(crate) fn narrowed(self, prefix: Option<&str>, object: Option<&str>) -> Result<Self, ProviderError> {
        let key = |text: &str| (1..=KEY_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control);
        match (prefix, object) {
            (None, None) => Ok(self),
            (Some(_), Some(_)) => Err(error::parameter("expected a prefix or an object, got both")),
            (Some(prefix), None) if key(prefix) && self.covers_prefix(prefix) => {
                Ok(Self { prefixes: vec![prefix.to_owned()], objects: Vec::new() })
            }
            (None, Some(object)) if key(object) && self.covers_object(object) => {
                Ok(Self { prefixes: Vec::new(), objects: vec![object.to_owned()] })
            }
            (Some(_), None) => Err(error::parameter("expected a prefix within what the credential reaches")),
            (None, Some(_)) => Err(error::parameter("expected an object within what the credential reaches")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(organization: &str) -> Subject {
        Subject {
            issuer: "https://issuer.example".parse().unwrap(),
            subject: None,
            organization_id: Some(organization.to_owned()),
            group_id: Some("g-1".to_owned()),
            instance_id: None,
            machine_id: None,
        }
    }

    #[test]
    fn ids_are_filled_in_if_they_are_words() {
        let template: Template = "t/{organization_id}/{group_id}/x".parse().unwrap();
        assert_eq!(template.filled(&subject("acme")).unwrap(), "t/acme/g-1/x");
        for bad in ["", "a/b", "..", "a b", "*", "a+b", "a,b", "\u{fc}", "a%2f", "{x}", &"x".repeat(129)] {
            assert!(template.filled(&subject(bad)).is_err(), "{bad:?} was accepted");
        }
        let absent: Template = "{instance_id}".parse().unwrap();
        assert!(absent.filled(&subject("acme")).is_err());
        for bad in ["", "a\nb", "{organization}", "{", "}", "a}b{group_id}", "{{group_id}}", &"x".repeat(1025)] {
            assert!(bad.parse::<Template>().is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn a_reach_only_gets_smaller() {
        let reach = || Reach { prefixes: vec!["a/b/".to_owned()], objects: vec!["c/d".to_owned()] };
        let narrowed = |reach: Reach, prefix, object| reach.narrowed(prefix, object).ok();
        let only = |prefixes: &[&str], objects: &[&str]| {
            let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
            Some(Reach { prefixes: owned(prefixes), objects: owned(objects) })
        };
        assert_eq!(narrowed(reach(), None, None), Some(reach()));
        assert_eq!(narrowed(reach(), Some("a/b/"), None), only(&["a/b/"], &[]));
        assert_eq!(narrowed(reach(), Some("a/b/c"), None), only(&["a/b/c"], &[]));
        assert_eq!(narrowed(reach(), None, Some("a/b/c")), only(&[], &["a/b/c"]));
        assert_eq!(narrowed(reach(), None, Some("c/d")), only(&[], &["c/d"]));
        assert_eq!(narrowed(Reach::default(), Some("anything"), None), only(&["anything"], &[]));
        for prefix in ["", "a", "a/b", "a/", "A/b/", "/a/b/", "c/d", "*", "a/../a/b/", "a/b/\n"] {
            assert_eq!(narrowed(reach(), Some(prefix), None), None, "{prefix:?}");
        }
        for object in ["", "a/b", "c/d/", "c/de", "c/", "e", "a/b/\0"] {
            assert_eq!(narrowed(reach(), None, Some(object)), None, "{object:?}");
        }
        assert_eq!(narrowed(reach(), Some("a/b/c"), Some("a/b/c")), None);
        for bad in ["", "a\nb", &"x".repeat(1025)] {
            assert_eq!(narrowed(Reach::default(), Some(bad), None), None, "{bad:?}");
        }
    }
}
