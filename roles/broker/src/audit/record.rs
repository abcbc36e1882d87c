// SPDX-License-Identifier: Apache-2.0
//! What is recorded: who asked for or did what, what came of it, and why. Nothing in a record is secret: what is secret is there as a
//! keyed hash, so that whoever has it can find it again, and nobody else can.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;

use cress_domain::{CredentialName, Issuer, LeaseId, ProviderName, Timestamp};
use cress_provider::Subject;
use serde::{Serialize, Serializer};

use super::KeyedHash;

/// Longest explanation that a record keeps, in bytes. The rest is left out: the log of the process has it.
pub const DETAIL_BYTES_MAX: usize = 500;

/// One decision, or one thing done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Record {
    /// When.
    #[serde(serialize_with = "moment")]
    pub at: Timestamp,
    /// What was asked for or done.
    pub event: Event,
    /// What came of it, and why.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Who asked.
    pub who: Who,
    /// What it was about.
    #[serde(flatten)]
    pub what: What,
    /// The policies that decided, by their `@id`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<String>,
    /// Where the request came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_address: Option<IpAddr>,
}

/// What was asked for or done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub enum Event {
    /// A token was shown that is not good, so that nothing else was decided.
    #[serde(rename = "token.check")]
    TokenCheck,
    /// A credential was asked for.
    #[serde(rename = "credential.issue")]
    Issue,
    /// A lease's renewal was asked for.
    #[serde(rename = "lease.renew")]
    Renew,
    /// A lease's revocation was asked for, by its owner or an operator.
    #[serde(rename = "lease.revoke")]
    Revoke,
    /// A lease came to its end by itself.
    #[serde(rename = "lease.expire")]
    Expire,
    /// What a revoked or expired lease had left at its target was removed.
    #[serde(rename = "lease.gone")]
    Gone,
    /// A stored secret was written or retired.
    #[serde(rename = "secret.change")]
    SecretChange,
    /// A key was made, changed or retired.
    #[serde(rename = "key.change")]
    KeyChange,
    /// The configuration was read anew.
    #[serde(rename = "config.reload")]
    Reload,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum Outcome {
    /// It was permitted and done.
    Done,
    /// It was refused.
    Refused(Reason),
    /// It was permitted, and failed.
    Failed(Reason),
}

/// Why it was refused, or failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// A stable code, as in the answer.
    #[serde(rename = "reason")]
    code: Cow<'static, str>,
    /// In words.
    #[serde(skip_serializing_if = "String::is_empty")]
    detail: String,
}

/// Who asked or did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Who {
    /// A workload whose token was verified.
    Workload(Box<Workload>),
    /// Someone whose token was not good: nothing that it says is recorded.
    Unverified {
        /// The token, as a keyed hash.
        #[serde(skip_serializing_if = "Option::is_none")]
        token: Option<KeyedHash>,
    },
    /// An operator.
    Operator,
    /// The broker by itself: a lease has ended.
    Broker,
}

/// A workload, from the claims of its verified token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Workload {
    issuer: Issuer,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    organization_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    machine_id: Option<String>,
    /// `jti`.
    #[serde(skip_serializing_if = "Option::is_none")]
    token_id: Option<String>,
    /// The token itself, as a keyed hash.
    token: KeyedHash,
}

/// What it was about. What is not known, or makes no sense for an event, is left out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct What {
    /// Which credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<CredentialName>,
    /// Of which provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<ProviderName>,
    /// Which lease.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease: Option<LeaseId>,
    /// How long a life was asked for, or is decided, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<u32>,
    /// When the lease ends.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "moment_if_any")]
    pub expires_at: Option<Timestamp>,
    /// What else was asked for: names and values.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
    /// What was given out, by the credential's fields: each secret as a keyed hash.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, KeyedHash>,
    /// How many leases, where an operator names several at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// What else was named, such as a stored secret or the key of a ring.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Record {
    /// A record of something that was done.
    #[must_use]
    pub const fn done(at: Timestamp, event: Event, who: Who, what: What) -> Self {
        Self { at, event, outcome: Outcome::Done, who, what, policies: Vec::new(), source_address: None }
    }

    /// A record of something that was refused.
    #[must_use]
    pub const fn refused(at: Timestamp, event: Event, who: Who, what: What, reason: Reason) -> Self {
        let outcome = Outcome::Refused(reason);
        Self { at, event, outcome, who, what, policies: Vec::new(), source_address: None }
    }

    /// A record of something that was permitted and failed.
    #[must_use]
    pub const fn failed(at: Timestamp, event: Event, who: Who, what: What, reason: Reason) -> Self {
        let outcome = Outcome::Failed(reason);
        Self { at, event, outcome, who, what, policies: Vec::new(), source_address: None }
    }

    /// Decided by these policies.
    #[must_use]
    pub fn by_policies(mut self, policies: &[String]) -> Self {
        self.policies = policies.to_vec();
        self
    }

    /// Asked for from this address.
    #[must_use]
    pub const fn from_address(mut self, address: Option<IpAddr>) -> Self {
        self.source_address = address;
        self
    }
}

impl Who {
    /// A workload with the id (`jti`) and the keyed hash of its token.
    #[must_use]
    pub fn workload(subject: &Subject, token_id: Option<&str>, token: KeyedHash) -> Self {
        let Subject { issuer, subject, organization_id, group_id, instance_id, machine_id } = subject.clone();
        let token_id = token_id.map(str::to_owned);
        let workload =
            Workload { issuer, subject, organization_id, group_id, instance_id, machine_id, token_id, token };
        Self::Workload(Box::new(workload))
    }
}

impl Reason {
    /// A reason of this code. The words must hold no secret; more than [`DETAIL_BYTES_MAX`] of them are cut.
    pub fn new(code: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        let mut detail = detail.into();
        detail.truncate(detail.floor_char_boundary(DETAIL_BYTES_MAX));
        Self { code: code.into(), detail }
    }
}

fn moment<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.rfc3339_seven_digits())
}

fn moment_if_any<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => moment(at, serializer),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_one_flat_object() {
        let subject = Subject {
            issuer: "https://issuer.example".parse().unwrap(),
            subject: None,
            organization_id: None,
            group_id: Some("g\n\"1".to_owned()),
            instance_id: None,
            machine_id: None,
        };
        let who = Who::workload(&subject, Some("t-1"), KeyedHash::from_bytes([0xab; 32]));
        let what = What { credential: Some("cache-rw".parse().unwrap()), ttl_seconds: Some(300), ..What::default() };
        let reason = Reason::new("policy-forbids", "x".repeat(1_000));
        let record = Record::refused(Timestamp::from_unix_seconds(1_700_000_000), Event::Issue, who, what, reason)
            .by_policies(&["night".to_owned()])
            .from_address(Some([127, 0, 0, 1].into()));
        let text = serde_json::to_string(&record).unwrap();
        let hash = "ab".repeat(32);
        let detail = "x".repeat(DETAIL_BYTES_MAX);
        assert_eq!(
            text,
            format!(
                r#"{{"at":"2023-11-14T22:13:20.0000000Z","event":"credential.issue","outcome":"refused","reason":"policy-forbids","detail":"{detail}","who":{{"kind":"workload","issuer":"https://issuer.example","group_id":"g\n\"1","token_id":"t-1","token":"{hash}"}},"credential":"cache-rw","ttl_seconds":300,"policies":["night"],"source_address":"127.0.0.1"}}"#
            )
        );
    }
}
