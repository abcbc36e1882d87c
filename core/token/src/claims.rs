// SPDX-License-Identifier: Apache-2.0
//! The claims of a token, from any issuer.

use cress_domain::{Issuer, Timestamp};
use serde_json::{Map, Value};

use crate::{Rejection, Workload, numeric_date};

/// The claims of a token (RFC 7519 section 4). The registered ones have been checked for their type; all are kept as
/// JSON. [`crate::Verified`] says that the rest has been checked too.
#[derive(Debug, Clone, PartialEq)]
pub struct Claims {
    issuer: Issuer,
    expires_at: Timestamp,
    not_before: Option<Timestamp>,
    issued_at: Option<Timestamp>,
    all: Map<String, Value>,
}

impl Claims {
    /// `iss`: who signed, as the rules demanded.
    #[must_use]
    pub const fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// `sub`: whom the token is about. On the reference platform the machine.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.text("sub")
    }

    /// `aud`: whom the token is meant for; none if it does not say.
    pub fn audiences(&self) -> impl Iterator<Item = &str> {
        audiences(&self.all)
    }

    /// `exp`: from this moment on the token is no good.
    #[must_use]
    pub const fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// `nbf`: before this moment the token is no good.
    #[must_use]
    pub const fn not_before(&self) -> Option<Timestamp> {
        self.not_before
    }

    /// `iat`: when the token was made.
    #[must_use]
    pub const fn issued_at(&self) -> Option<Timestamp> {
        self.issued_at
    }

    /// `jti`: the token's own id.
    #[must_use]
    pub fn token_id(&self) -> Option<&str> {
        self.text("jti")
    }

    /// Any claim by its name.
    #[must_use]
    pub fn claim(&self, name: &str) -> Option<&Value> {
        self.all.get(name)
    }

    /// All claims.
    #[must_use]
    pub const fn as_map(&self) -> &Map<String, Value> {
        &self.all
    }

    /// The workload that the token identifies; nothing if a claim of it is absent or malformed.
    #[must_use]
    pub fn workload(&self) -> Option<Workload> {
        Workload::of(self)
    }

    /// Checks that the registered claims have the types of RFC 7519 section 4.1. A signature does not excuse a wrong
    /// type: it would be read differently elsewhere.
    pub(crate) fn parse(issuer: &Issuer, all: Map<String, Value>) -> Result<Self, Rejection> {
        for name in ["sub", "jti"] {
            if all.get(name).is_some_and(|value| !value.is_string()) {
                return Err(Rejection::claim_type(name, "a text"));
            }
        }
        if all.get("aud").is_some_and(|value| !is_audience(value)) {
            return Err(Rejection::claim_type("aud", "a text or a list of texts"));
        }
        Ok(Self {
            issuer: issuer.clone(),
            expires_at: time(&all, "exp")?.ok_or_else(|| Rejection::claim_missing("exp"))?,
            not_before: time(&all, "nbf")?,
            issued_at: time(&all, "iat")?,
            all,
        })
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.all.get(name).and_then(Value::as_str)
    }
}

/// The audiences in `aud`, whether it is one text or a list.
fn audiences(all: &Map<String, Value>) -> impl Iterator<Item = &str> {
    let value = all.get("aud");
    let list = value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    value.and_then(Value::as_str).into_iter().chain(list.iter().filter_map(Value::as_str))
}

fn is_audience(value: &Value) -> bool {
    value.is_string() || value.as_array().is_some_and(|list| list.iter().all(Value::is_string))
}

fn time(all: &Map<String, Value>, name: &'static str) -> Result<Option<Timestamp>, Rejection> {
    all.get(name)
        .map(|value| {
            numeric_date::parse(value).ok_or(Rejection::claim_type(name, "seconds since 1970, up to the year 9999"))
        })
        .transpose()
}
