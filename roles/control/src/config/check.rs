// SPDX-License-Identifier: Apache-2.0
//! The rules of control's configuration that its types do not carry. Nothing here opens a file or a socket.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

use cress_domain::limits::KEY_ID_BYTES_MAX;
use cress_domain::{Issuer, IssuerError};
use cress_keyring::{KeyEncryptionKeyError, KeyEncryptionKeyId, SettingsError};
use cress_service::tls::{Proxy, TlsError, check_plain_http};
use cress_store::{DatabaseUrlError, StoreError};

use super::{Authorities, Config, KeyEncryption, NodeApi, Schedule};

/// Names in the node protocol's certificate.
const NAMES_MAX: usize = 32;
/// Key-encryption keys: the one that seals, and those that it replaced.
const KEY_ENCRYPTION_KEYS_MAX: usize = 16;
/// Bytes of an RFC 3339 time with seven fractional digits, which follows a key id's prefix.
pub(crate) const KID_TIME_BYTES: usize = 28;
const KID_PREFIX_BYTES_MAX: usize = KEY_ID_BYTES_MAX - KID_TIME_BYTES;
const DRAIN_SECONDS: RangeInclusive<u32> = 0..=600;
const PERIOD_SECONDS: RangeInclusive<u32> = 60..=90 * 24 * 3_600;
const OUTAGE_BUDGET_SECONDS: RangeInclusive<u32> = 0..=86_400;
const SKEW_SECONDS: RangeInclusive<u32> = 0..=3_600;
const AUTHORITY_LEAD_SECONDS: RangeInclusive<u32> = 1..=30 * 24 * 3_600;
const AUTHORITY_OVERLAP_SECONDS: RangeInclusive<u32> = 1..=90 * 24 * 3_600;
const CACHE_SECONDS: RangeInclusive<u32> = 1..=3_600;

/// A configuration that control cannot run with; each is one sentence that names the key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// An empty path.
    #[error("data_dir: expected the path of a directory, got nothing")]
    DataDir,
    /// A number beyond its bounds.
    #[error("{key}: expected {} to {}, got {got}", bounds.start(), bounds.end())]
    Range {
        /// The key.
        key: &'static str,
        /// What it may be.
        bounds: RangeInclusive<u32>,
        /// What it is.
        got: u32,
    },
    /// Times that do not fit together.
    #[error("schedule: {0}")]
    Schedule(#[from] SettingsError),
    /// No id of a key.
    #[error("key_encryption.active: {0}")]
    KeyEncryptionKeyId(KeyEncryptionKeyError),
    /// A name without keys.
    #[error("key_encryption.keys: is missing; key_encryption.active names a key, so list where it comes from")]
    KeyEncryptionKeysMissing,
    /// Too many keys.
    #[error("key_encryption.keys: expected at most {KEY_ENCRYPTION_KEYS_MAX} sources, got {0}")]
    KeyEncryptionKeys(usize),
    /// No place of a database.
    #[error("store.url: {0}")]
    StoreUrl(#[from] DatabaseUrlError),
    /// A connection that others could read or take over.
    #[error("store.url: {0} with store.private_network")]
    StoreNetwork(StoreError),
    /// A password that has no use, or a second one.
    #[error("store.password_from: expected a store.url of a PostgreSQL server, without a password in it")]
    StorePassword,
    /// An address that is no place to go to.
    #[error("public_url: is missing; clients cannot reach {listen}, so say at which URL they reach control")]
    PublicUrlMissing {
        /// Where control listens.
        listen: SocketAddr,
    },
    /// A URL that is too long for an issuer.
    #[error("issuer: is missing, and public_url is not fit to stand in for it: {0}")]
    IssuerMissing(IssuerError),
    /// A prefix that no key id may begin with.
    #[error(
        "kid_prefix: expected at most {KID_PREFIX_BYTES_MAX} printable ASCII characters without spaces, quotes or backslashes, got {0:?}"
    )]
    KidPrefix(String),
    /// Plain HTTP where others could read along.
    #[error("listen: {0}")]
    PlainHttp(#[source] TlsError),
    /// Metrics that others could read.
    #[error(
        "metrics.listen: {listen} is reachable from other machines, and metrics tell whoever asks of load and inventory; listen on a \
         loopback address, or say with --behind-proxy that what is in front lets only your monitoring through"
    )]
    MetricsReachable {
        /// Where the metrics are served.
        listen: SocketAddr,
    },
    /// Not a name for a certificate.
    #[error("node_api.names: expected DNS names and IP addresses, got {0:?}")]
    Name(String),
    /// Too many names.
    #[error("node_api.names: expected at most {NAMES_MAX} names, got {0}")]
    Names(usize),
    /// No names, and none can be guessed.
    #[error(
        "node_api.names: is missing; nodes cannot reach {listen}, so list the DNS names and IP addresses at which they reach control"
    )]
    NamesMissing {
        /// Where the node protocol listens.
        listen: SocketAddr,
    },
    /// Two listeners on one port.
    #[error("{second}: expected another address than {first}, got {address} for both")]
    SameAddress {
        /// The one.
        first: &'static str,
        /// The other.
        second: &'static str,
        /// What both have.
        address: SocketAddr,
    },
}

impl Config {
    /// Checks everything that can be checked without opening a file or a socket.
    ///
    /// # Errors
    /// [`ConfigError`] naming the first key that is not right.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.data_dir.as_os_str().is_empty() {
            return Err(ConfigError::DataDir);
        }
        self.check_listeners()?;
        self.check_urls()?;
        self.check_names()?;
        self.limits.check()?;
        self.node_api.limits.check()?;
        self.node_api.authorities.check()?;
        check_kid_prefix(&self.kid_prefix)?;
        self.schedule.check()?;
        self.schedule.settings(&self.kid_prefix).check()?;
        self.key_encryption.check()?;
        self.store.check()?;
        in_range("drain_seconds", DRAIN_SECONDS, self.drain_seconds)
    }

    fn check_listeners(&self) -> Result<(), ConfigError> {
        let proxy = if self.behind_proxy { Proxy::InFront } else { Proxy::None };
        if self.tls.is_none() {
            check_plain_http(self.listen, proxy).map_err(ConfigError::PlainHttp)?;
        }
        let metrics = self.metrics.listen;
        check_plain_http(metrics, proxy).map_err(|_| ConfigError::MetricsReachable { listen: metrics })?;
        let listeners =
            [("listen", self.listen), ("node_api.listen", self.node_api.listen), ("metrics.listen", metrics)];
        for (index, (second, address)) in listeners.iter().enumerate() {
            let same = listeners.iter().take(index).find(|(_, other)| other == address && address.port() != 0);
            if let Some((first, address)) = same {
                return Err(ConfigError::SameAddress { first, second, address: *address });
            }
        }
        Ok(())
    }

    fn check_urls(&self) -> Result<(), ConfigError> {
        match &self.public_url {
            None if self.listen.ip().is_unspecified() => Err(ConfigError::PublicUrlMissing { listen: self.listen }),
            Some(url) if self.issuer.is_none() => {
                url.as_str().parse::<Issuer>().map(drop).map_err(ConfigError::IssuerMissing)
            }
            _ => Ok(()),
        }
    }

    fn check_names(&self) -> Result<(), ConfigError> {
        let NodeApi { names, listen, .. } = &self.node_api;
        if names.len() > NAMES_MAX {
            return Err(ConfigError::Names(names.len()));
        }
        if names.is_empty() && listen.ip().is_unspecified() {
            return Err(ConfigError::NamesMissing { listen: *listen });
        }
        let refused = names.iter().find(|name| !is_host(name));
        refused.map_or(Ok(()), |name| Err(ConfigError::Name(name.clone())))
    }
}

impl Authorities {
    fn check(self) -> Result<(), ConfigError> {
        in_range("node_api.authorities.lead_seconds", AUTHORITY_LEAD_SECONDS, self.lead_seconds)?;
        in_range("node_api.authorities.overlap_seconds", AUTHORITY_OVERLAP_SECONDS, self.overlap_seconds)
    }
}

impl Schedule {
    fn check(&self) -> Result<(), ConfigError> {
        in_range("schedule.lead_seconds", PERIOD_SECONDS, self.lead_seconds)?;
        in_range("schedule.active_seconds", PERIOD_SECONDS, self.active_seconds)?;
        in_range("schedule.outage_budget_seconds", OUTAGE_BUDGET_SECONDS, self.outage_budget_seconds)?;
        in_range("schedule.skew_seconds", SKEW_SECONDS, self.skew_seconds)?;
        in_range("schedule.jwks_cache_seconds", CACHE_SECONDS, self.jwks_cache_seconds)
    }
}

impl KeyEncryption {
    fn check(&self) -> Result<(), ConfigError> {
        if let Some(active) = &self.active {
            active.parse::<KeyEncryptionKeyId>().map_err(ConfigError::KeyEncryptionKeyId)?;
        }
        match self.keys.len() {
            0 if self.active.is_some() => Err(ConfigError::KeyEncryptionKeysMissing),
            count if count > KEY_ENCRYPTION_KEYS_MAX => Err(ConfigError::KeyEncryptionKeys(count)),
            _ => Ok(()),
        }
    }
}

pub(super) fn in_range(key: &'static str, bounds: RangeInclusive<u32>, got: u32) -> Result<(), ConfigError> {
    if bounds.contains(&got) { Ok(()) } else { Err(ConfigError::Range { key, bounds, got }) }
}

fn check_kid_prefix(prefix: &str) -> Result<(), ConfigError> {
    let allowed = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    if prefix.len() <= KID_PREFIX_BYTES_MAX && prefix.bytes().all(allowed) {
        Ok(())
    } else {
        Err(ConfigError::KidPrefix(prefix.chars().take(KEY_ID_BYTES_MAX).collect()))
    }
}

/// A DNS name (RFC 1123 section 2.1) or an IP address.
fn is_host(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.parse::<IpAddr>().is_ok() || (name.len() <= 253 && name.split('.').all(label))
}
