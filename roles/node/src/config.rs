// SPDX-License-Identifier: Apache-2.0
//! What an operator may set about a node, and the checks that no type can carry.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use cress_domain::Secret;
use http::Uri;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use crate::imds;

/// Longest name of a node, in bytes (as in the node protocol).
const NAME_BYTES_MAX: usize = 255;
/// Most instances that one node may run: each has a process, a metadata service and a port of its own.
const CAPACITY_MAX: u32 = 1_000;
/// Where Linux tells the host name.
const HOST_NAME_FILE: &str = "/proc/sys/kernel/hostname";

/// The configuration of a node.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Directory for the node's key, its certificate and its notes; the node's alone.
    pub data_dir: PathBuf,
    /// Where control is.
    pub control: Control,
    /// File that holds a join token. Needed once: a node that is a member of the fleet ignores it.
    #[serde(default)]
    pub join_token_file: Option<PathBuf>,
    /// A join token itself, where no file can be had, such as in `CRESS_NODE_JOIN_TOKEN`.
    #[serde(default, deserialize_with = "secret")]
    #[schemars(with = "Option<String>", extend("writeOnly" = true))]
    pub join_token: Option<Secret<String>>,
    /// Name of the node for people, 1 to 255 bytes; the host name where nothing is set.
    #[serde(default)]
    pub name: Option<String>,
    /// How many instances the node is ready to run, 1 to 1000.
    #[serde(default = "capacity_default")]
    #[schemars(range(min = 1, max = 1000))]
    pub capacity: u32,
    /// The instances' metadata services.
    #[serde(default)]
    pub imds: Imds,
    /// The node's metrics.
    #[serde(default)]
    pub metrics: Metrics,
    /// How many seconds instances and requests get to end when the node stops.
    #[serde(default = "drain_default")]
    pub drain_seconds: u32,
}

/// Where control is.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Control {
    /// URL of control's node API, `https://host:port`. Its certificate must be for this host.
    pub url: String,
}

/// The metadata services of instances that have no network of their own: each gets a port on one address.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Imds {
    /// The loopback address at which each instance gets a port.
    pub listen_address: IpAddr,
    /// The first of these ports: each instance gets the lowest that is free, and keeps it over a restart of the node.
    #[schemars(range(min = 1))]
    pub base_port: u16,
    /// Limits of each instance's metadata service.
    pub limits: imds::Limits,
}

/// The node's metrics.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Metrics {
    /// Address and port of `GET /metrics`.
    pub listen: SocketAddr,
}

/// A configuration that cannot work. The message names the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Control's URL is none, or not an `https` one.
    #[error("key `control.url`: expected https://host:port, got {0:?}")]
    ControlUrl(String),
    /// No or too long a name.
    #[error("key `name`: expected 1 to {NAME_BYTES_MAX} bytes, got {0}")]
    Name(usize),
    /// No room for any instance, or for too many.
    #[error("key `capacity`: expected 1 to {CAPACITY_MAX}, got {0}")]
    Capacity(u32),
    /// An address that others could reach.
    #[error(
        "key `imds.listen_address`: expected a loopback address such as 127.0.0.1, got {0}; whoever reaches it gets the instances' tokens"
    )]
    NotLoopback(IpAddr),
    /// A port that leaves no port for instances.
    #[error("key `imds.base_port`: expected 1 to 65535, got {0}")]
    BasePort(u16),
    /// Two join tokens.
    #[error("expected one of the keys `join_token` and `join_token_file`, got both")]
    TwoJoinTokens,
}

impl Config {
    /// The configuration that has everything by default but these.
    #[must_use]
    pub fn new(data_dir: PathBuf, control_url: String) -> Self {
        Self {
            data_dir,
            control: Control { url: control_url },
            join_token_file: None,
            join_token: None,
            name: None,
            capacity: capacity_default(),
            imds: Imds::default(),
            metrics: Metrics::default(),
            drain_seconds: drain_default(),
        }
    }

    /// Checks what the types do not carry.
    ///
    /// # Errors
    /// [`ConfigError`] naming the first key that cannot work.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.control_uri()?;
        if let Some(length) = self.name.as_ref().map(String::len)
            && !(1..=NAME_BYTES_MAX).contains(&length)
        {
            return Err(ConfigError::Name(length));
        }
        if !(1..=CAPACITY_MAX).contains(&self.capacity) {
            return Err(ConfigError::Capacity(self.capacity));
        }
        if !self.imds.listen_address.is_loopback() {
            return Err(ConfigError::NotLoopback(self.imds.listen_address));
        }
        if self.imds.base_port == 0 {
            return Err(ConfigError::BasePort(self.imds.base_port));
        }
        if self.join_token.is_some() && self.join_token_file.is_some() {
            return Err(ConfigError::TwoJoinTokens);
        }
        Ok(())
    }

    /// Control's URL: `https`, a host, and nothing after the port.
    pub(crate) fn control_uri(&self) -> Result<Uri, ConfigError> {
        let refused = || ConfigError::ControlUrl(self.control.url.chars().take(NAME_BYTES_MAX).collect());
        let uri: Uri = self.control.url.parse().map_err(|_| refused())?;
        let has_host = uri.host().is_some_and(|host| !host.is_empty());
        let has_user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
        let is_plain = uri.scheme_str() == Some("https") && matches!(uri.path(), "" | "/") && uri.query().is_none();
        if has_host && is_plain && !has_user { Ok(uri) } else { Err(refused()) }
    }

    /// The name that people know the node by.
    pub(crate) fn node_name(&self) -> String {
        let host = || Some(std::fs::read_to_string(HOST_NAME_FILE).ok()?.trim().to_owned());
        let is_name = |name: &String| (1..=NAME_BYTES_MAX).contains(&name.len());
        self.name.clone().or_else(|| host().filter(is_name)).unwrap_or_else(|| "node".to_owned())
    }
}

impl Default for Imds {
    fn default() -> Self {
        Self { listen_address: Ipv4Addr::LOCALHOST.into(), base_port: 8_440, limits: imds::Limits::default() }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8_431)) }
    }
}

const fn capacity_default() -> u32 {
    100
}

const fn drain_default() -> u32 {
    10
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret<String>>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(Secret::new))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: impl FnOnce(&mut Config)) -> Result<(), ConfigError> {
        let mut config = Config::new("/var/lib/cress".into(), "https://control.example:8421".to_owned());
        change(&mut config);
        config.check()
    }

    #[test]
    fn what_cannot_work_is_named() {
        assert_eq!(check(|_| {}), Ok(()));
        assert_eq!(check(|config| config.control.url = "https://[::1]:8421/".to_owned()), Ok(()));
        for url in
            ["", "control:8421", "http://control:8421", "https://", "https://a:1/path", "https://a?b", "https://u@a"]
        {
            let error = check(|config| config.control.url = url.to_owned()).unwrap_err();
            assert!(error.to_string().starts_with("key `control.url`: expected https://host:port"), "{error}");
        }
        assert_eq!(check(|config| config.name = Some(String::new())), Err(ConfigError::Name(0)));
        assert_eq!(check(|config| config.capacity = 0), Err(ConfigError::Capacity(0)));
        assert_eq!(check(|config| config.capacity = 1_001), Err(ConfigError::Capacity(1_001)));
        assert_eq!(check(|config| config.imds.base_port = 0), Err(ConfigError::BasePort(0)));
        for address in ["0.0.0.0", "10.0.0.1", "169.254.169.254"] {
            let address = address.parse().unwrap();
            assert_eq!(check(|config| config.imds.listen_address = address), Err(ConfigError::NotLoopback(address)));
        }
        let both = |config: &mut Config| {
            config.join_token = Some(Secret::new("x".to_owned()));
            config.join_token_file = Some("y".into());
        };
        assert_eq!(check(both), Err(ConfigError::TwoJoinTokens));
    }

    #[test]
    fn a_join_token_is_read_and_not_shown() {
        let text = r#"{"data_dir":"/d","control":{"url":"https://c:1"},"join_token":"hunter2"}"#;
        let config: Config = serde_json::from_str(text).unwrap();
        assert_eq!(config.join_token.as_ref().unwrap().expose(), "hunter2");
        assert!(!format!("{config:?}").contains("hunter2"));
        assert_eq!((config.capacity, config.imds.base_port), (100, 8_440));
    }
}
