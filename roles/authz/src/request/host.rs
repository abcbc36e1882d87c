// SPDX-License-Identifier: Apache-2.0
//! Hosts as they are compared: in small letters and without a port. A dot at the end is refused: some take such a host for another.

use std::borrow::Cow;

/// Longest host with its port: 253 bytes of a name, a colon and a port.
const BYTES_MAX: usize = 259;

/// A text that is no host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected one host name or address without a dot at its end, with or without a port")]
pub(crate) struct HostError;

/// The host in a `Host` header or one like it.
pub(crate) fn read_host(text: &str) -> Result<Cow<'_, str>, HostError> {
    if text.len() > BYTES_MAX {
        return Err(HostError);
    }
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => {
            address.parse::<std::net::Ipv6Addr>().map_err(|_| HostError)?;
            (text.get(..address.len().saturating_add(2)).unwrap_or(text), port)
        }
        None => {
            let (host, port) = text.split_at(text.find(':').unwrap_or(text.len()));
            (name(host)?, port)
        }
    };
    let port_is_good = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
    if !port_is_good {
        return Err(HostError);
    }
    let has_capitals = host.bytes().any(|byte| byte.is_ascii_uppercase());
    Ok(if has_capitals { Cow::Owned(host.to_ascii_lowercase()) } else { Cow::Borrowed(host) })
}

fn name(host: &str) -> Result<&str, HostError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let is_good = !host.is_empty() && host.bytes().all(allowed) && !host.split('.').any(str::is_empty);
    if is_good { Ok(host) } else { Err(HostError) }
}

fn is_port(port: &str) -> bool {
    port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read_in_one_way() {
        for (text, host) in [
            ("a.example", "a.example"),
            ("A.Example:8443", "a.example"),
            ("127.0.0.1:80", "127.0.0.1"),
            ("[::1]:80", "[::1]"),
            ("[::1]", "[::1]"),
            ("a_b.example", "a_b.example"),
        ] {
            assert_eq!(read_host(text).as_deref(), Ok(host), "{text}");
        }
        let long = "a".repeat(260);
        for text in [
            "",
            ".",
            "a..b",
            ".a",
            ":80",
            "a b",
            "a,b",
            "a/b",
            "a@b",
            "a:b",
            "a:80:81",
            "a:123456",
            "[::1",
            "[x]:80",
            "[::1]x",
            "é",
            "a%2eb",
            "*.example",
            "a..",
            "a.example.",
            "a.example.:80",
            "127.0.0.1.",
            &long,
        ] {
            assert_eq!(read_host(text), Err(HostError), "{text}");
        }
    }
}
