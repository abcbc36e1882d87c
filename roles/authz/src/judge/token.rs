// SPDX-License-Identifier: Apache-2.0
//! Where a token stands. In one place only, and never in a query, which ends up in logs.

use cress_domain::Secret;
use cress_verify::http::{BearerError, bearer_token};
use http::{HeaderMap, HeaderName};

use crate::config::Token;

/// The token of a request, or why there is none.
pub(crate) type FoundToken<'a> = Result<&'a str, BearerError>;

/// Where tokens stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TokenPlace {
    /// `Authorization: Bearer`.
    Authorization,
    /// A header that holds nothing else.
    Header(HeaderName),
    /// A member of a JSON body.
    BodyField(String),
}

impl TokenPlace {
    /// As configured and checked.
    pub(super) fn of(config: &Token) -> Self {
        let header = config.header.as_ref().and_then(|header| HeaderName::try_from(header).ok());
        match (&config.body_field, header) {
            (Some(field), _) => Self::BodyField(field.clone()),
            (None, Some(header)) if header != http::header::AUTHORIZATION => Self::Header(header),
            (None, _) => Self::Authorization,
        }
    }

    /// The token in these headers. None if it is to be looked for in the body.
    pub(crate) fn in_headers<'a>(&self, headers: &'a HeaderMap) -> Option<FoundToken<'a>> {
        match self {
            Self::Authorization => Some(bearer_token(headers)),
            Self::Header(name) => Some(bare_token(headers, name)),
            Self::BodyField(_) => None,
        }
    }

    /// The token in this body.
    pub(crate) fn in_body(&self, body: &[u8]) -> Result<Secret<String>, BearerError> {
        let Self::BodyField(field) = self else { return Err(BearerError::Missing) };
        if body.is_empty() {
            return Err(BearerError::Missing);
        }
        // A member that is there twice would be one token here and another behind.
        let object = cress_jose::parse_object(body).map_err(|_| BearerError::Malformed)?;
        match object.get(field) {
            None => Err(BearerError::Missing),
            Some(serde_json::Value::String(token)) if is_token(token) => Ok(Secret::new(token.clone())),
            Some(_) => Err(BearerError::Malformed),
        }
    }
}

fn bare_token<'a>(headers: &'a HeaderMap, name: &HeaderName) -> FoundToken<'a> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().ok_or(BearerError::Missing)?;
    if values.next().is_some() {
        return Err(BearerError::Repeated);
    }
    value.to_str().ok().filter(|token| is_token(token)).ok_or(BearerError::Malformed)
}

/// A compact JWS (RFC 7515 section 7.1) has no other characters.
fn is_token(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !text.is_empty() && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_stands_in_one_place() {
        let place = TokenPlace::of(&Token { header: Some("X-Token".to_owned()), body_field: None });
        let found = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            headers.insert("authorization", "Bearer x.y.z".parse().unwrap());
            for value in values {
                headers.append("x-token", value.parse().unwrap());
            }
            place.in_headers(&headers).unwrap().map(str::to_owned)
        };
        assert_eq!(found(&["a.b.c"]), Ok("a.b.c".to_owned()));
        assert_eq!(found(&[]), Err(BearerError::Missing));
        assert_eq!(found(&["a.b.c", "a.b.c"]), Err(BearerError::Repeated));
        for value in ["", "Bearer a.b.c", "a.b.c,d", "a b"] {
            assert_eq!(found(&[value]), Err(BearerError::Malformed), "{value}");
        }
    }

    #[test]
    fn a_body_holds_it_once() {
        let place = TokenPlace::of(&Token { header: None, body_field: Some("jwt".to_owned()) });
        assert_eq!(place.in_headers(&HeaderMap::new()), None);
        for (body, expected) in [
            (r#"{"jwt":"a.b.c","x":[1]}"#, Ok("a.b.c")),
            ("", Err(BearerError::Missing)),
            ("{}", Err(BearerError::Missing)),
            (r#"{"x":{"jwt":"a.b.c"}}"#, Err(BearerError::Missing)),
            (r#"{"jwt":"a.b.c","jwt":"a.b.c"}"#, Err(BearerError::Malformed)),
            (r#"{"jwt":"a.b.c""#, Err(BearerError::Malformed)),
            (r#"{"jwt":5}"#, Err(BearerError::Malformed)),
            (r#"{"jwt":""}"#, Err(BearerError::Malformed)),
            (r#"["jwt"]"#, Err(BearerError::Malformed)),
        ] {
            let found = place.in_body(body.as_bytes()).map(|token| token.expose().clone());
            assert_eq!(found, expected.map(str::to_owned), "{body}");
        }
    }
}
