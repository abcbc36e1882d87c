// SPDX-License-Identifier: Apache-2.0
//! Ids of the fleet's objects: lower-case, hyphenated UUIDs, each kind a type of its own.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::Random;

/// A text that is no id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a lower-case UUID such as 2c3573b6-88de-4067-821f-1af088bd9c6a as the {kind} id")]
pub struct IdError {
    kind: &'static str,
}

/// Accepts the canonical form only, so that one id has exactly one spelling.
fn parse(text: &str, kind: &'static str) -> Result<Uuid, IdError> {
    let uuid = Uuid::try_parse(text).map_err(|_| IdError { kind })?;
    let mut buffer = Uuid::encode_buffer();
    if uuid.hyphenated().encode_lower(&mut buffer) == text { Ok(uuid) } else { Err(IdError { kind }) }
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident, $kind:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// Makes a fresh id (UUID version 4).
            pub fn generate(random: &dyn Random) -> Self {
                let mut bytes = [0; 16];
                random.fill(&mut bytes);
                Self(uuid::Builder::from_random_bytes(bytes).into_uuid())
            }

            /// The id of these 16 bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// The 16 bytes of the id, in network order.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(formatter)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, "{}({})", stringify!($name), self.0.as_hyphenated())
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                parse(text, $kind).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut buffer = Uuid::encode_buffer();
                serializer.serialize_str(self.0.hyphenated().encode_lower(&mut buffer))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

ids! {
    /// An organization: the tenant, and the default audience of its tokens.
    OrganizationId, "organization";
    /// A project of an organization.
    ProjectId, "project";
    /// A container group: a definition with N replicas, called "workload" in tokens.
    ContainerGroupId, "container group";
    /// One running replica: new at each placement and recreate, kept by a restart.
    InstanceId, "instance";
    /// A node of the fleet, called "machine" in tokens.
    MachineId, "machine";
    /// A join token that enrols one node.
    JoinTokenId, "join token";
    /// The `jti` of one token.
    TokenId, "token";
    /// A credential given out by the broker. Cannot be guessed, and is of no use to anyone but its owner.
    LeaseId, "lease";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_spelling_is_an_id() {
        let text = "2c3573b6-88de-4067-821f-1af088bd9c6a";
        assert_eq!(text.parse::<InstanceId>().unwrap().to_string(), text);
        for bad in [
            "",
            "2C3573B6-88DE-4067-821F-1AF088BD9C6A",
            "2c3573b688de4067821f1af088bd9c6a",
            "{2c3573b6-88de-4067-821f-1af088bd9c6a}",
            "urn:uuid:2c3573b6-88de-4067-821f-1af088bd9c6a",
            "2c3573b6-88de-4067-821f-1af088bd9c6a ",
        ] {
            assert!(bad.parse::<InstanceId>().is_err(), "{bad:?} was accepted");
        }
    }
}
