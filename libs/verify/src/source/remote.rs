// SPDX-License-Identifier: Apache-2.0
//! A key set at a URL, or where its issuer's discovery document says.
//!
//! Whoever answers in the issuer's place decides which tokens are good, so: https with certificates checked, or plain http to
//! this machine itself; no redirects; nothing is sent that would be worth stealing; bounded time and size.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use cress_domain::Issuer;
use reqwest::Certificate;
use url::{Host, Url};

use super::RefreshBounds;

/// Time in which the answer must be complete.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);
const TIMEOUT_MAX: Duration = Duration::from_secs(60);
const URL_BYTES_MAX: usize = 2_048;
/// Longest file of certificate authorities: that of a whole system has a fifth of it.
const ROOTS_BYTES_MAX: u64 = 1_048_576;
/// What follows an issuer in its document's URL (OpenID Connect Discovery 1.0 section 4).
const DISCOVERY_PATH: &str = "/.well-known/openid-configuration";

/// A URL that publishes a JSON Web Key Set, or an issuer that says where it is, and how the set is fetched.
///
/// A proxy from the environment (`HTTPS_PROXY`, `NO_PROXY`) is used for https and never for plain http.
#[derive(Debug, Clone)]
pub struct RemoteKeys {
    pub(super) location: Location,
    pub(super) timeout: Duration,
    pub(super) refresh: RefreshBounds,
    pub(super) roots: Roots,
}

/// What says where the set is.
#[derive(Debug, Clone)]
pub(super) enum Location {
    /// The set's own URL.
    KeySet(Url),
    /// An issuer's discovery document.
    Document { issuer: Issuer, url: Url },
}

/// Whose certificates are trusted.
#[derive(Debug, Clone)]
pub(super) enum Roots {
    /// Those that the system trusts.
    System,
    Given(Vec<Certificate>),
    /// Those of a file, as it is at each look.
    File(PathBuf),
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
    /// An issuer that is no https URL, nor one of this machine.
    #[error(
        "expected an https issuer, or an http one of this machine, whose discovery document says where its keys are"
    )]
    Issuer,
    /// A user name or password in the URL: it would end up in log lines.
    #[error("expected a key set's URL without user name and password")]
    Credentials,
    /// No time at all, or too much.
    #[error("expected a time limit of up to {} seconds for fetching keys", TIMEOUT_MAX.as_secs())]
    Timeout,
    /// Bounds in the wrong order, or zero.
    #[error("expected refresh bounds of 0 < min <= default <= max")]
    Refresh,
    /// Certificates that are none, or more than a mebibyte of them.
    #[error("expected PEM certificates to trust for the key set's URL")]
    Roots,
    /// A file of certificates that cannot be read.
    #[error("the file of certificate authorities cannot be read: {0}")]
    RootsFile(io::ErrorKind),
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
        Ok(Self::at(Location::KeySet(key_set_url(url)?)))
    }

    /// Keys where the issuer's discovery document (`/.well-known/openid-configuration`) says in `jwks_uri`. The document is fetched as
    /// a key set is: https or this machine, no redirects, bounded time and size. It must name this issuer, to the letter, and the set of an
    /// https issuer must be at an https URL. It is read again now and then, and when the set cannot be had.
    ///
    /// # Errors
    /// [`RemoteKeysError::Issuer`], [`RemoteKeysError::Credentials`].
    pub fn discovered(issuer: &Issuer) -> Result<Self, RemoteKeysError> {
        let url = format!("{}{DISCOVERY_PATH}", issuer.as_str().trim_end_matches('/'));
        let url = key_set_url(&url).map_err(|error| match error {
            RemoteKeysError::Url => RemoteKeysError::Issuer,
            other => other,
        })?;
        Ok(Self::at(Location::Document { issuer: issuer.clone(), url }))
    }

    fn at(location: Location) -> Self {
        Self { location, timeout: TIMEOUT_DEFAULT, refresh: RefreshBounds::default(), roots: Roots::System }
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
        self.roots = Roots::Given(certificates(pem)?);
        Ok(self)
    }

    /// Trusts the certificate authorities in this file (PEM) and no others. It is looked at again whenever keys are fetched, so that an
    /// authority that is replaced needs no restart; while it cannot be read, no keys are fetched. Blocks on the disk.
    ///
    /// # Errors
    /// [`RemoteKeysError::RootsFile`], [`RemoteKeysError::Roots`].
    pub fn with_only_roots_of(mut self, file: &Path) -> Result<Self, RemoteKeysError> {
        certificates(&read_roots(file)?)?;
        self.roots = Roots::File(file.to_owned());
        Ok(self)
    }

    /// The URL: of the set, or of the document that says where it is.
    #[must_use]
    pub fn url(&self) -> &str {
        match &self.location {
            Location::KeySet(url) | Location::Document { url, .. } => url.as_str(),
        }
    }
}

/// What is acceptable as the URL of a key set.
pub(super) fn key_set_url(text: &str) -> Result<Url, RemoteKeysError> {
    let url = Url::parse(text).ok().filter(|_| text.len() <= URL_BYTES_MAX).ok_or(RemoteKeysError::Url)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(RemoteKeysError::Credentials);
    }
    if url.scheme() != "https" && !is_plain_and_local(&url) {
        return Err(RemoteKeysError::Url);
    }
    Ok(url)
}

/// A file of certificate authorities, not yet looked into.
pub(super) fn read_roots(file: &Path) -> Result<Vec<u8>, RemoteKeysError> {
    let failed = |error: io::Error| RemoteKeysError::RootsFile(error.kind());
    let mut pem = Vec::new();
    let read =
        File::open(file).and_then(|file| file.take(ROOTS_BYTES_MAX + 1).read_to_end(&mut pem)).map_err(failed)?;
    if read as u64 > ROOTS_BYTES_MAX { Err(RemoteKeysError::Roots) } else { Ok(pem) }
}

pub(super) fn certificates(pem: &[u8]) -> Result<Vec<Certificate>, RemoteKeysError> {
    let roots = Certificate::from_pem_bundle(pem).map_err(|_| RemoteKeysError::Roots)?;
    if roots.is_empty() { Err(RemoteKeysError::Roots) } else { Ok(roots) }
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
    fn issuers_that_can_be_asked_are_urls() {
        for (issuer, document) in [
            ("https://issuer.example", "https://issuer.example/.well-known/openid-configuration"),
            ("https://issuer.example/", "https://issuer.example/.well-known/openid-configuration"),
            ("https://issuer.example/a/b", "https://issuer.example/a/b/.well-known/openid-configuration"),
            ("http://127.0.0.1:8420", "http://127.0.0.1:8420/.well-known/openid-configuration"),
        ] {
            assert_eq!(RemoteKeys::discovered(&issuer.parse().unwrap()).unwrap().url(), document);
        }
        for (issuer, expected) in [
            ("http://issuer.example", RemoteKeysError::Issuer),
            ("https://u@issuer.example", RemoteKeysError::Credentials),
        ] {
            assert_eq!(RemoteKeys::discovered(&issuer.parse().unwrap()).unwrap_err(), expected, "{issuer}");
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
        let missing = keys().with_only_roots_of(Path::new("/nowhere/ca.pem")).unwrap_err();
        assert_eq!(missing, RemoteKeysError::RootsFile(io::ErrorKind::NotFound));
        assert_eq!(keys().with_only_roots_of(Path::new("/dev/null")).unwrap_err(), RemoteKeysError::Roots);
    }
}
