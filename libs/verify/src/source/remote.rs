// SPDX-License-Identifier: Apache-2.0
//! A key set at a URL.
//!
//! Whoever answers in the issuer's place decides which tokens are good, so: https with certificates checked, or plain http to
//! this machine itself; no redirects; nothing is sent that would be worth stealing; bounded time and size.

use std::time::Duration;

use cress_jose::{JWKS_BYTES_MAX, JwkSet};
use http::header::{ACCEPT, ETAG, IF_NONE_MATCH};
use http::{HeaderValue, StatusCode};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, ClientBuilder, Response};
use url::{Host, Url};

use super::{FetchError, Fetched, RefreshBounds};

/// Time in which a connection must be there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Time in which the answer must be complete.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);
const TIMEOUT_MAX: Duration = Duration::from_secs(60);
/// Longest entity tag that is remembered.
const ETAG_BYTES_MAX: usize = 256;
const URL_BYTES_MAX: usize = 2_048;

/// A URL that publishes a JSON Web Key Set, and how it is fetched.
///
/// A proxy from the environment (`HTTPS_PROXY`, `NO_PROXY`) is used for https and never for plain http.
#[derive(Debug, Clone)]
pub struct RemoteKeys {
    url: Url,
    timeout: Duration,
    refresh: RefreshBounds,
    roots: Option<Vec<Certificate>>,
}

/// A URL or setting that is not acceptable for keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteKeysError {
    /// No URL, or no https and not this machine.
    #[error(
        "expected an https URL, or an http URL of this machine (127.0.0.1, [::1], localhost), as the key set's URL"
    )]
    Url,
    /// A user name or password in the URL: it would end up in log lines.
    #[error("expected a key set's URL without user name and password")]
    Credentials,
    /// No time at all, or too much.
    #[error("expected a time limit of up to {} seconds for fetching keys", TIMEOUT_MAX.as_secs())]
    Timeout,
    /// Bounds in the wrong order, or zero.
    #[error("expected refresh bounds of 0 < min <= default <= max")]
    Refresh,
    /// Certificates that are none.
    #[error("expected PEM certificates to trust for the key set's URL")]
    Roots,
    /// The TLS library refused to start, for example because the system has no certificates.
    #[error("no client for the key set's URL: {0}")]
    Client(String),
}

impl RemoteKeys {
    /// Keys at this URL.
    ///
    /// # Errors
    /// [`RemoteKeysError::Url`], [`RemoteKeysError::Credentials`].
    pub fn new(url: &str) -> Result<Self, RemoteKeysError> {
        let url = Url::parse(url).ok().filter(|_| url.len() <= URL_BYTES_MAX).ok_or(RemoteKeysError::Url)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(RemoteKeysError::Credentials);
        }
        if url.scheme() != "https" && !is_plain_and_local(&url) {
            return Err(RemoteKeysError::Url);
        }
        let refresh = RefreshBounds::default();
        Ok(Self { url, timeout: TIMEOUT_DEFAULT, refresh, roots: None })
    }

    /// Another time limit for a whole fetch than 5 seconds; up to a minute.
    ///
    /// # Errors
    /// [`RemoteKeysError::Timeout`].
    pub fn with_timeout(mut self, timeout: Duration) -> Result<Self, RemoteKeysError> {
        self.timeout = timeout;
        let allowed = !timeout.is_zero() && timeout <= TIMEOUT_MAX;
        if allowed { Ok(self) } else { Err(RemoteKeysError::Timeout) }
    }

    /// Other bounds for looking at the set again than `min` 15 s, `default` 5 minutes and `max` an hour: never more often than `min`
    /// unless a token names an unknown key, after `default` where the answer says nothing, and after `max` whatever it says.
    ///
    /// # Errors
    /// [`RemoteKeysError::Refresh`].
    pub fn with_refresh(mut self, min: Duration, default: Duration, max: Duration) -> Result<Self, RemoteKeysError> {
        self.refresh = RefreshBounds { min, default, max };
        let ordered = !min.is_zero() && min <= default && default <= max;
        if ordered { Ok(self) } else { Err(RemoteKeysError::Refresh) }
    }

    /// Trusts these certificate authorities (PEM) and no others, for an issuer with an authority of its own.
    ///
    /// # Errors
    /// [`RemoteKeysError::Roots`].
    pub fn with_only_roots(mut self, pem: &[u8]) -> Result<Self, RemoteKeysError> {
        let roots = Certificate::from_pem_bundle(pem).map_err(|_| RemoteKeysError::Roots)?;
        if roots.is_empty() {
            return Err(RemoteKeysError::Roots);
        }
        self.roots = Some(roots);
        Ok(self)
    }

    /// The URL.
    #[must_use]
    pub fn url(&self) -> &str {
        self.url.as_str()
    }

    fn client(&self) -> Result<Client, RemoteKeysError> {
        let builder = Client::builder()
            .user_agent(concat!("cress-verify/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT.min(self.timeout))
            .timeout(self.timeout);
        self.trust(builder).build().map_err(|error| RemoteKeysError::Client(plain(error)))
    }

    /// Plain http needs no certificates, which a minimal image may not have, and no proxy sees this machine's own services.
    fn trust(&self, builder: ClientBuilder) -> ClientBuilder {
        match &self.roots {
            _ if self.url.scheme() != "https" => builder.tls_certs_only([]).no_proxy(),
            Some(roots) => builder.https_only(true).tls_certs_only(roots.clone()),
            None => builder.https_only(true),
        }
    }
}

fn is_plain_and_local(url: &Url) -> bool {
    let local = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    url.scheme() == "http" && local
}

/// Fetches the set, and asks only for what has changed.
pub(crate) struct RemoteFetcher {
    keys: RemoteKeys,
    client: Client,
    etag: Option<HeaderValue>,
}

impl RemoteFetcher {
    pub(crate) fn new(keys: RemoteKeys) -> Result<Self, RemoteKeysError> {
        let client = keys.client()?;
        Ok(Self { keys, client, etag: None })
    }

    pub(crate) const fn url(&self) -> &Url {
        &self.keys.url
    }

    pub(crate) async fn fetch(&mut self) -> Result<Fetched, FetchError> {
        let mut request =
            self.client.get(self.keys.url.clone()).header(ACCEPT, "application/jwk-set+json, application/json");
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

/// The innermost cause, which is the one that says something, such as "connection refused".
fn plain(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_over_https_or_from_this_machine() {
        for good in [
            "https://issuer.example/.well-known/workload-jwks.json",
            "https://127.0.0.1:8443/jwks",
            "http://127.0.0.1:8420/jwks",
            "http://127.8.9.1/jwks",
            "http://[::1]:8420/jwks",
            "http://localhost/jwks",
        ] {
            assert!(RemoteKeys::new(good).is_ok(), "{good} was refused");
        }
        for bad in [
            "",
            "issuer.example",
            "http://issuer.example/jwks",
            "http://localhost.issuer.example/jwks",
            "http://169.254.169.254/jwks",
            "http://10.0.0.1/jwks",
            "http://0.0.0.0/jwks",
            "file:///etc/jwks",
            "ftp://127.0.0.1/jwks",
            "unix:/run/x",
            &format!("https://issuer.example/{}", "x".repeat(URL_BYTES_MAX)),
        ] {
            assert_eq!(RemoteKeys::new(bad).unwrap_err(), RemoteKeysError::Url, "{bad}");
        }
        for bad in ["https://user@issuer.example/", "https://user:secret@issuer.example/", "http://:x@127.0.0.1/"] {
            assert_eq!(RemoteKeys::new(bad).unwrap_err(), RemoteKeysError::Credentials, "{bad}");
        }
    }

    #[test]
    fn settings_are_checked() {
        let keys = || RemoteKeys::new("https://issuer.example/jwks").unwrap();
        let seconds = Duration::from_secs;
        assert!(keys().with_timeout(seconds(60)).is_ok());
        for bad in [seconds(0), seconds(61)] {
            assert_eq!(keys().with_timeout(bad).unwrap_err(), RemoteKeysError::Timeout);
        }
        assert!(keys().with_refresh(seconds(1), seconds(1), seconds(1)).is_ok());
        for (min, default, max) in [(0, 1, 1), (2, 1, 3), (1, 3, 2)] {
            let error = keys().with_refresh(seconds(min), seconds(default), seconds(max)).unwrap_err();
            assert_eq!(error, RemoteKeysError::Refresh);
        }
        for bad in ["", "no certificate", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"] {
            assert_eq!(keys().with_only_roots(bad.as_bytes()).unwrap_err(), RemoteKeysError::Roots, "{bad}");
        }
    }
}
