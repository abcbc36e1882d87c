// SPDX-License-Identifier: Apache-2.0
//! What the server keeps instead of a password, computed here so that it never sees the password: not in its log, not in
//! `pg_stat_statements`, not on the wire. SCRAM-SHA-256: RFC 5802 section 3, RFC 7677; how PostgreSQL writes it:
//! <https://www.postgresql.org/docs/current/catalog-pg-authid.html>.

use std::num::NonZeroU32;

use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use aws_lc_rs::pbkdf2;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use cress_domain::{Random, Secret};
use zeroize::Zeroizing;

/// Bytes of randomness in a password: nobody guesses it, however few iterations there are.
const PASSWORD_BYTES: usize = 32;
/// What PostgreSQL's own programs take.
const SALT_BYTES: usize = 16;

/// Draws a password of 43 characters of base64url: no client, file or URL needs to quote it, and SASLprep (RFC 4013) leaves it alone.
pub(crate) fn draw_password(random: &dyn Random) -> Secret<String> {
    let mut bytes = Zeroizing::new([0; PASSWORD_BYTES]);
    random.fill(bytes.as_mut());
    Secret::new(URL_SAFE_NO_PAD.encode(bytes.as_ref()))
}

/// Draws the salt of a verifier.
pub(crate) fn draw_salt(random: &dyn Random) -> [u8; SALT_BYTES] {
    let mut salt = [0; SALT_BYTES];
    random.fill(&mut salt);
    salt
}

/// `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>` for an ASCII password.
pub(crate) fn verifier(password: &Secret<String>, salt: &[u8; SALT_BYTES], iterations: NonZeroU32) -> String {
    let mut salted = Zeroizing::new([0; SHA256_OUTPUT_LEN]);
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, salt, password.expose().as_bytes(), salted.as_mut());
    let key = hmac::Key::new(HMAC_SHA256, salted.as_ref());
    let stored_key = digest(&SHA256, hmac::sign(&key, b"Client Key").as_ref());
    let server_key = hmac::sign(&key, b"Server Key");
    format!(
        "SCRAM-SHA-256${iterations}:{}${}:{}",
        STANDARD.encode(salt),
        STANDARD.encode(stored_key.as_ref()),
        STANDARD.encode(server_key.as_ref())
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use cress_testkit::SeededRandom;

    /// The exchange of RFC 7677 section 3.
    const AUTH_MESSAGE: &str = "n=user,r=rOprNGfwEbeRWgbNEkqO,\
        r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,\
        c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    const PROOF: &str = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    const SIGNATURE: &str = "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

    #[test]
    fn a_verifier_fits_the_exchange_of_the_rfc() {
        let decode = |text: &str| STANDARD.decode(text).unwrap();
        let salt: [u8; SALT_BYTES] = decode("W22ZaJ0SNY7soEsUEjb6gQ==").try_into().unwrap();
        let verifier = verifier(&Secret::new("pencil".to_owned()), &salt, NonZeroU32::new(4096).unwrap());
        let keys = verifier.strip_prefix("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$").unwrap();
        let (stored, server) = keys.split_once(':').unwrap();
        let sign = |key: &[u8]| hmac::sign(&hmac::Key::new(HMAC_SHA256, key), AUTH_MESSAGE.as_bytes());
        assert_eq!(STANDARD.encode(sign(&decode(server))), SIGNATURE);
        let stored = decode(stored);
        let client: Vec<u8> = decode(PROOF).iter().zip(sign(&stored).as_ref()).map(|(a, b)| a ^ b).collect();
        assert_eq!(digest(&SHA256, &client).as_ref(), stored);
    }

    #[test]
    fn passwords_need_no_quotes_anywhere_and_differ() {
        let random = SeededRandom::new(1);
        let (one, other) = (draw_password(&random), draw_password(&random));
        assert_ne!(one.expose(), other.expose());
        for password in [one, other] {
            assert_eq!(password.expose().len(), 43);
            assert!(password.expose().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
        }
    }
}
