// SPDX-License-Identifier: Apache-2.0
//! AWS Signature Version 4 as the S3 API reference documents it, in the header and in the query.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use cress_domain::{Hex, Timestamp};

use super::http::{Request, percent_decoded, percent_encoded};

pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
pub(super) const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// What a signature says about itself.
#[derive(Debug)]
pub(super) struct Claimed {
    pub(super) access_key_id: String,
    /// `<date>/<region>/<service>/aws4_request`
    pub(super) scope: String,
    signed_headers: Vec<String>,
    signature: String,
    /// `20130524T000000Z`
    pub(super) moment: String,
    /// Seconds, for a signature in the query.
    pub(super) expires: Option<i64>,
    pub(super) session_token: Option<String>,
}

impl Claimed {
    /// None if there is no signature, or a malformed one.
    pub(super) fn of(request: &Request) -> Option<Self> {
        match request.header("authorization") {
            Some(header) => Self::in_header(request, header),
            None => Self::in_query(request),
        }
    }

    fn in_header(request: &Request, header: &str) -> Option<Self> {
        let parts = header.strip_prefix(ALGORITHM)?.trim();
        let part = |name: &str| parts.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='));
        let (access_key_id, scope) = part("Credential")?.split_once('/')?;
        Some(Self {
            access_key_id: access_key_id.to_owned(),
            scope: scope.to_owned(),
            signed_headers: part("SignedHeaders")?.split(';').map(str::to_owned).collect(),
            signature: part("Signature")?.to_owned(),
            moment: request.header("x-amz-date")?.to_owned(),
            expires: None,
            session_token: request.header("x-amz-security-token").map(str::to_owned),
        })
    }

    fn in_query(request: &Request) -> Option<Self> {
        let parameter = |name| request.parameter(name);
        parameter("X-Amz-Algorithm").filter(|algorithm| algorithm == ALGORITHM)?;
        let credential = parameter("X-Amz-Credential")?;
        let (access_key_id, scope) = credential.split_once('/')?;
        Some(Self {
            access_key_id: access_key_id.to_owned(),
            scope: scope.to_owned(),
            signed_headers: parameter("X-Amz-SignedHeaders")?.split(';').map(str::to_owned).collect(),
            signature: parameter("X-Amz-Signature")?,
            moment: parameter("X-Amz-Date")?,
            expires: Some(parameter("X-Amz-Expires")?.parse().ok()?),
            session_token: parameter("X-Amz-Security-Token"),
        })
    }

    /// When it was signed.
    pub(super) fn signed_at(&self) -> Option<Timestamp> {
        let at = |range: std::ops::Range<usize>| self.moment.get(range);
        let (date, time) = (at(0..8)?, at(9..15)?);
        let part = |text: &str, range: std::ops::Range<usize>| text.get(range).map(str::to_owned);
        let text = format!(
            "{}-{}-{}T{}:{}:{}Z",
            part(date, 0..4)?,
            part(date, 4..6)?,
            part(date, 6..8)?,
            part(time, 0..2)?,
            part(time, 2..4)?,
            part(time, 4..6)?
        );
        Timestamp::parse_rfc3339(&text).ok().filter(|_| self.scope.starts_with(date))
    }

    /// Whether the signature is this secret's, over this very request.
    pub(super) fn is_of(&self, request: &Request, secret_access_key: &str) -> bool {
        let payload = match (self.expires, request.header("x-amz-content-sha256")) {
            (Some(_), _) => UNSIGNED.to_owned(),
            (None, Some(UNSIGNED)) => UNSIGNED.to_owned(),
            (None, Some(said)) if said == sha256_hex(&request.body) => said.to_owned(),
            (None, _) => return false,
        };
        let signed_enough = self.signed_headers.iter().any(|name| name == "host")
            && request.headers.keys().all(|name| !name.starts_with("x-amz-") || self.signed_headers.contains(name));
        let canonical = canonical(request, &self.signed_headers, &payload);
        signed_enough && self.signature == signature(secret_access_key, &self.moment, &self.scope, &canonical)
    }
}

/// The canonical request.
pub(super) fn canonical(request: &Request, signed_headers: &[String], payload: &str) -> String {
    let path = percent_encoded(&percent_decoded(&request.path).unwrap_or_default(), true);
    let headers: String = signed_headers
        .iter()
        .map(|name| format!("{name}:{}\n", collapsed(request.header(name).unwrap_or_default())))
        .collect();
    let names = signed_headers.join(";");
    let query = canonical_query(request);
    [request.method.as_str(), &path, &query, &headers, &names, payload].join("\n")
}

fn canonical_query(request: &Request) -> String {
    let encoded = |text: &str| percent_encoded(&percent_decoded(text).unwrap_or_default(), false);
    let mut pairs: Vec<(String, String)> = request
        .query
        .iter()
        .map(|(name, value)| (encoded(name), encoded(value)))
        .filter(|(name, _)| name != "X-Amz-Signature")
        .collect();
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

fn collapsed(value: &str) -> String {
    value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

/// The signature over a canonical request.
pub(super) fn signature(secret_access_key: &str, moment: &str, scope: &str, canonical: &str) -> String {
    let to_sign = format!("{ALGORITHM}\n{moment}\n{scope}\n{}", sha256_hex(canonical.as_bytes()));
    let first = format!("AWS4{secret_access_key}").into_bytes();
    let key = scope.split('/').fold(first, |key, part| hmac_sha256(&key, part.as_bytes()));
    Hex(&hmac_sha256(&key, to_sign.as_bytes())).to_string()
}

pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    Hex(digest(&SHA256, bytes).as_ref()).to_string()
}

pub(super) fn hmac_sha256(key: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message).as_ref().to_vec()
}
