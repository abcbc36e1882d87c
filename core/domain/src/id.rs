// SPDX-License-Identifier: Apache-2.0
//! Ids of the fleet's objects: lower-case, hyphenated UUIDs, each kind a type of its own.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::{Random, Timestamp};

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

/// Milliseconds in the first bytes of a UUID version 7 (RFC 9562 section 5.7).
const TIME_BYTES: usize = 6;

impl LeaseId {
    /// Makes a fresh id (UUID version 7, RFC 9562): the time of its grant, then 74 random bits, so that nobody can guess it. Rising ids keep
    /// the index of a large store small where it is written, and an account whose lease is unknown tells when it was made.
    pub fn generate_at(granted_at: Timestamp, random: &dyn Random) -> Self {
        let mut bytes = [0; 10];
        random.fill(&mut bytes);
        let milliseconds = u64::try_from(granted_at.unix_microseconds() / 1_000).unwrap_or(0);
        Self(uuid::Builder::from_unix_timestamp_millis(milliseconds, &bytes).into_uuid())
    }

    /// When it was granted, in whole milliseconds, if the id tells.
    #[must_use]
    pub fn granted_at(&self) -> Option<Timestamp> {
        let milliseconds =
            self.as_bytes().iter().take(TIME_BYTES).fold(0, |sum: i64, byte| (sum << 8) | i64::from(*byte));
        (self.0.get_version_num() == 7).then(|| Timestamp::from_unix_microseconds(milliseconds * 1_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_tells_when_it_was_granted_and_cannot_be_guessed() {
        struct Ones;
        impl Random for Ones {
            fn fill(&self, bytes: &mut [u8]) {
                bytes.fill(0xff);
            }
        }
        let at = Timestamp::from_unix_microseconds(1_742_403_591_002_009);
        let lease = LeaseId::generate_at(at, &Ones);
        assert_eq!(lease.granted_at(), Some(Timestamp::from_unix_microseconds(1_742_403_591_002_000)));
        assert_eq!(lease.to_string(), "0195af58-db5a-7fff-bfff-ffffffffffff");
        assert!(lease < LeaseId::generate_at(at + std::time::Duration::from_millis(1), &Ones));
        assert_eq!(LeaseId::generate(&Ones).granted_at(), None);
    }

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
