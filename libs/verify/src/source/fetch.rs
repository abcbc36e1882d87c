// SPDX-License-Identifier: Apache-2.0
//! Fetches a remote key set, and asks only for what has changed.

use std::time::Duration;

use cress_jose::{JWKS_BYTES_MAX, JwkSet};
use http::header::{ACCEPT, ETAG, IF_NONE_MATCH};
use http::{HeaderValue, StatusCode};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Response};
use url::Url;

use super::discovery::{Document, Known};
use super::remote::{Location, Roots, certificates, read_roots};
use super::{FetchError, Fetched, RemoteKeys, RemoteKeysError};

/// Time in which a connection must be there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest entity tag that is remembered.
const ETAG_BYTES_MAX: usize = 256;

/// A remote key set with what is remembered from one look to the next.
pub(crate) struct RemoteFetcher {
    keys: RemoteKeys,
    client: Client,
    /// The file of authorities that the client trusts, as it was read.
    roots: Option<Vec<u8>>,
    /// What the issuer's document last said.
    known: Option<Known>,
    etag: Option<HeaderValue>,
}

impl RemoteFetcher {
    pub(crate) fn new(keys: RemoteKeys) -> Result<Self, RemoteKeysError> {
        let (roots, client) = match &keys.roots {
            Roots::System => (None, client(&keys, None)?),
            Roots::Given(roots) => (None, client(&keys, Some(roots.clone()))?),
            Roots::File(file) => {
                let pem = read_roots(file)?;
                let client = client(&keys, Some(certificates(&pem)?))?;
                (Some(pem), client)
            }
        };
        Ok(Self { keys, client, roots, known: None, etag: None })
    }

    /// For log lines.
    pub(crate) fn url(&self) -> &str {
        self.keys.url()
    }

    /// Looks, in the time that is set for all of it.
    pub(crate) async fn fetch(&mut self) -> Result<Fetched, FetchError> {
        let timeout = self.keys.timeout;
        let fetched = tokio::time::timeout(timeout, self.look()).await;
        fetched.unwrap_or(Err(FetchError::TimedOut(timeout)))
    }

    async fn look(&mut self) -> Result<Fetched, FetchError> {
        self.follow_roots().await?;
        let url = self.key_set_url().await?;
        let fetched = self.fetch_from(url).await;
        if let (Err(_), Some(known)) = (&fetched, &mut self.known) {
            known.doubt();
        }
        fetched
    }

    /// Trusts what the file of authorities says now.
    async fn follow_roots(&mut self) -> Result<(), FetchError> {
        let Roots::File(file) = &self.keys.roots else { return Ok(()) };
        let file = file.clone();
        let read = tokio::task::spawn_blocking(move || read_roots(&file)).await;
        let pem = read.map_err(|_| FetchError::Pending)??;
        if self.roots.as_ref() != Some(&pem) {
            self.client = client(&self.keys, Some(certificates(&pem)?))?;
            self.roots = Some(pem);
        }
        Ok(())
    }

    /// Where the set is. What the document last said counts while it cannot be had.
    async fn key_set_url(&mut self) -> Result<Url, FetchError> {
        let (issuer, url) = match &self.keys.location {
            Location::KeySet(url) => return Ok(url.clone()),
            Location::Document { issuer, url } => (issuer, url),
        };
        if let Some(url) = self.known.as_mut().and_then(Known::url_for_a_look) {
            return Ok(url);
        }
        match (Document::fetch(&self.client, issuer, url).await, self.known.as_ref().map(Known::url)) {
            (Ok(url), before) => {
                if before != Some(&url) {
                    self.etag = None;
                }
                self.known = Some(Known::new(url.clone()));
                Ok(url)
            }
            (Err(error), Some(before)) => {
                tracing::warn!(issuer = issuer.as_str(), %error, "what the discovery document last said still counts");
                Ok(before.clone())
            }
            (Err(error), None) => Err(error.into()),
        }
    }

    async fn fetch_from(&mut self, url: Url) -> Result<Fetched, FetchError> {
        let mut request = self.client.get(url).header(ACCEPT, "application/jwk-set+json, application/json");
        if let Some(etag) = &self.etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        let response = request.send().await.map_err(|error| self.failed(error))?;
        let next_in = self.keys.refresh.next_look(response.headers());
        match response.status() {
            StatusCode::OK => self.read(response).await.map(|set| Fetched { set: Some(set), next_in }),
            StatusCode::NOT_MODIFIED if self.etag.is_some() => Ok(Fetched { set: None, next_in }),
            status if status.is_redirection() && status != StatusCode::NOT_MODIFIED => {
                Err(FetchError::Redirected(status.as_u16()))
            }
            status => Err(FetchError::Status(status.as_u16())),
        }
    }

    /// The entity tag is remembered only with a set that was good, so that "not modified" never confirms a bad one.
    async fn read(&mut self, mut response: Response) -> Result<JwkSet, FetchError> {
        let etag = response.headers().get(ETAG).filter(|etag| etag.len() <= ETAG_BYTES_MAX).cloned();
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.failed(error))? {
            if bytes.len() + chunk.len() > JWKS_BYTES_MAX {
                return Err(FetchError::TooLong);
            }
            bytes.extend_from_slice(&chunk);
        }
        let set = JwkSet::parse(&bytes)?;
        self.etag = etag;
        Ok(set)
    }

    fn failed(&self, error: reqwest::Error) -> FetchError {
        if error.is_timeout() { FetchError::TimedOut(self.keys.timeout) } else { FetchError::Unreachable(plain(error)) }
    }
}

/// Plain http needs no certificates, which a minimal image may not have, and no proxy sees this machine's own services.
fn client(keys: &RemoteKeys, roots: Option<Vec<Certificate>>) -> Result<Client, RemoteKeysError> {
    let builder = Client::builder()
        .user_agent(concat!("cress-verify/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .connect_timeout(CONNECT_TIMEOUT.min(keys.timeout))
        .timeout(keys.timeout);
    let builder = match roots {
        roots if !keys.url().starts_with("https:") => builder.tls_certs_only(roots.unwrap_or_default()).no_proxy(),
        Some(roots) => builder.https_only(true).tls_certs_only(roots),
        None => builder.https_only(true),
    };
    builder.build().map_err(|error| RemoteKeysError::Client(plain(error)))
}

/// The innermost cause, which is the one that says something, such as "connection refused".
pub(super) fn plain(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
