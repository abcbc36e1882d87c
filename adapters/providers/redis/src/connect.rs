// SPDX-License-Identifier: Apache-2.0
//! A connection to one node: TCP, TLS, and the broker's own account. Secrets and certificates are read anew for each, so that they
//! can be replaced while the broker runs.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cress_domain::{Clock, Secret};
use cress_provider::{Ports, SecretReader, SecretReference};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, ProtocolVersion, RedisConnectionInfo, RedisError, Value};
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use crate::address::Address;
use crate::config::TlsConfig;
use crate::error::{NodeError, words};
use crate::limits::IN_FLIGHT_MAX;

/// Makes connections for one account.
pub(crate) struct Connector {
    pub(crate) username: Option<String>,
    pub(crate) password: Option<SecretReference>,
    pub(crate) tls: Option<TlsConfig>,
    /// Whether nodes beyond this machine may be spoken to without TLS.
    pub(crate) plaintext: bool,
    pub(crate) timeout: Duration,
    pub(crate) ports: Ports,
}

/// A connection that many callers share: what they send is pipelined. Closed with the last of them.
pub(crate) struct Link {
    connection: MultiplexedConnection,
    driver: JoinHandle<()>,
    is_closed: Arc<AtomicBool>,
}

/// What is read for a connection.
struct Material {
    password: Option<Secret<String>>,
    tls: Option<ClientConfig>,
}

impl Connector {
    /// Connects, within the time limit.
    pub(crate) async fn connect(&self, address: &Address) -> Result<Link, NodeError> {
        let limited = tokio::time::timeout(self.timeout, self.open(address)).await;
        limited.map_err(|_elapsed| NodeError::away(address, format!("no connection within {:?}", self.timeout)))?
    }

    async fn open(&self, address: &Address) -> Result<Link, NodeError> {
        if self.tls.is_none() && !self.plaintext && !address.is_loopback() {
            let reason = "expected a node on this machine, or tls, or plaintext = true if nobody else can listen";
            return Err(NodeError::refused(address, reason));
        }
        let material = self.material(address).await?;
        let away = |error: std::io::Error| NodeError::away(address, words(&error.to_string()));
        let stream = TcpStream::connect((address.host.as_str(), address.port)).await.map_err(away)?;
        stream.set_nodelay(true).map_err(away)?;
        let account = self.account(material.password);
        let opened = match material.tls {
            None => Link::over(stream, &account).await,
            Some(config) => {
                let name = ServerName::try_from(address.host.clone()).map_err(|_| {
                    NodeError::refused(address, "expected a host name or an IP address that a certificate can be for")
                })?;
                let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(away)?;
                Link::over(stream, &account).await
            }
        };
        opened.map_err(|error| NodeError::of(address, &error))
    }

    fn account(&self, password: Option<Secret<String>>) -> RedisConnectionInfo {
        let account = RedisConnectionInfo::default().set_protocol(ProtocolVersion::RESP2).set_skip_set_lib_name();
        let Some(password) = password else { return account };
        let account = account.set_password(password.expose());
        match &self.username {
            Some(username) => account.set_username(username),
            None => account,
        }
    }

    /// Reading blocks on the disk.
    async fn material(&self, address: &Address) -> Result<Material, NodeError> {
        let (secrets, clock) = (Arc::clone(&self.ports.secrets), Arc::clone(&self.ports.clock));
        let (password, tls) = (self.password.clone(), self.tls.clone());
        let reading = tokio::task::spawn_blocking(move || {
            let password = password.map(|reference| read(&*secrets, &reference)).transpose()?;
            let tls = tls.map(|tls| client_config(&tls, &*secrets, clock)).transpose()?;
            Ok(Material { password, tls })
        });
        let read = reading.await.unwrap_or_else(|error| Err(error.to_string()));
        read.map_err(|reason| NodeError::away(address, format!("the broker cannot prove itself: {reason}")))
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Connector").field("username", &self.username).finish_non_exhaustive()
    }
}

impl Link {
    async fn over<S>(stream: S, account: &RedisConnectionInfo) -> Result<Self, RedisError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        // Time limits are the caller's: writing all accounts to the disk takes longer than other calls.
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(None)
            .set_connection_timeout(None)
            .set_pipeline_buffer_size(IN_FLIGHT_MAX);
        let (connection, driver) = MultiplexedConnection::new_with_config(account, stream, config).await?;
        let is_closed = Arc::new(AtomicBool::new(false));
        let closed = Arc::clone(&is_closed);
        let driver = tokio::spawn(async move {
            driver.await;
            closed.store(true, Ordering::Release);
        });
        Ok(Self { connection, driver, is_closed })
    }

    /// Sends a command and waits for its answer.
    pub(crate) async fn send(&self, command: &Cmd) -> Result<Value, RedisError> {
        let mut connection = self.connection.clone();
        command.query_async(&mut connection).await
    }

    /// Whether the other side has ended it.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

fn read(secrets: &dyn SecretReader, reference: &SecretReference) -> Result<Secret<String>, String> {
    secrets.read(reference).map_err(|error| error.to_string())
}

fn client_config(tls: &TlsConfig, secrets: &dyn SecretReader, clock: Arc<dyn Clock>) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_details(provider, Arc::new(ClockTime(clock)))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots(tls, secrets)?);
    let (Some(certificate), Some(key)) = (&tls.certificate, &tls.key) else { return Ok(builder.with_no_client_auth()) };
    let chain = certificates(&read(secrets, certificate)?, "tls.certificate")?;
    let key = PrivateKeyDer::from_pem_slice(read(secrets, key)?.expose().as_bytes());
    let key = key.map_err(|_| "tls.key: expected a private key in PEM".to_owned())?;
    builder.with_client_auth_cert(chain, key).map_err(|error| format!("tls.certificate: {error}"))
}

fn roots(tls: &TlsConfig, secrets: &dyn SecretReader) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&read(secrets, &tls.ca)?, "tls.ca")? {
        roots.add(certificate).map_err(|error| format!("tls.ca: {error}"))?;
    }
    Ok(roots)
}

fn certificates(pem: &Secret<String>, key: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.expose().as_bytes()).collect();
    match read {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) | Err(_) => Err(format!("{key}: expected certificates in PEM")),
    }
}

/// Certificates are checked at the broker's time.
struct ClockTime(Arc<dyn Clock>);

impl fmt::Debug for ClockTime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ClockTime")
    }
}

impl TimeProvider for ClockTime {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.now().unix_seconds()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}
