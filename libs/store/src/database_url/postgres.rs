// SPDX-License-Identifier: Apache-2.0
//! The address of a PostgreSQL server, as other programs write it. Parameters that cress does not know are refused rather than
//! ignored: one of them may have been meant to make the connection safe.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use cress_domain::Secret;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use url::Url;

use super::DatabaseUrlError;

const PORT: u16 = 5_432;

/// What stands for itself in any part of a URL.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The address, decoded.
#[derive(Clone)]
pub(crate) struct PostgresAddress {
    pub(crate) host: Host,
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) password: Option<Secret<String>>,
    pub(crate) database: String,
    pub(crate) tls: TlsMode,
    pub(crate) root_certificates: Option<String>,
    pub(crate) client_certificate: Option<(String, String)>,
}

/// How the server is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Host {
    /// A name or an IP address.
    Network(String),
    /// The directory of a Unix socket.
    Socket(PathBuf),
}

impl Host {
    /// Whether nobody but this machine is on the way.
    pub(crate) fn is_this_machine(&self) -> bool {
        match self {
            Self::Socket(_) => true,
            Self::Network(name) => name == "localhost" || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback()),
        }
    }
}

/// How the connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TlsMode {
    /// Not at all.
    Disable,
    /// TLS with whoever answers: keeps out who only listens.
    Require,
    /// TLS with a server whose certificate and name are checked.
    VerifyFull,
}

impl TlsMode {
    /// As PostgreSQL's own programs call it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Require => "require",
            Self::VerifyFull => "verify-full",
        }
    }

    fn parse(text: &str) -> Result<Self, DatabaseUrlError> {
        let modes = [Self::Disable, Self::Require, Self::VerifyFull];
        modes.into_iter().find(|mode| mode.as_str() == text).ok_or(DatabaseUrlError::TlsMode)
    }

    /// What is used where nothing is said.
    fn default_to(host: &Host) -> Self {
        if host.is_this_machine() { Self::Disable } else { Self::VerifyFull }
    }
}

#[derive(Default)]
struct Parameters {
    tls: Option<String>,
    root_certificates: Option<String>,
    certificate: Option<String>,
    key: Option<String>,
    host: Option<String>,
    user: Option<String>,
}

impl Parameters {
    fn of(url: &Url) -> Result<Self, DatabaseUrlError> {
        let mut all = Self::default();
        for (name, value) in url.query_pairs() {
            let place = match &*name {
                "sslmode" => &mut all.tls,
                "sslrootcert" => &mut all.root_certificates,
                "sslcert" => &mut all.certificate,
                "sslkey" => &mut all.key,
                "host" => &mut all.host,
                "user" => &mut all.user,
                _ => return Err(DatabaseUrlError::Parameter),
            };
            if value.is_empty() || place.replace(value.into_owned()).is_some() {
                return Err(DatabaseUrlError::Parameter);
            }
        }
        Ok(all)
    }
}

impl PostgresAddress {
    pub(crate) fn parse(text: &str) -> Result<Self, DatabaseUrlError> {
        let url = Url::parse(text).map_err(|_| DatabaseUrlError::Form)?;
        if url.fragment().is_some() || text.contains('\0') || text.contains("%00") {
            return Err(DatabaseUrlError::Form);
        }
        let parameters = Parameters::of(&url)?;
        let host = host(&url, parameters.host)?;
        let tls = parameters.tls.as_deref().map_or_else(|| Ok(TlsMode::default_to(&host)), TlsMode::parse)?;
        let client_certificate = match (parameters.certificate, parameters.key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => return Err(DatabaseUrlError::ClientCertificate),
        };
        Ok(Self {
            host,
            port: url.port().unwrap_or(PORT),
            user: one_of(decoded(url.username())?, parameters.user)?,
            password: url.password().map(decoded).transpose()?.map(Secret::new),
            database: one_of(decoded(url.path().trim_start_matches('/'))?, None)?,
            tls,
            root_certificates: parameters.root_certificates,
            client_certificate,
        })
    }
}

fn host(url: &Url, parameter: Option<String>) -> Result<Host, DatabaseUrlError> {
    match (url.host_str().filter(|host| !host.is_empty()), parameter) {
        (Some(host), None) => Ok(Host::Network(host.trim_matches(['[', ']']).to_owned())),
        (None, Some(directory)) if directory.starts_with('/') => Ok(Host::Socket(directory.into())),
        _ => Err(DatabaseUrlError::Form),
    }
}

fn one_of(part: String, parameter: Option<String>) -> Result<String, DatabaseUrlError> {
    match (part.is_empty(), parameter) {
        (false, None) => Ok(part),
        (true, Some(parameter)) => Ok(parameter),
        _ => Err(DatabaseUrlError::Incomplete),
    }
}

fn decoded(text: &str) -> Result<String, DatabaseUrlError> {
    percent_decode_str(text).decode_utf8().map(Into::into).map_err(|_| DatabaseUrlError::Form)
}

/// Without the password.
impl fmt::Display for PostgresAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encoded = |text| utf8_percent_encode(text, ENCODED);
        let (user, database) = (encoded(&self.user), encoded(&self.database));
        match &self.host {
            Host::Network(host) if host.contains(':') => {
                write!(formatter, "postgres://{user}@[{host}]:{}/{database}", self.port)
            }
            Host::Network(host) => write!(formatter, "postgres://{user}@{host}:{}/{database}", self.port),
            Host::Socket(directory) => {
                write!(formatter, "postgres:///{database}?host={}&user={user}", directory.display())
            }
        }
    }
}

impl fmt::Debug for PostgresAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PostgresAddress({self}, {})", self.tls.as_str())
    }
}

/// The same place; passwords are not compared.
impl PartialEq for PostgresAddress {
    fn eq(&self, other: &Self) -> bool {
        (&self.host, self.port, &self.user, &self.database, self.tls)
            == (&other.host, other.port, &other.user, &other.database, other.tls)
    }
}

impl Eq for PostgresAddress {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_has_an_address() {
        for (text, shown, tls) in [
            ("postgres://me:hunter2@db.example/cress", "postgres://me@db.example:5432/cress", TlsMode::VerifyFull),
            (
                "postgresql://me@db.example:6432/cress?sslmode=require",
                "postgres://me@db.example:6432/cress",
                TlsMode::Require,
            ),
            ("postgres://me:hunter2@127.0.0.1/cress", "postgres://me@127.0.0.1:5432/cress", TlsMode::Disable),
            ("postgres://me@[::1]/cress", "postgres://me@[::1]:5432/cress", TlsMode::Disable),
            ("postgres://m%40e:hun%2Fter2@localhost/a%20b", "postgres://m%40e@localhost:5432/a%20b", TlsMode::Disable),
            (
                "postgres:///cress?host=/run/postgresql&user=me",
                "postgres:///cress?host=/run/postgresql&user=me",
                TlsMode::Disable,
            ),
        ] {
            let address = PostgresAddress::parse(text).unwrap();
            assert_eq!((address.to_string().as_str(), address.tls), (shown, tls), "{text}");
            assert!(!format!("{address:?}").contains("hun"), "{address:?}");
            assert_eq!(PostgresAddress::parse(&address.to_string()).unwrap().to_string(), shown, "{text}");
        }
        let address = PostgresAddress::parse("postgres://m%40e:hun%2Fter2@localhost/a%20b").unwrap();
        assert_eq!((address.user.as_str(), address.database.as_str()), ("m@e", "a b"));
        assert_eq!(address.password.unwrap().expose(), "hun/ter2");
    }

    #[test]
    fn what_could_be_misread_is_refused() {
        for (bad, expected) in [
            ("postgres://", DatabaseUrlError::Form),
            ("postgres://me@db.example", DatabaseUrlError::Incomplete),
            ("postgres://db.example/cress", DatabaseUrlError::Incomplete),
            ("postgres://me@db.example/cress?host=/run/postgresql", DatabaseUrlError::Form),
            ("postgres:///cress?host=db.example&user=me", DatabaseUrlError::Form),
            ("postgres://me@db.example/cress?user=you", DatabaseUrlError::Incomplete),
            ("postgres://me:p#ss@db.example/cress", DatabaseUrlError::Form),
            ("postgres://me:1?ss@db.example/cress", DatabaseUrlError::Parameter),
            ("postgres://me@db.example/cress?ssl-mode=disable", DatabaseUrlError::Parameter),
            ("postgres://me@db.example/cress?password=hunter2", DatabaseUrlError::Parameter),
            ("postgres://me@db.example/cress?sslmode=require&sslmode=disable", DatabaseUrlError::Parameter),
            ("postgres://me@db.example/cress?sslmode=prefer", DatabaseUrlError::TlsMode),
            ("postgres://me@db.example/cress?sslmode=verify-ca", DatabaseUrlError::TlsMode),
            ("postgres://me@db.example/cress?sslcert=/a", DatabaseUrlError::ClientCertificate),
            ("postgres://me@db.example/cr%00ess", DatabaseUrlError::Form),
            ("postgres://%ff@db.example/cress", DatabaseUrlError::Form),
        ] {
            assert_eq!(PostgresAddress::parse(bad).map(drop), Err(expected), "{bad}");
        }
    }
}
