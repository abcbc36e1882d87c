// SPDX-License-Identifier: Apache-2.0
//! What the operator says of a Redis, checked before any connection is opened.

use std::time::Duration;

use cress_provider::{SecretReference, Settings, SettingsError};
use serde::Deserialize;

use crate::address::Address;
use crate::limits::{CONFIGURED_NODES_MAX, TIMEOUT_SECONDS, TIMEOUT_SECONDS_DEFAULT, USERNAME_BYTES_MAX};

/// The settings of one provider.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// How the nodes hang together.
    #[serde(default)]
    pub(crate) topology: TopologyKind,
    /// Standalone: every node, the master first. Cluster: nodes to ask for all the others.
    #[serde(default)]
    pub(crate) nodes: Vec<Address>,
    /// Sentinel: all Sentinels.
    #[serde(default)]
    pub(crate) sentinels: Vec<Address>,
    /// Sentinel: the name that the Sentinels know the master by.
    pub(crate) master: Option<String>,
    /// The broker's own account, on every node.
    #[serde(default = "default_username")]
    pub(crate) username: String,
    /// Where its password is.
    pub(crate) password: Option<SecretReference>,
    /// The broker's own account at the Sentinels, if they ask for one.
    pub(crate) sentinel_username: Option<String>,
    /// Where its password is.
    pub(crate) sentinel_password: Option<SecretReference>,
    /// How accounts survive the restart of a node.
    #[serde(default)]
    pub(crate) persistence: Persistence,
    /// How long a call to one node may take.
    #[serde(default = "default_timeout_seconds")]
    pub(crate) timeout_seconds: u32,
    /// Passwords and keys may cross a network in clear text.
    #[serde(default)]
    pub(crate) plaintext: bool,
    /// How nodes, and Sentinels, prove who they are.
    pub(crate) tls: Option<TlsConfig>,
    /// What workloads are told to connect to, if not the first node.
    pub(crate) endpoint: Option<Address>,
}

/// How the nodes hang together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TopologyKind {
    /// The nodes are those of the settings.
    #[default]
    Standalone,
    /// Sentinels know the master and its replicas.
    Sentinel,
    /// Each node knows all the others.
    Cluster,
}

/// How accounts survive the restart of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Persistence {
    /// They do not, but that other nodes have them.
    #[default]
    None,
    /// In the file of the server's setting `aclfile`, by ACL SAVE.
    Aclfile,
    /// In the server's own configuration file, by CONFIG REWRITE.
    Rewrite,
}

/// How nodes prove who they are, and the broker to them. All are PEM, and read at each connection.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TlsConfig {
    /// Where the certificates of the authorities are that the nodes' certificates must lead to.
    pub(crate) ca: SecretReference,
    /// Where the broker's own certificate is, with those between it and its authority.
    pub(crate) certificate: Option<SecretReference>,
    /// Where its key is.
    pub(crate) key: Option<SecretReference>,
}

fn default_username() -> String {
    "default".to_owned()
}

const fn default_timeout_seconds() -> u32 {
    TIMEOUT_SECONDS_DEFAULT
}

impl Config {
    /// Reads and checks them.
    pub(crate) fn read(settings: &Settings) -> Result<Self, SettingsError> {
        let config: Self = settings.read()?;
        config.check()?;
        Ok(config)
    }

    /// How long a call to one node may take.
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_secs(u64::from(self.timeout_seconds))
    }

    fn check(&self) -> Result<(), SettingsError> {
        self.check_topology()?;
        if !TIMEOUT_SECONDS.contains(&self.timeout_seconds) {
            let (least, most) = (TIMEOUT_SECONDS.start(), TIMEOUT_SECONDS.end());
            return wrong(format!("timeout_seconds: expected {least} to {most}, got {}", self.timeout_seconds));
        }
        username("username", &self.username)?;
        if let Some(name) = &self.sentinel_username {
            username("sentinel_username", name)?;
        }
        if self.sentinel_username.is_some() && self.sentinel_password.is_none() {
            return wrong("sentinel_password: expected where the password of `sentinel_username` is, got nothing");
        }
        self.check_transport()
    }

    fn check_topology(&self) -> Result<(), SettingsError> {
        let is_sentinel = self.topology == TopologyKind::Sentinel;
        let (key, addresses) = if is_sentinel { ("sentinels", &self.sentinels) } else { ("nodes", &self.nodes) };
        if addresses.is_empty() || addresses.len() > CONFIGURED_NODES_MAX {
            let count = addresses.len();
            return wrong(format!("{key}: expected 1 to {CONFIGURED_NODES_MAX} addresses, got {count}"));
        }
        if let Some(twice) = twice(addresses) {
            return wrong(format!("{key}: expected each address once, got {twice} twice"));
        }
        if is_sentinel {
            return self.check_sentinel();
        }
        let stray = [
            ("sentinels", !self.sentinels.is_empty()),
            ("master", self.master.is_some()),
            ("sentinel_username", self.sentinel_username.is_some()),
            ("sentinel_password", self.sentinel_password.is_some()),
        ];
        match stray.iter().find(|(_, is_there)| *is_there) {
            Some((key, _)) => wrong(format!("{key}: expected only with topology = \"sentinel\"; remove it")),
            None => Ok(()),
        }
    }

    fn check_sentinel(&self) -> Result<(), SettingsError> {
        if !self.nodes.is_empty() {
            return wrong("nodes: expected none with topology = \"sentinel\", as the Sentinels know them; remove it");
        }
        let named = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if !self.master.as_deref().is_some_and(|name| !name.is_empty() && name.bytes().all(named)) {
            return wrong("master: expected the name that the Sentinels know the master by, such as \"mymaster\"");
        }
        if self.persistence == Persistence::None {
            return wrong(
                "persistence: expected \"aclfile\" or \"rewrite\" with topology = \"sentinel\": Sentinels have nodes rewrite their \
                 configuration files at a failover, and what they write would outlive its revocation",
            );
        }
        Ok(())
    }

    fn check_transport(&self) -> Result<(), SettingsError> {
        if let Some(tls) = &self.tls {
            if self.plaintext {
                return wrong("plaintext: expected false where tls is set");
            }
            if tls.certificate.is_some() != tls.key.is_some() {
                return wrong("tls: expected both `certificate` and `key`, or neither");
            }
            return Ok(());
        }
        let beyond = self.nodes.iter().chain(&self.sentinels).find(|address| !address.is_loopback());
        match beyond {
            Some(address) if !self.plaintext => wrong(format!(
                "tls: expected it for {address}, which is not on this machine; set tls.ca, or plaintext = true if nobody else can listen"
            )),
            _ => Ok(()),
        }
    }
}

fn username(key: &str, name: &str) -> Result<(), SettingsError> {
    let fits = (1..=USERNAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic());
    if fits {
        return Ok(());
    }
    wrong(format!("{key}: expected 1 to {USERNAME_BYTES_MAX} visible ASCII characters"))
}

fn twice(addresses: &[Address]) -> Option<&Address> {
    addresses
        .iter()
        .enumerate()
        .find(|(index, each)| addresses.iter().take(*index).any(|other| other == *each))
        .map(|(_, each)| each)
}

fn wrong<T>(message: impl Into<String>) -> Result<T, SettingsError> {
    Err(SettingsError::new(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, String> {
        Config::read(&Settings::new(toml::from_str(text).unwrap())).map_err(|error| error.to_string())
    }

    #[test]
    fn good_settings_are_taken() {
        for good in [
            "nodes = ['127.0.0.1:6379']",
            "nodes = ['[::1]:6379', 'localhost:6380']\nusername = 'cress'\npassword = 'env:P'\npersistence = 'aclfile'",
            "nodes = ['redis.example:6379']\nplaintext = true",
            "topology = 'cluster'\nnodes = ['redis.example:6379']\ntls = { ca = 'file:/ca.pem' }\nendpoint = 'cache.example:6379'",
            "topology = 'sentinel'\nsentinels = ['127.0.0.1:26379']\nmaster = 'mymaster'\npersistence = 'rewrite'",
        ] {
            assert!(read(good).is_ok(), "{good}: {:?}", read(good).unwrap_err());
        }
    }

    #[test]
    fn each_rule_names_its_setting() {
        for (bad, expected) in [
            ("", "nodes: expected 1 to 64"),
            ("nodes = []", "nodes: expected 1 to 64"),
            ("nodes = ['127.0.0.1']", "expected <host>:<port>"),
            ("nodes = ['127.0.0.1:1', '127.0.0.1:1']", "twice"),
            ("nodes = ['127.0.0.1:1']\nnode = 'x'", "unknown field"),
            ("nodes = ['127.0.0.1:1']\nmaster = 'x'", "master: expected only with"),
            ("nodes = ['127.0.0.1:1']\nsentinels = ['127.0.0.1:2']", "sentinels: expected only with"),
            ("nodes = ['127.0.0.1:1']\nsentinel_password = 'env:X'", "sentinel_password: expected only with"),
            ("nodes = ['127.0.0.1:1']\ntimeout_seconds = 0", "timeout_seconds: expected 1 to 60, got 0"),
            ("nodes = ['127.0.0.1:1']\ntimeout_seconds = 61", "timeout_seconds: expected 1 to 60, got 61"),
            ("nodes = ['127.0.0.1:1']\nusername = ''", "username: expected 1 to 128"),
            ("nodes = ['127.0.0.1:1']\nusername = 'a b'", "username: expected 1 to 128"),
            ("nodes = ['127.0.0.1:1']\npassword = 'hunter2'", "and not the secret itself"),
            ("nodes = ['127.0.0.1:1']\npersistence = 'disk'", "unknown variant"),
            ("nodes = ['redis.example:6379']", "tls: expected it for redis.example:6379"),
            ("nodes = ['redis.example:6379']\nplaintext = true\ntls = { ca = 'file:/x' }", "plaintext: expected false"),
            ("nodes = ['127.0.0.1:1']\ntls = { ca = 'file:/x', key = 'file:/y' }", "both `certificate` and `key`"),
            ("topology = 'sentinel'\nnodes = ['127.0.0.1:1']", "sentinels: expected 1 to 64"),
            ("topology = 'sentinel'\nsentinels = ['127.0.0.1:1']\nnodes = ['127.0.0.1:1']", "nodes: expected none"),
            ("topology = 'sentinel'\nsentinels = ['127.0.0.1:1']", "master: expected the name"),
            ("topology = 'sentinel'\nsentinels = ['127.0.0.1:1']\nmaster = 'a b'", "master: expected the name"),
            ("topology = 'sentinel'\nsentinels = ['127.0.0.1:1']\nmaster = 'm'", "persistence: expected"),
            (
                "topology = 'sentinel'\nsentinels = ['127.0.0.1:1']\nmaster = 'm'\npersistence = 'aclfile'\nsentinel_username = 'x'",
                "sentinel_password: expected where",
            ),
        ] {
            let error = read(bad).unwrap_err();
            assert!(error.contains(expected), "{bad}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
