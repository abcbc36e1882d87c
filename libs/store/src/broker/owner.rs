// SPDX-License-Identifier: Apache-2.0
//! Whose a lease is.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use cress_domain::{Hex, Issuer};

/// Whose a lease is: who may renew and end it. Ids are what an issuer's tokens say, and mean nothing with another issuer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Owner {
    /// One instance.
    Instance {
        /// Who says so.
        issuer: Issuer,
        /// Its id.
        instance_id: String,
    },
    /// The replicas of a container group on one machine, where tokens carry no id of an instance.
    Replicas {
        /// Who says so.
        issuer: Issuer,
        /// The machine's id.
        machine_id: String,
        /// The container group's id.
        group_id: String,
    },
    /// A subject, where tokens carry neither.
    Subject {
        /// Who says so.
        issuer: Issuer,
        /// `sub`.
        subject: String,
    },
    /// All instances of a container group, which share the credential.
    Group {
        /// Who says so.
        issuer: Issuer,
        /// The container group's id.
        group_id: String,
    },
}

impl Owner {
    /// Who says so.
    #[must_use]
    pub const fn issuer(&self) -> &Issuer {
        match self {
            Self::Instance { issuer, .. }
            | Self::Replicas { issuer, .. }
            | Self::Subject { issuer, .. }
            | Self::Group { issuer, .. } => issuer,
        }
    }

    /// The kind, as a word.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Instance { .. } => "instance",
            Self::Replicas { .. } => "replicas",
            Self::Subject { .. } => "subject",
            Self::Group { .. } => "group",
        }
    }

    /// The id, as the database has it.
    pub(super) fn id(&self) -> String {
        match self {
            Self::Instance { instance_id, .. } => stored_id(instance_id),
            // The length says where the first id ends, whatever is in it.
            Self::Replicas { machine_id, group_id, .. } => {
                stored_id(&format!("{}:{machine_id}{group_id}", machine_id.len()))
            }
            Self::Subject { subject, .. } => stored_id(subject),
            Self::Group { group_id, .. } => stored_id(group_id),
        }
    }
}

/// In words, such as `instance 87659e43-19b0-4338-b3cc-d0a303c72af6`.
impl fmt::Display for Owner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.kind(), self.id())
    }
}

/// Longer ids are stored as their hash: an index takes no long text.
const ID_BYTES_MAX: usize = 128;
/// Before a hash in the place of an id.
const HASHED: char = '#';

/// An id that somebody else chose, so that every engine takes it, no two of them become one, and none looks like another's hash.
pub(super) fn stored_id(id: &str) -> String {
    let plain = id.len() <= ID_BYTES_MAX && !id.starts_with(HASHED) && id.chars().all(|one| !one.is_control());
    if plain { id.to_owned() } else { format!("{HASHED}{}", Hex(digest(&SHA256, id.as_bytes()).as_ref())) }
}

/// The longest text of an error that is kept, in characters.
const ERROR_CHARACTERS_MAX: usize = 500;

/// What a target said, so that every engine takes it and every terminal may show it.
pub(super) fn told(text: &str) -> String {
    text.chars().map(|one| if one.is_control() { ' ' } else { one }).take(ERROR_CHARACTERS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replicas(machine_id: &str, group_id: &str) -> Owner {
        let issuer = "https://issuer.example".parse().unwrap();
        Owner::Replicas { issuer, machine_id: machine_id.into(), group_id: group_id.into() }
    }

    #[test]
    fn no_two_owners_have_one_id() {
        let long = "x".repeat(ID_BYTES_MAX + 1);
        let hashed = stored_id(&long);
        assert_ne!(stored_id(&hashed), hashed, "a chosen id looks like a hash");
        assert!(!stored_id("a\0b").contains('\0'));
        assert_ne!(replicas("a", "bc").id(), replicas("ab", "c").id());
        assert_ne!(replicas("1:a", "b").id(), replicas("1", ":ab").id());
    }
}
