// SPDX-License-Identifier: Apache-2.0
//! Signed lines: the line as it would be without a signature is signed with ES256, and the signature becomes its last member, as a
//! compact JWS without its payload (RFC 7515 appendix F), since the payload is the line itself. Nothing of such a line is left unsigned.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cress_domain::KeyId;
use cress_jose::{CompactJws, SigningKey, VerificationKey};

/// Stands between the signed part of a line and its signature.
const MEMBER: &str = r#","signature":""#;
const END: &str = r#""}"#;

/// The line with its signature; none if it cannot be made.
pub(super) fn signed(key: &SigningKey, line: &str) -> Option<String> {
    let token = key.sign(line.as_bytes()).ok()?;
    let (head, signature) = (token.split('.').next()?, token.rsplit('.').next()?);
    let open = line.strip_suffix('}')?;
    Some(format!("{open}{MEMBER}{head}..{signature}{END}"))
}

/// Why a signed line is not good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Bad {
    /// It is not of the form.
    Malformed,
    /// It names a key that is not known.
    Unknown(KeyId),
    /// It is not signed by the key that it names.
    Signature(KeyId),
}

/// The key that a line was signed with, if the signature is good.
pub(super) fn check<'key>(line: &str, key: impl FnOnce(&KeyId) -> Option<&'key VerificationKey>) -> Result<KeyId, Bad> {
    let (open, signature) = split(line).ok_or(Bad::Malformed)?;
    let (head, signature) = signature.split_once("..").ok_or(Bad::Malformed)?;
    let payload = URL_SAFE_NO_PAD.encode(format!("{open}}}"));
    let token = format!("{head}.{payload}.{signature}");
    let jws = CompactJws::parse(&token).map_err(|_| Bad::Malformed)?;
    let kid = jws.header().kid().cloned().ok_or(Bad::Malformed)?;
    let key = key(&kid).ok_or_else(|| Bad::Unknown(kid.clone()))?;
    jws.verify(key).map_err(|_| Bad::Signature(kid.clone()))?;
    Ok(kid)
}

fn split(line: &str) -> Option<(&str, &str)> {
    let (open, rest) = line.rsplit_once(MEMBER)?;
    rest.strip_suffix(END).map(|signature| (open, signature))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signed_line_is_good_as_it_is_and_in_no_other_way() {
        let key = SigningKey::generate("audit-1".parse().unwrap()).unwrap();
        let public = key.public_jwk().verification_key().unwrap();
        let line = signed(&key, r#"{"seq":7,"kind":"checkpoint"}"#).unwrap();
        assert_eq!(check(&line, |_| Some(&public)), Ok("audit-1".parse().unwrap()));
        let other = SigningKey::generate("audit-1".parse().unwrap()).unwrap().public_jwk().verification_key().unwrap();
        assert_eq!(check(&line, |_| Some(&other)), Err(Bad::Signature("audit-1".parse().unwrap())));
        assert_eq!(check(&line, |_| None), Err(Bad::Unknown("audit-1".parse().unwrap())));
        for changed in [
            line.replace(":7,", ":8,"),
            line.replace(":7,", ": 7,"),
            line.replace("..", "."),
            line.replace(r#""}"#, r#"" }"#),
            line.replace(r#""signature""#, r#""Signature""#),
            format!("{line} "),
            String::new(),
        ] {
            assert!(check(&changed, |_| Some(&public)).is_err(), "{changed}");
        }
    }
}
