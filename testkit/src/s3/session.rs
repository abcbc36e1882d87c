// SPDX-License-Identifier: Apache-2.0
//! R2's temporary credentials: the session token says what is allowed, and the secret follows from it.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use cress_domain::Timestamp;
use serde_json::Value;

use super::signature::{hmac_sha256, sha256_hex};

/// What R2 grants at most, in seconds.
const LIFE_MAX: i64 = 604_800;

/// What a session token allows.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) secret_access_key: String,
    bucket: String,
    scope: Scope,
    prefixes: Vec<String>,
    objects: Vec<String>,
}

#[derive(Debug, Clone, Copy)]
struct Scope {
    admin: bool,
    writes: bool,
}

/// What a request wants to do.
#[derive(Debug)]
pub(super) enum Action<'a> {
    ReadObject(&'a str),
    WriteObject(&'a str),
    List(&'a str),
    ReadBucket,
    WriteBucket,
}

impl Session {
    /// The session of this token, if its parent signed it for this account and it is valid now.
    pub(super) fn open(
        session_token: &str,
        account: &str,
        parent_access_key_id: &str,
        parent_secret: &str,
        now: Timestamp,
    ) -> Option<Self> {
        let decoded = String::from_utf8(STANDARD.decode(session_token).ok()?).ok()?;
        let jwt = decoded.strip_prefix("jwt/")?;
        let (signed, signature) = jwt.rsplit_once('.')?;
        if URL_SAFE_NO_PAD.decode(signature).ok()? != hmac_sha256(parent_secret.as_bytes(), signed.as_bytes()) {
            return None;
        }
        let (header, claims) = signed.split_once('.')?;
        let parse = |part: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).ok()?).ok();
        let (header, claims) = (parse(header)?, parse(claims)?);
        let text = |path: &str| claims.pointer(path).and_then(Value::as_str);
        let is = |path: &str, expected: &str| text(path) == Some(expected);
        let audience = format!("{account}.r2.cloudflarestorage.com");
        let good = header.get("alg").and_then(Value::as_str) == Some("HS256")
            && is("/sub", account)
            && is("/iss", parent_access_key_id)
            && is("/aud", &audience)
            && is_valid_at(&claims, now)?;
        let session = Self {
            secret_access_key: sha256_hex(jwt.as_bytes()),
            bucket: text("/bucket")?.to_owned(),
            scope: Scope::parse(text("/scope")?)?,
            prefixes: texts(claims.pointer("/paths/prefixPaths"))?,
            objects: texts(claims.pointer("/paths/objectPaths"))?,
        };
        good.then_some(session)
    }

    pub(super) fn allows(&self, bucket: &str, action: &Action<'_>) -> bool {
        let everything = self.prefixes.is_empty() && self.objects.is_empty();
        let begins = |text: &str| self.prefixes.iter().any(|prefix| text.starts_with(prefix.as_str()));
        let reached = |key: &str| everything || begins(key) || self.objects.iter().any(|own| own == key);
        bucket == self.bucket
            && match action {
                Action::ReadObject(key) => reached(key),
                Action::WriteObject(key) => self.scope.writes && reached(key),
                Action::List(prefix) => everything || begins(prefix),
                Action::ReadBucket => self.scope.admin && everything,
                Action::WriteBucket => self.scope.admin && self.scope.writes && everything,
            }
    }
}

fn is_valid_at(claims: &Value, now: Timestamp) -> Option<bool> {
    let number = |path: &str| claims.pointer(path).and_then(Value::as_i64);
    let (iat, exp, now) = (number("/iat")?, number("/exp")?, now.unix_seconds());
    Some(iat < exp && exp - iat <= LIFE_MAX && iat <= now && now < exp)
}

/// A list of texts; an absent one is empty.
fn texts(value: Option<&Value>) -> Option<Vec<String>> {
    match value {
        None => Some(Vec::new()),
        Some(Value::Array(texts)) => texts.iter().map(|text| text.as_str().map(str::to_owned)).collect(),
        Some(_) => None,
    }
}

impl Scope {
    fn parse(text: &str) -> Option<Self> {
        let (admin, writes) = match text {
            "admin-read-write" => (true, true),
            "admin-read-only" => (true, false),
            "object-read-write" => (false, true),
            "object-read-only" => (false, false),
            _ => return None,
        };
        Some(Self { admin, writes })
    }
}
