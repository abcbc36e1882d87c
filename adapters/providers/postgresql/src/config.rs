// SPDX-License-Identifier: Apache-2.0
//! Reads and checks the settings of a server, and of what is given out there. Opens nothing.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use cress_domain::AccountName;
use cress_provider::{SecretReference, Settings, SettingsError};
use serde::Deserialize;

use crate::quote::Name;

const CONNECTIONS: RangeInclusive<u32> = 1..=200;
const SECONDS: RangeInclusive<u32> = 1..=600;
const CREDENTIAL_CONNECTIONS: RangeInclusive<u32> = 1..=10_000;
/// Each one costs the server time for every role it makes, and every client for every connection.
const SCRAM_ITERATIONS: RangeInclusive<u32> = 1..=100_000;

/// A server, as it is reached.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Where the broker's role works.
    pub(crate) database: Name,
    pub(crate) user: Name,
    pub(crate) password: Option<SecretReference>,
    pub(crate) tls: Tls,
    pub(crate) root_certificates: Option<PathBuf>,
    pub(crate) client_certificate: Option<ClientCertificate>,
    pub(crate) limits: Limits,
}

/// A certificate and its key, in PEM files.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClientCertificate {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// How much of a server is used, and how long it is waited for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) connections_max: u32,
    pub(crate) connect_timeout: Duration,
    pub(crate) acquire_timeout: Duration,
    pub(crate) statement_timeout: Duration,
    pub(crate) lock_timeout: Duration,
    pub(crate) session_end_timeout: Duration,
}

/// What is given out of one credential.
#[derive(Debug)]
pub(crate) struct Access {
    /// The role that the operator made and granted rights to.
    pub(crate) group: Name,
    pub(crate) database: Name,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) sslmode: Tls,
    pub(crate) connections_max: u32,
    pub(crate) scram_iterations: NonZeroU32,
}

/// libpq's words for how TLS is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Tls {
    VerifyFull,
    VerifyCa,
    Prefer,
    Disable,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ServerTable {
    host: String,
    #[serde(default = "port_default")]
    port: u16,
    #[serde(default = "database_default")]
    database: String,
    user: String,
    password: Option<SecretReference>,
    tls: Option<Tls>,
    root_certificates: Option<PathBuf>,
    client_certificate: Option<ClientCertificate>,
    #[serde(default = "connections_default")]
    connections_max: u32,
    #[serde(default = "connect_default")]
    connect_timeout_seconds: u32,
    #[serde(default = "acquire_default")]
    acquire_timeout_seconds: u32,
    #[serde(default = "statement_default")]
    statement_timeout_seconds: u32,
    #[serde(default = "lock_default")]
    lock_timeout_seconds: u32,
    #[serde(default = "session_end_default")]
    session_end_timeout_seconds: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AccessTable {
    role: String,
    database: String,
    host: Option<String>,
    port: Option<u16>,
    sslmode: Option<Tls>,
    #[serde(default = "credential_connections_default")]
    connections_max: u32,
    #[serde(default = "scram_iterations_default")]
    scram_iterations: u32,
}

impl Server {
    pub(crate) fn read(settings: &Settings) -> Result<Self, SettingsError> {
        let table: ServerTable = settings.read()?;
        let limits = table.limits()?;
        check_host(&table.host)?;
        Ok(Self {
            tls: transport("tls", table.tls, &table.host)?,
            database: name("database", table.database)?,
            user: role("user", table.user)?,
            host: table.host,
            port: table.port,
            password: table.password,
            root_certificates: table.root_certificates,
            client_certificate: table.client_certificate,
            limits,
        })
    }
}

impl ServerTable {
    fn limits(&self) -> Result<Limits, SettingsError> {
        Ok(Limits {
            connections_max: in_range("connections_max", CONNECTIONS, self.connections_max)?,
            connect_timeout: seconds("connect_timeout_seconds", self.connect_timeout_seconds)?,
            acquire_timeout: seconds("acquire_timeout_seconds", self.acquire_timeout_seconds)?,
            statement_timeout: seconds("statement_timeout_seconds", self.statement_timeout_seconds)?,
            lock_timeout: seconds("lock_timeout_seconds", self.lock_timeout_seconds)?,
            session_end_timeout: seconds("session_end_timeout_seconds", self.session_end_timeout_seconds)?,
        })
    }
}

impl Access {
    /// What the credential does not say of the server is as the broker itself reaches it.
    pub(crate) fn read(settings: &Settings, server: &Server) -> Result<Self, SettingsError> {
        let table: AccessTable = settings.read()?;
        let host = table.host.unwrap_or_else(|| server.host.clone());
        check_host(&host)?;
        if host.starts_with('/') {
            return Err(expected("host", "the name or address at which workloads find the server", &host));
        }
        let iterations = in_range("scram_iterations", SCRAM_ITERATIONS, table.scram_iterations)?;
        Ok(Self {
            group: role("role", table.role)?,
            database: name("database", table.database)?,
            sslmode: transport("sslmode", table.sslmode, &host)?,
            host,
            port: table.port.unwrap_or(server.port),
            connections_max: in_range("connections_max", CREDENTIAL_CONNECTIONS, table.connections_max)?,
            scram_iterations: NonZeroU32::new(iterations).unwrap_or(NonZeroU32::MIN),
        })
    }
}

impl Tls {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::VerifyFull => "verify-full",
            Self::VerifyCa => "verify-ca",
            Self::Prefer => "prefer",
            Self::Disable => "disable",
        }
    }
}

impl fmt::Display for Tls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Certificates are checked wherever others could listen or answer.
fn transport(setting: &str, chosen: Option<Tls>, host: &str) -> Result<Tls, SettingsError> {
    let local = is_local(host);
    let default = if local { Tls::Prefer } else { Tls::VerifyFull };
    let tls = chosen.unwrap_or(default);
    if local || matches!(tls, Tls::VerifyFull | Tls::VerifyCa) {
        return Ok(tls);
    }
    Err(expected(setting, "verify-full or verify-ca for a server that is not on this machine", tls.as_str()))
}

/// A socket's directory, or the machine itself.
pub(crate) fn is_local(host: &str) -> bool {
    host.starts_with('/') || host == "localhost" || IpAddr::from_str(host).is_ok_and(|address| address.is_loopback())
}

/// Several hosts, and what would mean something in a URL, are not taken.
fn check_host(host: &str) -> Result<(), SettingsError> {
    let directory = host.starts_with('/') && !host.contains('\0');
    let name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if directory || IpAddr::from_str(host).is_ok() || (!host.is_empty() && host.bytes().all(name)) {
        return Ok(());
    }
    Err(expected("host", "one host name, IP address without brackets, or directory of a socket", host))
}

/// A role of the operator's: neither a word of SQL, nor an account of a lease.
fn role(setting: &str, text: String) -> Result<Name, SettingsError> {
    let reserved = ["none", "public"].contains(&text.as_str()) || text.starts_with("pg_");
    if reserved || text.parse::<AccountName>().is_ok() {
        return Err(expected(setting, "a role that was made for this", &text));
    }
    name(setting, text)
}

fn name(setting: &str, text: String) -> Result<Name, SettingsError> {
    Name::try_from(text).map_err(|error| SettingsError::new(format!("{setting}: {error}")))
}

fn in_range(setting: &str, range: RangeInclusive<u32>, value: u32) -> Result<u32, SettingsError> {
    if range.contains(&value) {
        return Ok(value);
    }
    Err(expected(setting, &format!("{} to {}", range.start(), range.end()), &value.to_string()))
}

fn seconds(setting: &str, value: u32) -> Result<Duration, SettingsError> {
    in_range(setting, SECONDS, value).map(|value| Duration::from_secs(value.into()))
}

fn expected(setting: &str, what: &str, got: &str) -> SettingsError {
    SettingsError::new(format!("{setting}: expected {what}, got {got}"))
}

const fn port_default() -> u16 {
    5_432
}

fn database_default() -> String {
    "postgres".to_owned()
}

const fn connections_default() -> u32 {
    16
}

const fn connect_default() -> u32 {
    10
}

const fn acquire_default() -> u32 {
    10
}

const fn statement_default() -> u32 {
    30
}

const fn lock_default() -> u32 {
    5
}

const fn session_end_default() -> u32 {
    10
}

const fn credential_connections_default() -> u32 {
    20
}

/// PostgreSQL's own default, and the least that some drivers accept.
const fn scram_iterations_default() -> u32 {
    4_096
}

#[cfg(test)]
mod tests;
