// SPDX-License-Identifier: Apache-2.0
//! An issuer's discovery document (OpenID Connect Discovery 1.0 section 4), for the one thing that it says about keys.

use cress_domain::Issuer;
use http::header::ACCEPT;
use http::{HeaderValue, StatusCode};
use reqwest::Client;
use serde::Deserialize;
use url::Url;

use super::RemoteKeysError;
use super::fetch::plain;
use super::remote::key_set_url;

/// Largest document: real ones have some kilobytes.
const DOCUMENT_BYTES_MAX: usize = 65_536;
/// How many looks at the key set the document counts for: most of an hour where its server says nothing about freshness.
const LOOKS: u32 = 10;
/// Longest text of a document that a message carries.
const SHOWN_CHARACTERS_MAX: usize = 128;

/// Why a discovery document does not say where the keys are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DiscoveryError {
    /// No complete answer in time.
    #[error("expected a complete answer from the discovery document's server in time, got none")]
    TimedOut,
    /// No connection, or one that broke.
    #[error("no answer from the discovery document's server: {0}")]
    Unreachable(String),
    /// A redirect: whoever may redirect could name another host's keys.
    #[error("expected a discovery document, got a redirect ({0}), which is not followed")]
    Redirected(u16),
    /// Another status than 200.
    #[error("expected a discovery document with status 200, got status {0}; give the key set's URL instead")]
    Status(u16),
    /// An answer that is longer than any document.
    #[error("expected a discovery document of at most {DOCUMENT_BYTES_MAX} bytes, got more")]
    TooLong,
    /// Something else than a document.
    #[error("expected a discovery document, a JSON object with the texts \"issuer\" and \"jwks_uri\"")]
    Malformed,
    /// The document of somebody else.
    #[error("expected the discovery document of {expected}, got that of {got:?}")]
    OtherIssuer {
        /// Whose it should be.
        expected: Issuer,
        /// Whose it is, cut.
        got: String,
    },
    /// A key set where none may be.
    #[error("the discovery document's jwks_uri: {0}")]
    KeySet(RemoteKeysError),
    /// Keys over plain http for an issuer over https.
    #[error("the discovery document's jwks_uri: expected an https URL, as the issuer's is")]
    NotHttps,
}

/// What is read of a document.
#[derive(Deserialize)]
pub(super) struct Document {
    issuer: String,
    jwks_uri: String,
}

/// What a document has said.
pub(super) struct Known {
    url: Url,
    looks: u32,
}

impl Document {
    /// Where the document at this URL says that the issuer's keys are.
    pub(super) async fn fetch(client: &Client, issuer: &Issuer, url: &Url) -> Result<Url, DiscoveryError> {
        let unreachable = |error: reqwest::Error| match error.is_timeout() {
            true => DiscoveryError::TimedOut,
            false => DiscoveryError::Unreachable(plain(error)),
        };
        let json = HeaderValue::from_static("application/json");
        let mut response = client.get(url.clone()).header(ACCEPT, json).send().await.map_err(unreachable)?;
        match response.status() {
            StatusCode::OK => {}
            status if status.is_redirection() => return Err(DiscoveryError::Redirected(status.as_u16())),
            status => return Err(DiscoveryError::Status(status.as_u16())),
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if bytes.len() + chunk.len() > DOCUMENT_BYTES_MAX {
                return Err(DiscoveryError::TooLong);
            }
            bytes.extend_from_slice(&chunk);
        }
        Self::parse(&bytes)?.key_set(issuer)
    }

    fn parse(bytes: &[u8]) -> Result<Self, DiscoveryError> {
        serde_json::from_slice(bytes).map_err(|_| DiscoveryError::Malformed)
    }

    /// Section 4.3: the issuer that the document names must be the one that was asked for.
    fn key_set(self, issuer: &Issuer) -> Result<Url, DiscoveryError> {
        if self.issuer != issuer.as_str() {
            let got = self.issuer.chars().take(SHOWN_CHARACTERS_MAX).collect();
            return Err(DiscoveryError::OtherIssuer { expected: issuer.clone(), got });
        }
        let url = key_set_url(&self.jwks_uri).map_err(DiscoveryError::KeySet)?;
        let is_weaker = issuer.as_str().starts_with("https:") && url.scheme() != "https";
        if is_weaker { Err(DiscoveryError::NotHttps) } else { Ok(url) }
    }
}

impl Known {
    pub(super) const fn new(url: Url) -> Self {
        Self { url, looks: LOOKS }
    }

    pub(super) const fn url(&self) -> &Url {
        &self.url
    }

    /// The URL, if the document need not be read again first.
    pub(super) fn url_for_a_look(&mut self) -> Option<Url> {
        self.looks = self.looks.checked_sub(1)?;
        Some(self.url.clone())
    }

    /// The keys were not there: the document may say by now where they are.
    pub(super) const fn doubt(&mut self) {
        self.looks = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_set(issuer: &str, document: &str) -> Result<String, String> {
        let found = Document::parse(document.as_bytes()).and_then(|found| found.key_set(&issuer.parse().unwrap()));
        found.map(|url| url.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_document_is_its_issuers_own_and_names_a_safe_place() {
        let issuer = "https://issuer.example";
        let document = |jwks_uri: &str| format!(r#"{{"jwks_uri":"{jwks_uri}","issuer":"{issuer}","x":[1]}}"#);
        assert_eq!(key_set(issuer, &document("https://keys.example/x")), Ok("https://keys.example/x".to_owned()));
        for (text, expected) in [
            (document("http://keys.example/x"), "jwks_uri: expected an https URL, or an http URL of this machine"),
            (document("http://127.0.0.1/x"), "jwks_uri: expected an https URL, as the issuer's is"),
            (document("https://u:p@keys.example/x"), "jwks_uri: expected a key set's URL without user name"),
            (document("/x"), "jwks_uri: expected an https URL"),
            (document("file:///x"), "jwks_uri: expected an https URL"),
            (document("https://a").replace("issuer.example", "issuer.example/"), "expected the discovery document of"),
            (document("https://a").replace("\"issuer\"", "\"iss\""), "expected a discovery document, a JSON object"),
            (document("https://a").replace("\"x\"", "\"issuer\""), "expected a discovery document, a JSON object"),
            ("[]".to_owned(), "expected a discovery document, a JSON object"),
            ("<html>".to_owned(), "expected a discovery document, a JSON object"),
        ] {
            let error = key_set(issuer, &text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
        let local = r#"{"issuer":"http://127.0.0.1:1","jwks_uri":"http://127.0.0.1:1/keys"}"#;
        assert_eq!(key_set("http://127.0.0.1:1", local), Ok("http://127.0.0.1:1/keys".to_owned()));
    }

    #[test]
    fn a_document_counts_for_a_while_and_not_when_it_is_doubted() {
        let mut known = Known::new("https://keys.example/".parse().unwrap());
        assert!((0..LOOKS).all(|_| known.url_for_a_look().is_some()));
        assert_eq!(known.url_for_a_look(), None);
        let mut known = Known::new("https://keys.example/".parse().unwrap());
        known.doubt();
        assert_eq!(known.url_for_a_look(), None);
    }
}
