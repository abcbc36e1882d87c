// SPDX-License-Identifier: Apache-2.0
//! The token in a request's headers (RFC 6750 section 2.1).

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};

/// A request from which no token can be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BearerError {
    /// No `Authorization` header, or one of another scheme.
    #[error("expected a token in the header Authorization: Bearer, got none")]
    Missing,
    /// Two headers: which of them another part of the way has looked at is unknown.
    #[error("expected one Authorization header, got several")]
    Repeated,
    /// Nothing, or something else than one token, after `Bearer`.
    #[error("expected one token after Bearer in the Authorization header, of letters, digits and -._~+/")]
    Malformed,
}

/// The token in a request's one `Authorization` header. It is unverified.
///
/// # Errors
/// [`BearerError`].
pub fn bearer_token(headers: &HeaderMap) -> Result<&str, BearerError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(BearerError::Missing)?;
    match values.next() {
        None => token(value),
        Some(_) => Err(BearerError::Repeated),
    }
}

fn token(value: &HeaderValue) -> Result<&str, BearerError> {
    let value = value.to_str().map_err(|_| BearerError::Malformed)?;
    let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case("Bearer") {
        return Err(BearerError::Missing);
    }
    let token = rest.trim_start_matches(' ');
    if is_b64token(token) { Ok(token) } else { Err(BearerError::Malformed) }
}

/// RFC 6750 section 2.1: `b64token`.
fn is_b64token(token: &str) -> bool {
    let unpadded = token.trim_end_matches('=');
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    !unpadded.is_empty() && unpadded.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_stands_in_one_authorization_header() {
        for (values, expected) in [
            (&[][..], Err(BearerError::Missing)),
            (&["Bearer a.b.c"], Ok("a.b.c")),
            (&["bearer a.b.c"], Ok("a.b.c")),
            (&["BEARER   a.b-_~+/c=="], Ok("a.b-_~+/c==")),
            (&["Basic dXNlcjpzZWNyZXQ="], Err(BearerError::Missing)),
            (&["Bearerx a.b.c"], Err(BearerError::Missing)),
            (&["a.b.c"], Err(BearerError::Missing)),
            (&[""], Err(BearerError::Missing)),
            (&["Bearer"], Err(BearerError::Malformed)),
            (&["Bearer "], Err(BearerError::Malformed)),
            (&["Bearer =="], Err(BearerError::Malformed)),
            (&["Bearer a.b.c "], Err(BearerError::Malformed)),
            (&["Bearer a.b.c, Bearer d.e.f"], Err(BearerError::Malformed)),
            (&["Bearer \"a.b.c\""], Err(BearerError::Malformed)),
            (&["Bearer\ta.b.c"], Err(BearerError::Missing)),
            (&["Bearer a=b"], Err(BearerError::Malformed)),
            (&["Bearer a.b.c", "Bearer a.b.c"], Err(BearerError::Repeated)),
            (&["Basic x", "Bearer a.b.c"], Err(BearerError::Repeated)),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
            }
            assert_eq!(bearer_token(&headers), expected, "{values:?}");
        }
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_bytes(b"Bearer \xff").unwrap());
        assert_eq!(bearer_token(&headers), Err(BearerError::Malformed));
    }
}
