// SPDX-License-Identifier: Apache-2.0
//! Which headers may say who asks: what this service hands out and what proxies are configured with, by one list.

/// Longest name.
const BYTES_MAX: usize = 64;

/// Headers that mean something to a proxy or to HTTP itself: acted upon, they could smuggle one request into another.
const RESERVED: [&str; 19] = [
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "date",
    "expect",
    "host",
    "keep-alive",
    "location",
    "range",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "www-authenticate",
];
const RESERVED_PREFIXES: [&str; 6] = ["x-forwarded-", "x-original-", "x-envoy-", "proxy-", "sec-", "forwarded"];

/// Why a header cannot say who asks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityHeaderError {
    /// Underscores are left out on purpose: to many applications `X_User` and `X-User` are one header.
    #[error("expected a header's name of at most {BYTES_MAX} letters, digits and hyphens that begins with a letter")]
    Name,
    /// It has a meaning already.
    #[error(
        "expected a header of the service's own, such as X-Cress-Instance, got {0}, which HTTP or a proxy gives a meaning"
    )]
    Reserved(String),
}

/// Whether a header may say who asks.
///
/// # Errors
/// [`IdentityHeaderError`]
pub fn check_identity_header(name: &str) -> Result<(), IdentityHeaderError> {
    let is_safe = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let begins = name.starts_with(|first: char| first.is_ascii_alphabetic());
    if !is_safe || !begins || name.len() > BYTES_MAX {
        return Err(IdentityHeaderError::Name);
    }
    let lower = name.to_ascii_lowercase();
    let is_reserved =
        RESERVED.contains(&lower.as_str()) || RESERVED_PREFIXES.iter().any(|prefix| lower.starts_with(prefix));
    if is_reserved { Err(IdentityHeaderError::Reserved(lower)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_meaning_already_cannot_say_who_asks() {
        for good in ["X-Cress-Instance", "Who", "x-1", "X-Forward", &"x".repeat(BYTES_MAX)] {
            assert_eq!(check_identity_header(good), Ok(()), "{good}");
        }
        for bad in ["", "-X", "1X", "X_A", "X.A", "X A", "X-A\n", "X:A", "X-Ä", &"x".repeat(BYTES_MAX + 1)] {
            assert_eq!(check_identity_header(bad), Err(IdentityHeaderError::Name), "{bad}");
        }
        let prefixed = RESERVED_PREFIXES.iter().map(|prefix| format!("{prefix}x"));
        let names = RESERVED.iter().map(|name| (*name).to_owned()).chain(prefixed);
        for name in names.chain(["Forwarded".to_owned(), "X-Forwarded-For".to_owned()]) {
            let shown = name.to_ascii_lowercase();
            assert_eq!(check_identity_header(&name.to_ascii_uppercase()), Err(IdentityHeaderError::Reserved(shown)));
        }
    }
}
