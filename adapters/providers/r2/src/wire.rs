// SPDX-License-Identifier: Apache-2.0
//! A temporary credential, derived as R2 documents it under "temporary credentials, locally": a JWT signed with HS256 by the parent's
//! secret access key says what is allowed; the secret access key is its SHA-256, and the session token is the JWT itself.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use cress_domain::{Hex, Secret, Timestamp};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::paths::Reach;
use crate::permission::Permission;

/// Longest life that R2 grants: a week.
pub(crate) const LIFE_SECONDS_MAX: i64 = 604_800;

const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

/// What a credential says.
#[derive(Debug)]
pub(crate) struct Terms<'a> {
    pub(crate) account: &'a str,
    pub(crate) audience: &'a str,
    pub(crate) parent_access_key_id: &'a str,
    pub(crate) bucket: &'a str,
    pub(crate) permission: Permission,
    pub(crate) reach: &'a Reach,
    pub(crate) issued_at: Timestamp,
    pub(crate) expires_at: Timestamp,
}

/// What is derived. The access key's id is the parent's.
pub(crate) struct Derived {
    pub(crate) secret_access_key: Secret<String>,
    pub(crate) session_token: Secret<String>,
}

#[derive(Serialize)]
struct Claims<'a> {
    sub: &'a str,
    iss: &'a str,
    aud: &'a str,
    iat: i64,
    exp: i64,
    bucket: &'a str,
    scope: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    paths: Option<Paths<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Paths<'a> {
    prefix_paths: &'a [String],
    object_paths: &'a [String],
}

/// None if the claims cannot be written, which texts always can.
pub(crate) fn derive(terms: &Terms<'_>, parent_secret: &Secret<String>) -> Option<Derived> {
    let jwt = signed(&serde_json::to_string(&claims(terms)).ok()?, parent_secret);
    let secret_access_key = Secret::new(Hex(digest(&SHA256, jwt.as_bytes()).as_ref()).to_string());
    let session_token = Secret::new(STANDARD.encode(Zeroizing::new(format!("jwt/{}", *jwt)).as_bytes()));
    Some(Derived { secret_access_key, session_token })
}

fn claims<'a>(terms: &Terms<'a>) -> Claims<'a> {
    let Reach { prefixes, objects } = terms.reach;
    let everything = prefixes.is_empty() && objects.is_empty();
    Claims {
        sub: terms.account,
        iss: terms.parent_access_key_id,
        aud: terms.audience,
        iat: terms.issued_at.unix_seconds(),
        exp: terms.expires_at.unix_seconds(),
        bucket: terms.bucket,
        scope: terms.permission.as_str(),
        paths: (!everything).then_some(Paths { prefix_paths: prefixes, object_paths: objects }),
    }
}

/// A compact JWS (RFC 7515 section 3.1). The derived secret hangs on these very bytes.
fn signed(claims: &str, secret: &Secret<String>) -> Zeroizing<String> {
    let mut jwt = Zeroizing::new(String::with_capacity(4 * (HEADER.len() + claims.len()) / 3 + 64));
    URL_SAFE_NO_PAD.encode_string(HEADER, &mut jwt);
    jwt.push('.');
    URL_SAFE_NO_PAD.encode_string(claims, &mut jwt);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes()), jwt.as_bytes());
    jwt.push('.');
    URL_SAFE_NO_PAD.encode_string(tag.as_ref(), &mut jwt);
    jwt
}
