// SPDX-License-Identifier: Apache-2.0
//! Where a node is.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::Deserialize;

use crate::limits::HOST_BYTES_MAX;

/// A host, which is a name or an IP address, and a port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// A text that is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected <host>:<port>, such as redis.example:6379 or [2001:db8::1]:6379, got {0:?}")]
pub(crate) struct AddressError(String);

impl Address {
    /// An address of a host that was told by a server. Bounded, since it goes into messages.
    pub(crate) fn new(host: &str, port: u16) -> Option<Self> {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:%".contains(&byte);
        let fits = (1..=HOST_BYTES_MAX).contains(&host.len()) && host.bytes().all(good) && port != 0;
        fits.then(|| Self { host: host.to_owned(), port })
    }

    /// Whether what is said there stays on this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        let ip = self.host.parse::<IpAddr>();
        self.host == "localhost" || ip.is_ok_and(|ip| ip.to_canonical().is_loopback())
    }
}

impl FromStr for Address {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let wrong = || AddressError(text.chars().take(HOST_BYTES_MAX).collect());
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        // More than one colon outside of brackets leaves open where the port begins.
        if bare.is_none() && host.contains(':') {
            return Err(wrong());
        }
        let port = port.parse().map_err(|_| wrong())?;
        Self::new(bare.unwrap_or(host), port).ok_or_else(wrong)
    }
}

impl TryFrom<String> for Address {
    type Error = AddressError;
    fn try_from(text: String) -> Result<Self, AddressError> {
        text.parse()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (host, port) = (&self.host, self.port);
        if host.contains(':') { write!(formatter, "[{host}]:{port}") } else { write!(formatter, "{host}:{port}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_spelling() {
        for good in ["redis.example:6379", "127.0.0.1:1", "[2001:db8::1]:6379", "localhost:6379"] {
            assert_eq!(good.parse::<Address>().unwrap().to_string(), good);
        }
        for bad in [
            "",
            "redis.example",
            "redis.example:",
            ":6379",
            "h:0",
            "h:65536",
            "2001:db8::1:6379",
            "a b:1",
            "a\n:1",
            "h@x:1",
        ] {
            assert!(bad.parse::<Address>().is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn loopback_is_known() {
        for (address, expected) in
            [("localhost:1", true), ("127.8.0.1:1", true), ("[::1]:1", true), ("10.0.0.1:1", false), ("redis:1", false)]
        {
            assert_eq!(address.parse::<Address>().unwrap().is_loopback(), expected, "{address}");
        }
    }
}
