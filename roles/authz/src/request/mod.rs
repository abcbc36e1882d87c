// SPDX-License-Identifier: Apache-2.0
//! What a proxy asks about: the method, host and path of its client's request, as far as it says.
//!
//! Nothing is guessed. What a proxy and the service behind it might read differently is refused, since a rule would else be
//! asked about one thing while another is done.

mod host;
mod path;
mod style;
mod told;

use std::borrow::Cow;
use std::net::IpAddr;

use cress_domain::Timestamp;
use http::StatusCode;

pub(crate) use host::{HostError, read_host};
pub(crate) use path::{PathError, check_path, is_rule_path};
pub(crate) use style::Style;
pub(crate) use told::{read_asked, read_parts};

/// The request that a proxy asks about. What it did not say is absent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Asked<'a> {
    /// As it is sent, in capitals.
    pub(crate) method: Option<&'a str>,
    /// In small letters, without a port.
    pub(crate) host: Option<Cow<'a, str>>,
    /// Without a query, and with but one meaning.
    pub(crate) path: Option<&'a str>,
    /// Where the client is, as the proxy saw it.
    pub(crate) source_address: Option<IpAddr>,
}

/// A request about which everything is known that policies may ask about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Whole<'a> {
    pub(crate) method: &'a str,
    pub(crate) host: &'a str,
    pub(crate) path: &'a str,
    pub(crate) source_address: Option<IpAddr>,
}

impl Asked<'_> {
    /// All of it, or what is missing.
    pub(crate) fn whole(&self) -> Result<Whole<'_>, AskedError> {
        Ok(Whole {
            method: self.method.ok_or(AskedError::NotTold("method"))?,
            host: self.host.as_deref().ok_or(AskedError::NotTold("host"))?,
            path: self.path.ok_or(AskedError::NotTold("path"))?,
            source_address: self.source_address,
        })
    }
}

/// Why nobody can say what is asked. Always the answer 400: no rule has been looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AskedError {
    /// A header that may be there once.
    #[error("expected the header {0} once, got it more than once")]
    Repeated(&'static str),
    /// A header that is no text.
    #[error("expected the header {0} to be printable ASCII")]
    NotText(&'static str),
    /// Two headers that say different things.
    #[error("expected the headers {0} and {1} to say the same")]
    Contradiction(&'static str, &'static str),
    /// A header that holds no address.
    #[error("expected the header {0} to end with an IP address")]
    Address(&'static str),
    /// No URL.
    #[error("expected the header X-Original-URL to be http:// or https://, a host and a path")]
    Url,
    /// No method.
    #[error("expected a method of 1 to 32 capital letters and hyphens")]
    Method,
    /// No host.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A path with more than one meaning.
    #[error(transparent)]
    Path(#[from] PathError),
    /// What the rules need to know.
    #[error("expected the proxy to say the {0} of the request, since the rules ask for it; see docs/authz.md")]
    NotTold(&'static str),
}

impl AskedError {
    /// A stable name for answers, logs and metrics.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Repeated(_) | Self::NotText(_) | Self::Contradiction(..) => "request-contradictory",
            Self::Address(_) => "address-malformed",
            Self::Url => "url-malformed",
            Self::Method => "method-malformed",
            Self::Host(_) => "host-malformed",
            Self::Path(_) => "path-ambiguous",
            Self::NotTold(_) => "request-not-told",
        }
    }

    pub(crate) const fn status() -> StatusCode {
        StatusCode::BAD_REQUEST
    }

    pub(crate) const fn remedy(self) -> &'static str {
        match self {
            Self::Repeated(_)
            | Self::NotText(_)
            | Self::Contradiction(..)
            | Self::Address(_)
            | Self::Url
            | Self::NotTold(_) => {
                "have the proxy set the headers that its kind needs, and ask at the path of its kind, such as \
                 /verify/nginx"
            }
            Self::Method => "send a method that is registered, such as GET",
            Self::Host(_) => "send one host name or address, without a dot at its end, with or without a port",
            Self::Path(_) => {
                "send the path without dot segments, empty segments, backslashes, semicolons, and without the \
                 percent-encoding of letters, digits, separators, control characters and what is no UTF-8"
            }
        }
    }
}

/// A method, if it can be only one thing. Some servers take `get` for GET, and others do not.
pub(crate) fn check_method(method: &str) -> Result<&str, AskedError> {
    const BYTES_MAX: usize = 32;
    let allowed = |byte: u8| byte.is_ascii_uppercase() || byte == b'-';
    if !method.is_empty() && method.len() <= BYTES_MAX && method.bytes().all(allowed) {
        Ok(method)
    } else {
        Err(AskedError::Method)
    }
}

/// The request as policies see it.
pub(crate) const fn policy_request<'a>(whole: &Whole<'a>, time: Timestamp) -> cress_policy::Request<'a> {
    let what = cress_policy::What::Access { method: whole.method, host: whole.host, path: whole.path };
    cress_policy::Request { what, time, source_address: whole.source_address }
}
