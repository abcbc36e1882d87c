// SPDX-License-Identifier: Apache-2.0
//! The contents of the files. Nothing here touches a disk.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::ensure;
use cress_domain::{KeyId, Timestamp};
use cress_jose::{Algorithm, Jwk, JwkSet};

use super::file_name;
use super::signer::Choice;

/// A JSON Web Key Set.
pub(super) fn jwks(set: &JwkSet) -> String {
    set.to_json() + "\n"
}

/// The one key that signs.
pub(super) fn jwk(set: &JwkSet, choice: &Choice, now: Timestamp) -> anyhow::Result<String> {
    Ok(serde_json::to_string(choice.key(set, now)?)? + "\n")
}

/// All keys, in their published order.
pub(super) fn pem(set: &JwkSet) -> String {
    set.keys().iter().map(Jwk::to_spki_pem).collect()
}

/// The names of the keys' files in the directory, with their contents.
pub(super) fn pem_files(set: &JwkSet) -> Vec<(String, String)> {
    let file = |key: &Jwk| key.kid().map(|kid| (pem_name(kid), key.to_spki_pem()));
    set.keys().iter().filter_map(file).collect()
}

/// A line for each key: its id, and the path of its file.
pub(super) fn haproxy_map(set: &JwkSet, directory: &Path) -> anyhow::Result<String> {
    let keys = haproxy_keys(set, directory)?;
    Ok(keys.iter().fold(String::new(), |mut text, key| {
        // Writing to a text does not fail.
        let _written = writeln!(text, "{} {}", key.kid, key.file.display());
        text
    }))
}

const HAPROXY_CONFIG_HEAD: &str = "\
# Made by cress jwks sync; do not edit.
# HAProxy verifies only with files that it has read at its start, and reads those that a jwt_verify of its configuration names.
# Nothing is ever sent to this backend.
backend cress_jwt_keys
    mode http
";

/// A backend that nobody uses, whose rules name each key's file.
pub(super) fn haproxy_config(set: &JwkSet, directory: &Path) -> anyhow::Result<String> {
    let mut text = HAPROXY_CONFIG_HEAD.to_owned();
    for key in haproxy_keys(set, directory)? {
        let (algorithm, file) = (key.algorithm, key.file.display());
        let _written =
            writeln!(text, "    http-request set-var(txn.cress_jwt) str(),jwt_verify({algorithm},\"{file}\")");
    }
    Ok(text)
}

struct HaproxyKey<'a> {
    kid: &'a KeyId,
    algorithm: Algorithm,
    file: PathBuf,
}

/// HAProxy knows no Ed25519 signatures, and takes a line of a map that begins with # for a comment.
fn haproxy_keys<'a>(set: &'a JwkSet, directory: &Path) -> anyhow::Result<Vec<HaproxyKey<'a>>> {
    let usable = |key: &'a Jwk| {
        let kid = key.kid().filter(|kid| !kid.as_str().starts_with('#'))?;
        let algorithm = match key.algorithm() {
            Algorithm::EdDsa => return None,
            // Only the file's name counts, and versions before 2.9 know no PSS.
            Algorithm::Ps256 => Algorithm::Rs256,
            other => other,
        };
        Some(HaproxyKey { kid, algorithm, file: directory.join(pem_name(kid)) })
    };
    let keys: Vec<_> = set.keys().iter().filter_map(usable).collect();
    ensure!(!keys.is_empty(), "expected a key that HAProxy can use (EC or RSA, with an id that does not begin with #)");
    if keys.len() < set.keys().len() {
        let left_out = set.keys().len() - keys.len();
        tracing::debug!(left_out, "HAProxy cannot use some keys");
    }
    Ok(keys)
}

fn pem_name(kid: &KeyId) -> String {
    format!("{}.pem", file_name::of_key(kid))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set() -> JwkSet {
        let ec = |kid: &str| {
            json!({"kty": "EC", "crv": "P-256", "kid": kid, "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})
        };
        let ed25519 =
            json!({"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
        let keys = json!({"keys": [ec("../a"), ed25519, ec("#b")]});
        JwkSet::parse(keys.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn haproxy_is_given_what_it_can_use() {
        let directory = Path::new("/etc/haproxy/keys");
        assert_eq!(haproxy_map(&set(), directory).unwrap(), "../a /etc/haproxy/keys/=2E.=2Fa.pem\n");
        let config = haproxy_config(&set(), directory).unwrap();
        let rules: Vec<&str> = config.lines().filter(|line| line.contains("jwt_verify(")).collect();
        let rule = "    http-request set-var(txn.cress_jwt) str(),jwt_verify(ES256,\"/etc/haproxy/keys/=2E.=2Fa.pem\")";
        assert_eq!(rules, [rule]);
        assert!(haproxy_map(&JwkSet::default(), directory).is_err());
    }

    #[test]
    fn each_form_has_all_keys() {
        let parsed = JwkSet::parse(jwks(&set()).as_bytes()).unwrap();
        assert_eq!(parsed, set());
        assert_eq!(pem(&set()).matches("-----BEGIN PUBLIC KEY-----").count(), 3);
        let names: Vec<String> = pem_files(&set()).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["=2E.=2Fa.pem", "ed.pem", "=23b.pem"]);
        let one = jwk(&set(), &Choice::Named("ed".parse().unwrap()), Timestamp::default()).unwrap();
        assert_eq!(Jwk::parse(one.as_bytes()).unwrap().kid().unwrap().as_str(), "ed");
    }
}
