// SPDX-License-Identifier: Apache-2.0
//! What a user gives, parsed into what can only mean one thing in every configuration format.

use std::net::SocketAddr;
use std::str::FromStr;

use anyhow::{bail, ensure};
use cress_authz::check_identity_header;
use cress_verify::RemoteKeys;
use url::{Host, Url};

/// Longest name of a claim that becomes a header.
const CLAIM_BYTES_MAX: usize = 64;

/// A server that is reached over plain HTTP: a host and a port, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    host: String,
    port: u16,
}

impl Endpoint {
    /// An IPv6 address stands in brackets.
    pub(super) fn host_and_port(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// As sockets are given: without brackets.
    pub(super) fn address(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    pub(super) const fn port(&self) -> u16 {
        self.port
    }
}

impl FromStr for Endpoint {
    type Err = anyhow::Error;
    fn from_str(text: &str) -> anyhow::Result<Self> {
        let expected = "expected http://HOST:PORT, with nothing after it and no user name";
        let Ok(url) = Url::parse(text) else { bail!("{expected}") };
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let anonymous = url.username().is_empty() && url.password().is_none();
        ensure!(url.scheme() == "http" && bare && anonymous, "{expected}");
        let (Some(host), Some(port)) = (safe_host(&url), url.port_or_known_default()) else { bail!("{expected}") };
        Ok(Self { host, port })
    }
}

/// Hosts of letters, digits, dots and hyphens, or addresses: nothing that a configuration could take for its own.
fn safe_host(url: &Url) -> Option<String> {
    let host = match url.host()? {
        Host::Domain(name) => name.to_owned(),
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => format!("[{address}]"),
    };
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']');
    (!host.starts_with('-') && host.bytes().all(safe)).then_some(host)
}

/// Where a proxy listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ListenAddress(pub(super) SocketAddr);

impl FromStr for ListenAddress {
    type Err = anyhow::Error;
    fn from_str(text: &str) -> anyhow::Result<Self> {
        match text.parse() {
            Ok(address) => Ok(Self(address)),
            Err(_) => bail!("expected an address with a port, such as 127.0.0.1:8080 or 0.0.0.0:8080"),
        }
    }
}

/// Where an issuer publishes its keys: https, or http on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct JwksUrl {
    url: Url,
    host: String,
}

impl JwksUrl {
    pub(super) fn as_str(&self) -> &str {
        self.url.as_str()
    }

    pub(super) fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Without brackets.
    pub(super) fn address(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    pub(super) fn port(&self) -> u16 {
        self.url.port_or_known_default().unwrap_or(443)
    }
}

impl FromStr for JwksUrl {
    type Err = anyhow::Error;
    fn from_str(text: &str) -> anyhow::Result<Self> {
        RemoteKeys::new(text)?;
        let url = Url::parse(text)?;
        ensure!(url.fragment().is_none(), "expected a key set's URL without a fragment");
        let Some(host) = safe_host(&url) else { bail!("expected a key set's URL with a host") };
        Ok(Self { url, host })
    }
}

/// A header that tells the service a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IdentityHeader {
    name: String,
    claim: String,
}

impl IdentityHeader {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn claim(&self) -> &str {
        &self.claim
    }

    /// The name as part of a variable's name.
    pub(super) fn variable(&self) -> String {
        self.name.to_ascii_lowercase().replace('-', "_")
    }
}

impl FromStr for IdentityHeader {
    type Err = anyhow::Error;
    fn from_str(text: &str) -> anyhow::Result<Self> {
        let Some((name, claim)) = text.split_once('=') else {
            bail!("expected NAME=CLAIM, such as X-Workload-Id=salad_workload_id");
        };
        check_identity_header(name)?;
        ensure!(
            is_plain_claim(claim),
            "expected a claim's name of at most {CLAIM_BYTES_MAX} letters, digits and underscores"
        );
        Ok(Self { name: name.to_owned(), claim: claim.to_owned() })
    }
}

/// Whether a claim's name is one in every proxy's language of paths.
pub(super) fn is_plain_claim(name: &str) -> bool {
    (1..=CLAIM_BYTES_MAX).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T: FromStr<Err = anyhow::Error>>(good: &[&str], bad: &[&str]) {
        for text in good {
            assert!(text.parse::<T>().is_ok(), "{text:?}: {:?}", text.parse::<T>().err());
        }
        for text in bad {
            assert!(text.parse::<T>().is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn servers_are_a_host_and_a_port() {
        check::<Endpoint>(
            &["http://127.0.0.1:8423", "http://authz:80/", "http://[::1]:9", "http://authz.mesh.svc.cluster.local"],
            &[
                "",
                "127.0.0.1:8423",
                "https://authz:1",
                "http://authz:1/verify",
                "http://authz:1/?x",
                "http://authz:1/#x",
                "http://u:p@authz:1",
                "http://a;b:1",
                "http://a{b}:1",
                "http://$a:1",
                "http://a_b:1",
                "http://a\"b:1",
                "http://a'b:1",
                "http://-a:1",
                "unix:/x",
            ],
        );
        let six: Endpoint = "http://[::1]:9".parse().unwrap();
        assert_eq!((six.host_and_port().as_str(), six.address(), six.port()), ("[::1]:9", "::1", 9));
    }

    #[test]
    fn proxies_listen_at_addresses() {
        check::<ListenAddress>(
            &["0.0.0.0:80", "[::]:80"],
            &["", "80", ":80", "host:80", "127.0.0.1:80; x", "127.0.0.1"],
        );
    }

    #[test]
    fn keys_come_from_where_they_can_be_trusted() {
        check::<JwksUrl>(
            &["https://a.example/keys", "http://127.0.0.1:1/x?y", "https://a/'b;c{d}$e"],
            &["http://a.example/keys", "https://u@a/", "https://a/#x", "ftp://a", "https://a_b/"],
        );
    }

    #[test]
    fn headers_are_the_services_own() {
        check::<IdentityHeader>(
            &["X-Workload-Id=salad_workload_id", "Who=sub"],
            &[
                "X-Workload-Id",
                "X-Workload-Id=",
                "=sub",
                "X_Workload_Id=sub",
                "X-A\r\nX-B=sub",
                "X A=sub",
                "-X=sub",
                "X:A=sub",
                "X{a}=sub",
                "Authorization=sub",
                "hOST=sub",
                "X-Forwarded-User=sub",
                "X-Envoy-Original-Path=sub",
                "X-A=a-b",
                "X-A=a.b",
                "X-A=a'b",
                "X-A=a%b",
                "X-A=a b",
                "X-A=$.sub",
            ],
        );
    }
}
