// SPDX-License-Identifier: Apache-2.0
//! The header of a signed token.

use cress_domain::KeyId;
use serde_json::{Map, Value};

use crate::json::{parse_object, shown};
use crate::{Algorithm, JwsError};

/// What a header says, as far as it is acted upon (RFC 7515 section 4.1). Written by whoever made the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    algorithm: Algorithm,
    kid: Option<KeyId>,
    typ: Option<String>,
}

impl Header {
    /// The algorithm that the token claims to be signed with. A key checks that it is its own.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key that the token claims to be signed with.
    #[must_use]
    pub const fn kid(&self) -> Option<&KeyId> {
        self.kid.as_ref()
    }

    /// The type of the token, such as `JWT`.
    #[must_use]
    pub fn typ(&self) -> Option<&str> {
        self.typ.as_deref()
    }

    /// Parses a decoded header. Members that are not acted upon are ignored (RFC 7515 section 4), except `crit`,
    /// which says that some of them must not be.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, JwsError> {
        let mut members = parse_object(bytes).map_err(JwsError::HeaderJson)?;
        if members.contains_key("crit") {
            return Err(JwsError::Critical);
        }
        Ok(Self { algorithm: algorithm(&members)?, kid: kid(&mut members)?, typ: typ(&mut members)? })
    }
}

fn algorithm(members: &Map<String, Value>) -> Result<Algorithm, JwsError> {
    match members.get("alg") {
        Some(Value::String(name)) => name.parse().map_err(JwsError::Algorithm),
        Some(_) => Err(JwsError::HeaderMember("alg")),
        None => Err(JwsError::AlgorithmMissing),
    }
}

fn kid(members: &mut Map<String, Value>) -> Result<Option<KeyId>, JwsError> {
    match members.remove("kid") {
        Some(Value::String(text)) => text.try_into().map(Some).map_err(JwsError::KeyId),
        Some(_) => Err(JwsError::HeaderMember("kid")),
        None => Ok(None),
    }
}

fn typ(members: &mut Map<String, Value>) -> Result<Option<String>, JwsError> {
    match members.remove("typ") {
        Some(Value::String(text)) if shown(&text) == text => Ok(Some(text)),
        Some(_) => Err(JwsError::HeaderMember("typ")),
        None => Ok(None),
    }
}
