// SPDX-License-Identifier: Apache-2.0
//! The form of a token exchange (RFC 8693 section 2.1).

use cress_api::broker::{ACCESS_TOKEN_TYPE, JWT_TYPE, TOKEN_EXCHANGE_GRANT};
use cress_domain::Secret;
use cress_service::listen::RequestBody;
use http::HeaderMap;
use url::form_urlencoded;

use super::error::Refusal;
use crate::http::{is_of_type, read_body};

const FORM: &str = "application/x-www-form-urlencoded";
/// `id_token` is a JWT too (RFC 8693 section 3).
const ID_TOKEN_TYPE: &str = "urn:ietf:params:oauth:token-type:id_token";

/// What is asked for.
#[derive(Debug)]
pub(super) struct Form {
    pub(super) subject_token: Secret<String>,
    /// The name of a credential.
    pub(super) audience: String,
}

#[derive(Default)]
struct Fields {
    grant_type: Option<String>,
    subject_token: Option<Secret<String>>,
    subject_token_type: Option<String>,
    audience: Option<String>,
    requested_token_type: Option<String>,
}

impl Form {
    pub(super) async fn read(headers: &HeaderMap, body: RequestBody) -> Result<Self, Refusal> {
        if !is_of_type(headers, FORM) {
            return Err(Refusal::request(format!("expected a form, of content type {FORM}")));
        }
        let body = read_body(body).await.map_err(Refusal::of_body)?;
        Self::parse(&body)
    }

    fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let fields = Fields::parse(body)?;
        match fields.grant_type.as_deref() {
            Some(TOKEN_EXCHANGE_GRANT) => {}
            Some(_) => return Err(Refusal::grant_type()),
            None => return Err(missing("grant_type")),
        }
        let subject_token = fields.subject_token.ok_or_else(|| missing("subject_token"))?;
        match fields.subject_token_type.as_deref() {
            Some(JWT_TYPE | ACCESS_TOKEN_TYPE | ID_TOKEN_TYPE) => {}
            Some(_) => return Err(Refusal::request(format!("expected {JWT_TYPE} as subject_token_type"))),
            None => return Err(missing("subject_token_type")),
        }
        if !matches!(fields.requested_token_type.as_deref(), None | Some(ACCESS_TOKEN_TYPE | JWT_TYPE)) {
            return Err(Refusal::request(format!("expected {ACCESS_TOKEN_TYPE} as requested_token_type")));
        }
        let audience = fields.audience.ok_or_else(|| missing("audience"))?;
        Ok(Self { subject_token, audience })
    }
}

impl Fields {
    /// Each at most once (RFC 6749 section 3.2); several audiences are allowed by RFC 8693, and refused here.
    fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let mut fields = Self::default();
        for (name, value) in form_urlencoded::parse(body) {
            let place = match &*name {
                "grant_type" => &mut fields.grant_type,
                "subject_token_type" => &mut fields.subject_token_type,
                "audience" => &mut fields.audience,
                "requested_token_type" => &mut fields.requested_token_type,
                "subject_token" => {
                    let before = fields.subject_token.replace(Secret::new(value.into_owned()));
                    if before.is_some() {
                        return Err(repeated("subject_token"));
                    }
                    continue;
                }
                // A free choice of what a token is for, or for whom, is what this endpoint does not offer.
                "resource" => return Err(Refusal::no_resource()),
                "scope" => return Err(Refusal::scope()),
                "actor_token" | "actor_token_type" => {
                    return Err(Refusal::request("expected no actor: a workload asks for itself".to_owned()));
                }
                _ => continue,
            };
            if place.replace(value.into_owned()).is_some() {
                return Err(repeated(&name));
            }
        }
        Ok(fields)
    }
}

fn missing(name: &str) -> Refusal {
    Refusal::request(format!("expected the parameter {name}, got none"))
}

fn repeated(name: &str) -> Refusal {
    Refusal::request(format!("expected the parameter {name} once, got it more than once"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: [(&str, &str); 4] = [
        ("grant_type", TOKEN_EXCHANGE_GRANT),
        ("subject_token", "a.b.c"),
        ("subject_token_type", JWT_TYPE),
        ("audience", "reports"),
    ];

    fn parse(pairs: &[(&str, &str)]) -> Result<(String, String), &'static str> {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let form = Form::parse(body.as_bytes()).map_err(|refusal| refusal.error())?;
        Ok((form.subject_token.expose().clone(), form.audience))
    }

    #[test]
    fn a_form_has_what_it_must_and_once() {
        assert_eq!(parse(&GOOD), Ok(("a.b.c".to_owned(), "reports".to_owned())));
        for pair in GOOD {
            let less: Vec<_> = GOOD.into_iter().filter(|other| *other != pair).collect();
            assert_eq!(parse(&less), Err("invalid_request"), "without {}", pair.0);
            let more = [&GOOD[..], &[pair]].concat();
            assert_eq!(parse(&more), Err("invalid_request"), "two {}", pair.0);
        }
    }

    #[test]
    fn nobody_chooses_freely() {
        let with = |name: &'static str, value: &'static str| {
            let mut pairs = GOOD.to_vec();
            pairs.retain(|(other, _)| *other != name);
            pairs.push((name, value));
            parse(&pairs).map(drop)
        };
        assert_eq!(with("resource", "https://bank.example"), Err("invalid_target"));
        assert_eq!(with("scope", "everything"), Err("invalid_scope"));
        assert_eq!(with("actor_token", "a.b.c"), Err("invalid_request"));
        assert_eq!(with("grant_type", "client_credentials"), Err("unsupported_grant_type"));
        assert_eq!(with("subject_token_type", "urn:ietf:params:oauth:token-type:saml2"), Err("invalid_request"));
        assert_eq!(
            with("requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token"),
            Err("invalid_request")
        );
        assert_eq!(with("requested_token_type", ACCESS_TOKEN_TYPE), Ok(()));
        assert_eq!(with("extension", "is ignored (RFC 6749 section 3.2)"), Ok(()));
    }
}
