// SPDX-License-Identifier: Apache-2.0
//! Every way in which a request is refused, with its status, its code and its advice: the one list of them.

use cress_api::Problem;
use http::StatusCode;

use super::backend::BackendError;
use super::limits::{BODY_BYTES_MAX, HEAD_BYTES_MAX, HEADERS_MAX, TARGET_BYTES_MAX};

/// Why a request is not served. Never carries what the caller sent, except names of properties.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    // the head, before anything else is looked at
    Malformed,
    VersionNotSupported,
    HeadTimeout,
    HeadTooLarge,
    TargetTooLong,
    TooManyConnections,
    RateLimited { retry_after_seconds: u64 },
    // who asks, and through what
    OriginFormRequired,
    HostInvalid,
    HostNotAllowed,
    ForwardedNotAllowed,
    MetadataRequired,
    // what is asked
    NotFound,
    NotAvailable,
    MethodNotAllowed { allow: &'static str },
    QueryInvalid(Property),
    // the body
    BodyNotAllowed,
    LengthRequired,
    MediaTypeNotSupported,
    BodyTooLarge,
    BodyTimeout,
    BodyIncomplete,
    BodyInvalid(Vec<Property>),
    // the answer
    AudienceNotAllowed,
    InstanceNotFound,
    TokenNotReady,
    Unavailable,
}

/// A property of the query or the body, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Property {
    pub(super) name: String,
    pub(super) message: String,
}

/// Longest property name that is repeated to the caller, in characters.
const PROPERTY_NAME_CHARACTERS_MAX: usize = 64;

impl Property {
    pub(super) fn new(name: &str, message: impl Into<String>) -> Self {
        Self { name: name.chars().take(PROPERTY_NAME_CHARACTERS_MAX).collect(), message: message.into() }
    }
}

/// Seconds after which a token that is being fetched should be there.
const TOKEN_RETRY_SECONDS: u64 = 1;

impl Refusal {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Malformed
            | Self::HostInvalid
            | Self::QueryInvalid(_)
            | Self::BodyNotAllowed
            | Self::BodyIncomplete
            | Self::BodyInvalid(_) => StatusCode::BAD_REQUEST,
            Self::OriginFormRequired
            | Self::HostNotAllowed
            | Self::ForwardedNotAllowed
            | Self::MetadataRequired
            | Self::AudienceNotAllowed => StatusCode::FORBIDDEN,
            Self::NotFound | Self::NotAvailable | Self::InstanceNotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::HeadTimeout | Self::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::LengthRequired => StatusCode::LENGTH_REQUIRED,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TargetTooLong => StatusCode::URI_TOO_LONG,
            Self::MediaTypeNotSupported => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::TooManyConnections | Self::TokenNotReady | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::VersionNotSupported => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
        }
    }

    /// What programs match, and what people read.
    fn words(&self) -> (&'static str, String) {
        let (code, detail) = match self {
            Self::HeadTooLarge => {
                return (
                    "header-too-large",
                    format!("expected at most {HEADERS_MAX} headers in at most {HEAD_BYTES_MAX} bytes; send less"),
                );
            }
            Self::TargetTooLong => {
                return ("target-too-long", format!("expected a path and query of at most {TARGET_BYTES_MAX} bytes"));
            }
            Self::BodyTooLarge => {
                return ("body-too-large", format!("expected a body of at most {BODY_BYTES_MAX} bytes"));
            }
            Self::MethodNotAllowed { allow } => {
                return ("method-not-allowed", format!("this path takes {allow} only"));
            }
            Self::Malformed => ("bad-request", "expected a well-formed HTTP/1.1 request"),
            Self::VersionNotSupported => {
                ("http-version-not-supported", "expected HTTP/1.1; use a client that speaks it")
            }
            Self::HeadTimeout => ("header-timeout", "the request's head did not arrive in time; send it at once"),
            Self::TooManyConnections => (
                "too-many-connections",
                "this instance has too many connections open to its metadata service; close idle ones, or keep one and reuse it",
            ),
            Self::RateLimited { .. } => (
                "rate-limited",
                "this instance asks its metadata service too often; keep the token for two or three minutes, and ask again after the time in Retry-After",
            ),
            Self::OriginFormRequired => (
                "origin-form-required",
                "expected a request target that starts with a slash; a full address is what is sent to a proxy: set NO_PROXY=169.254.169.254 or switch proxies off in the client",
            ),
            Self::HostInvalid => ("host-invalid", "expected exactly one Host header"),
            Self::HostNotAllowed => (
                "host-not-allowed",
                "expected the Host header to be the address of this service, with or without its port; use the address, not a name",
            ),
            Self::ForwardedNotAllowed => (
                "forwarded-not-allowed",
                "expected no Forwarded and no X-Forwarded-* header: a request may not come through a proxy; set NO_PROXY=169.254.169.254 or switch proxies off in the client",
            ),
            Self::MetadataRequired => {
                ("metadata-header-required", "expected exactly one header \"Metadata: true\"; add it to the request")
            }
            Self::NotFound => ("not-found", "no such path; see /v1/token, /v1/status, /v1/restart, /v1/deletion-cost"),
            Self::NotAvailable => ("not-available", "this installation does not offer this call"),
            Self::QueryInvalid(_) => ("query-invalid", "the query has an error; see errors"),
            Self::BodyNotAllowed => ("body-not-allowed", "this call takes no body; send the request without one"),
            Self::LengthRequired => ("length-required", "expected a body and its Content-Length"),
            Self::MediaTypeNotSupported => (
                "unsupported-media-type",
                "expected a body with the header \"Content-Type: application/json\" and no Content-Encoding",
            ),
            Self::BodyTimeout => ("body-timeout", "the request's body did not arrive in time; send it at once"),
            Self::BodyIncomplete => ("body-incomplete", "expected a body as long and as framed as the head said"),
            Self::BodyInvalid(_) => ("body-invalid", "the body has an error; see errors"),
            Self::AudienceNotAllowed => (
                "audience-not-allowed",
                "the container group's allow-list does not have this audience; have an operator add it",
            ),
            Self::InstanceNotFound => ("instance-not-found", "this instance has ended"),
            Self::TokenNotReady => {
                ("token-not-ready", "no token can be had at this moment; ask again after the time in Retry-After")
            }
            Self::Unavailable => {
                ("unavailable", "the agent cannot do this now; ask again after the time in Retry-After")
            }
        };
        (code, detail.to_owned())
    }

    /// Seconds after which asking again makes sense.
    pub(super) const fn retry_after_seconds(&self) -> Option<u64> {
        match self {
            Self::RateLimited { retry_after_seconds } => Some(*retry_after_seconds),
            Self::TokenNotReady | Self::TooManyConnections | Self::Unavailable => Some(TOKEN_RETRY_SECONDS),
            _ => None,
        }
    }

    pub(super) fn problem(&self) -> Problem {
        let (code, detail) = self.words();
        let status = self.status();
        let problem = Problem::new(status.as_u16(), code, status.canonical_reason().unwrap_or("Error"));
        let properties = match self {
            Self::QueryInvalid(property) => std::slice::from_ref(property),
            Self::BodyInvalid(properties) => properties,
            _ => &[],
        };
        properties.iter().fold(problem.with_detail(detail), |problem, property| {
            problem.with_error(&property.name, &property.message)
        })
    }
}

impl From<BackendError> for Refusal {
    fn from(error: BackendError) -> Self {
        match error {
            BackendError::InstanceUnknown => Self::InstanceNotFound,
            BackendError::Unavailable => Self::Unavailable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of each, in the order of the enum.
    fn all() -> Vec<Refusal> {
        use Refusal as R;
        let property = || Property::new("audience", "expected this parameter once");
        vec![
            R::Malformed,
            R::VersionNotSupported,
            R::HeadTimeout,
            R::HeadTooLarge,
            R::TargetTooLong,
            R::TooManyConnections,
            R::RateLimited { retry_after_seconds: 2 },
            R::OriginFormRequired,
            R::HostInvalid,
            R::HostNotAllowed,
            R::ForwardedNotAllowed,
            R::MetadataRequired,
            R::NotFound,
            R::NotAvailable,
            R::MethodNotAllowed { allow: "GET, PUT" },
            R::QueryInvalid(property()),
            R::BodyNotAllowed,
            R::LengthRequired,
            R::MediaTypeNotSupported,
            R::BodyTooLarge,
            R::BodyTimeout,
            R::BodyIncomplete,
            R::BodyInvalid(vec![property()]),
            R::AudienceNotAllowed,
            R::InstanceNotFound,
            R::TokenNotReady,
            R::Unavailable,
        ]
    }

    #[test]
    fn each_refusal_says_what_to_do() {
        let problems: Vec<_> =
            all().iter().map(|refusal| String::from_utf8(refusal.problem().to_json()).unwrap()).collect();
        insta::assert_snapshot!(problems.join("\n"));
    }

    #[test]
    fn a_refusal_outside_of_hyper_is_a_whole_answer() {
        let bytes = super::super::answer::bare(&Refusal::TooManyConnections);
        insta::assert_snapshot!(String::from_utf8(bytes).unwrap().replace("\r\n", "\n"));
    }

    #[test]
    fn a_long_property_name_is_cut() {
        assert_eq!(Property::new(&"ä".repeat(1_000), "x").name.chars().count(), PROPERTY_NAME_CHARACTERS_MAX);
    }
}
