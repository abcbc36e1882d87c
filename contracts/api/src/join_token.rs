// SPDX-License-Identifier: Apache-2.0
//! The text form of a join token: a secret, and the fingerprint of the certificate authority to trust at first contact.

use std::str::FromStr;

use cress_domain::{Hex, Secret, parse_hex};

/// A join token as an operator copies it: `cress-join-v1.<secret>.<fingerprint>`. The secret is 43 characters of base64url
/// (32 random bytes); the fingerprint is the SHA-256 of the certificate authority's certificate, lower-case hex.
/// The fingerprint goes nowhere: it lets the node refuse an impostor before it shows the secret.
#[derive(Debug, Clone)]
pub struct JoinToken {
    secret: Secret<String>,
    ca_fingerprint: [u8; 32],
}

/// A text that is no join token. It never quotes the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a join token of the form cress-join-v1.<secret>.<fingerprint>; make one with `cress admin nodes invite`"
)]
pub struct JoinTokenError;

const PREFIX: &str = "cress-join-v1";
/// Random bytes of a secret.
pub const SECRET_BYTES: usize = 32;
/// The same in base64url without padding.
const SECRET_CHARACTERS: usize = (SECRET_BYTES * 4).div_ceil(3);

impl JoinToken {
    /// A join token of this secret (43 characters of base64url), to be used with this certificate authority.
    #[must_use]
    pub const fn new(secret: Secret<String>, ca_fingerprint: [u8; 32]) -> Self {
        Self { secret, ca_fingerprint }
    }

    /// What control compares.
    #[must_use]
    pub const fn secret(&self) -> &Secret<String> {
        &self.secret
    }

    /// SHA-256 of the certificate authority's certificate (DER).
    #[must_use]
    pub const fn ca_fingerprint(&self) -> &[u8; 32] {
        &self.ca_fingerprint
    }

    /// The text to show once, to the operator who asked for it.
    #[must_use]
    pub fn expose_text(&self) -> Secret<String> {
        Secret::new(format!("{PREFIX}.{}.{}", self.secret.expose(), Hex(&self.ca_fingerprint)))
    }
}

/// Whether a text can be the secret of a join token.
#[must_use]
pub fn is_secret(text: &str) -> bool {
    let base64url = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    text.len() == SECRET_CHARACTERS && text.bytes().all(base64url)
}

impl FromStr for JoinToken {
    type Err = JoinTokenError;
    fn from_str(text: &str) -> Result<Self, JoinTokenError> {
        let mut parts = text.trim().split('.');
        let (Some(PREFIX), Some(secret), Some(hex), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(JoinTokenError);
        };
        if !is_secret(secret) {
            return Err(JoinTokenError);
        }
        let ca_fingerprint = parse_hex(hex).ok_or(JoinTokenError)?;
        Ok(Self { secret: Secret::new(secret.to_owned()), ca_fingerprint })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_token_are_one() {
        let token = JoinToken::new(Secret::new("A".repeat(43)), [0xab; 32]);
        let text = token.expose_text();
        let parsed: JoinToken = text.expose().parse().unwrap();
        assert_eq!(parsed.ca_fingerprint(), token.ca_fingerprint());
        assert_eq!(parsed.secret().expose(), token.secret().expose());
        assert!(!format!("{parsed:?}").contains("AAAA"));
    }

    #[test]
    fn anything_else_is_refused() {
        let secret = "A".repeat(43);
        let hex = "ab".repeat(32);
        for bad in [
            String::new(),
            format!("{PREFIX}.{secret}"),
            format!("cress-join-v2.{secret}.{hex}"),
            format!("{PREFIX}.{secret}.{hex}.x"),
            format!("{PREFIX}.{secret}A.{hex}"),
            format!("{PREFIX}.{secret}.{}", hex.to_uppercase()),
            format!("{PREFIX}.{}.{hex}", "/".repeat(43)),
        ] {
            assert!(bad.parse::<JoinToken>().is_err(), "{bad} was accepted");
        }
    }
}
