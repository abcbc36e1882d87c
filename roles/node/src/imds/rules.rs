// SPDX-License-Identifier: Apache-2.0
//! The rules that every request must pass, whatever it asks for. They keep out what reaches the service by way of
//! something else than the instance's own code: a proxy that forwards, a server that can be talked into fetching an
//! address (it cannot add headers), a browser that was given a name for this address (DNS rebinding).

use std::net::SocketAddr;

use http::header::{self, HeaderMap, HeaderName};
use http::request::Parts;

use super::limits::{HEADERS_MAX, TARGET_BYTES_MAX};
use super::refusal::Refusal;

/// What a `Host` header may say: the address that the listener is bound to, with or without its port, and nothing else.
/// `localhost` is not among them either: a caller that uses the address never depends on a resolver.
#[derive(Debug)]
pub(super) struct Hosts {
    with_port: String,
    address_length: usize,
}

impl Hosts {
    pub(super) fn new(bound: SocketAddr) -> Self {
        let with_port = bound.to_string();
        let address_length = with_port.rfind(':').unwrap_or(with_port.len());
        Self { with_port, address_length }
    }

    fn allow(&self, host: &[u8]) -> bool {
        let with_port = self.with_port.as_bytes();
        host == with_port || with_port.get(..self.address_length) == Some(host)
    }
}

/// Checks a request's head. One pass over the headers.
pub(super) fn check(head: &Parts, hosts: &Hosts) -> Result<(), Refusal> {
    let target_bytes = head.uri.path().len() + head.uri.query().map_or(0, |query| query.len() + 1);
    if target_bytes > TARGET_BYTES_MAX {
        return Err(Refusal::TargetTooLong);
    }
    if head.headers.len() > HEADERS_MAX {
        return Err(Refusal::HeadTooLarge);
    }
    // A target in absolute form (RFC 9112 section 3.2.2) is what clients send to proxies, authority form belongs to CONNECT.
    if head.uri.scheme().is_some() || head.uri.authority().is_some() || !head.uri.path().starts_with('/') {
        return Err(Refusal::OriginFormRequired);
    }
    let seen = Seen::of(&head.headers, hosts);
    match seen {
        Seen { hosts: 0 | 2.., .. } => Err(Refusal::HostInvalid),
        Seen { foreign_host: true, .. } => Err(Refusal::HostNotAllowed),
        Seen { forwarded: true, .. } => Err(Refusal::ForwardedNotAllowed),
        Seen { metadata: 1, metadata_true: true, .. } => Ok(()),
        Seen { .. } => Err(Refusal::MetadataRequired),
    }
}

#[derive(Default)]
struct Seen {
    hosts: usize,
    foreign_host: bool,
    forwarded: bool,
    metadata: usize,
    metadata_true: bool,
}

impl Seen {
    fn of(headers: &HeaderMap, allowed: &Hosts) -> Self {
        let mut seen = Self::default();
        for (name, value) in headers {
            if name == header::HOST {
                seen.hosts += 1;
                seen.foreign_host |= !allowed.allow(value.as_bytes());
            } else if name.as_str() == "metadata" {
                seen.metadata += 1;
                seen.metadata_true = value.as_bytes() == b"true";
            } else {
                seen.forwarded |= is_forwarded(name);
            }
        }
        seen
    }
}

/// `Forwarded` (RFC 7239) and every `X-Forwarded-*`, of which there is no complete list.
fn is_forwarded(name: &HeaderName) -> bool {
    let name = name.as_str();
    name == "forwarded" || name.starts_with("x-forwarded")
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    const BOUND: &str = "169.254.169.254:80";

    fn verdict(target: &str, headers: &[(&str, &str)]) -> Result<(), Refusal> {
        let request =
            headers.iter().fold(Request::builder().uri(target), |builder, (name, value)| builder.header(*name, *value));
        check(&request.body(()).unwrap().into_parts().0, &Hosts::new(BOUND.parse().unwrap()))
    }

    #[test]
    fn the_host_is_the_bound_address_with_or_without_its_port() {
        for (bound, good, bad) in [
            (BOUND, vec!["169.254.169.254", BOUND], vec!["169.254.169.254:8080", "169.254.169.254:", "metadata"]),
            (
                "127.0.0.1:8440",
                vec!["127.0.0.1", "127.0.0.1:8440"],
                vec!["127.0.0.1:8441", "localhost:8440", "localhost", "127.0.0.10", "127.0.0.1.nip.io", "127.1", ""],
            ),
            ("[::1]:8440", vec!["[::1]", "[::1]:8440"], vec!["::1", "[::1]:", "[", "[::2]"]),
        ] {
            let hosts = Hosts::new(bound.parse().unwrap());
            for host in good {
                assert!(hosts.allow(host.as_bytes()), "{host:?} was refused at {bound}");
            }
            for host in bad {
                assert!(!hosts.allow(host.as_bytes()), "{host:?} was accepted at {bound}");
            }
        }
    }

    #[test]
    fn each_rule_refuses_what_breaks_it() {
        let host = ("host", BOUND);
        let metadata = ("metadata", "true");
        assert_eq!(verdict("/v1/token", &[host, metadata]), Ok(()));
        for (target, headers, refusal) in [
            ("/v1/token", vec![metadata], Refusal::HostInvalid),
            ("/v1/token", vec![host, host, metadata], Refusal::HostInvalid),
            ("/v1/token", vec![("host", "evil.example"), metadata], Refusal::HostNotAllowed),
            ("/v1/token", vec![("host", "169.254.169.254@evil.example"), metadata], Refusal::HostNotAllowed),
            ("/v1/token", vec![host], Refusal::MetadataRequired),
            ("/v1/token", vec![host, metadata, metadata], Refusal::MetadataRequired),
            ("/v1/token", vec![host, ("metadata", "True")], Refusal::MetadataRequired),
            ("/v1/token", vec![host, ("metadata", "true, true")], Refusal::MetadataRequired),
            ("/v1/token", vec![host, ("metadata", "")], Refusal::MetadataRequired),
            ("/v1/token", vec![host, metadata, ("forwarded", "for=1.2.3.4")], Refusal::ForwardedNotAllowed),
            ("/v1/token", vec![host, metadata, ("x-forwarded-for", "")], Refusal::ForwardedNotAllowed),
            ("/v1/token", vec![host, metadata, ("x-forwarded-anything", "x")], Refusal::ForwardedNotAllowed),
            ("/v1/token", vec![host, metadata, ("x-forwarded", "x")], Refusal::ForwardedNotAllowed),
            ("http://169.254.169.254/v1/token", vec![host, metadata], Refusal::OriginFormRequired),
            ("169.254.169.254:80", vec![host, metadata], Refusal::OriginFormRequired),
            ("*", vec![host, metadata], Refusal::OriginFormRequired),
        ] {
            assert_eq!(verdict(target, &headers), Err(refusal), "{target} {headers:?}");
        }
    }

    #[test]
    fn sizes_are_bounded() {
        let host = ("host", BOUND);
        let metadata = ("metadata", "true");
        let long = format!("/{}", "a".repeat(TARGET_BYTES_MAX));
        assert_eq!(verdict(&long, &[host, metadata]), Err(Refusal::TargetTooLong));
        let mut many = vec![("x-filler", "x"); HEADERS_MAX - 2];
        many.extend([host, metadata]);
        assert_eq!(verdict("/", &many), Ok(()));
        many.push(("x-filler", "x"));
        assert_eq!(verdict("/", &many), Err(Refusal::HeadTooLarge));
    }
}
