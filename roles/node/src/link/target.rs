// SPDX-License-Identifier: Apache-2.0
//! Control's address, and one connection to it: TCP, TLS, HTTP/2, each with an end of its own to be told of.
//!
//! A channel made here never connects again by itself: when its connection is over, so is the session on it, and the next
//! one proves both ends anew, with the certificates of then.

use std::io;
use std::time::Duration;

use cress_service::plain_words;
use cress_service::tls::{ClientTls, TlsError, channel_binding};
use http::Uri;
use hyper_util::rt::TokioIo;
use rustls::CertificateError;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};

use crate::config::{Config, ConfigError};

/// How long a connection may take to be made, TLS included.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// How often an otherwise silent connection is tried out.
const KEEPALIVE_PERIOD: Duration = Duration::from_secs(10);
/// How long the other end may take to answer that.
const KEEPALIVE_MAX: Duration = Duration::from_secs(10);
/// The port of URLs that name none.
const PORT_DEFAULT: u16 = 443;
/// What is spoken within TLS (ALPN).
const HTTP2: &[u8] = b"h2";

/// Where control is.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    uri: Uri,
    host: String,
    port: u16,
    server_name: ServerName<'static>,
}

/// Why there is no connection to control.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("cannot reach control at {address}: {reason}")]
    Unreachable { address: String, reason: String },
    #[error("control at {address} did not answer within {} s; check its address and firewalls between", CONNECT_MAX.as_secs())]
    TimedOut { address: String },
    #[error("what answers at {address} shows no certificate of the authority that this node trusts")]
    UnknownAuthority { address: String },
    #[error(
        "control's certificate is not for {host}; use a name that it has in `control.url`, or add this one to control's `node_api.names`"
    )]
    WrongName { host: String },
    #[error("control's certificate is not valid now ({reason}); check the clocks of both machines")]
    WrongTime { reason: String },
    #[error("the connection to {address} broke when it was made: {reason}")]
    Broken { address: String, reason: String },
    #[error("no TLS with {address}: {reason}")]
    Tls { address: String, reason: String },
    #[error("what answers at {address} does not speak the node protocol; `control.url` must name control's node API")]
    OtherProtocol { address: String },
    #[error(transparent)]
    Configuration(#[from] TlsError),
}

impl Target {
    pub(crate) fn of(config: &Config) -> Result<Self, ConfigError> {
        let refused = || ConfigError::ControlUrl(config.control.url.clone());
        let uri = config.control_uri()?;
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
        let server_name = ServerName::try_from(host.clone()).map_err(|_| refused())?;
        let port = uri.port_u16().unwrap_or(PORT_DEFAULT);
        Ok(Self { uri, host, port, server_name })
    }

    /// Connects once. On success both ends have proved themselves as far as `tls` demands.
    pub(crate) async fn connect(&self, tls: &ClientTls) -> Result<Channel, ConnectError> {
        self.connect_bound(tls).await.map(|(channel, _)| channel)
    }

    /// The same, with what is unique to this connection.
    pub(crate) async fn connect_bound(&self, tls: &ClientTls) -> Result<(Channel, [u8; 32]), ConnectError> {
        let opened = tokio::time::timeout(CONNECT_MAX, self.open(tls)).await;
        let stream = opened.map_err(|_elapsed| ConnectError::TimedOut { address: self.address() })??;
        let broken = |reason| ConnectError::Broken { address: self.address(), reason };
        let binding = channel_binding(stream.get_ref().1);
        let binding = binding.ok_or_else(|| broken("it has no channel binding".to_owned()))?;
        let mut stream = Some(stream);
        let connector = tower::service_fn(move |_uri: Uri| {
            let stream = stream.take();
            async move { stream.ok_or_else(|| io::Error::other("the connection is over")).map(TokioIo::new) }
        });
        let endpoint = Endpoint::from(self.uri.clone())
            .http2_keep_alive_interval(KEEPALIVE_PERIOD)
            .keep_alive_timeout(KEEPALIVE_MAX)
            .keep_alive_while_idle(true);
        endpoint
            .connect_with_connector(connector)
            .await
            .map(|channel| (channel, binding))
            .map_err(|error| broken(chain(&error)))
    }

    pub(crate) fn address(&self) -> String {
        format!("{}:{}", self.uri.host().unwrap_or_default(), self.port)
    }

    async fn open(&self, tls: &ClientTls) -> Result<TlsStream<TcpStream>, ConnectError> {
        let connector = TlsConnector::from(tls.config()?);
        let unreachable = |error: io::Error| ConnectError::Unreachable {
            address: self.address(),
            reason: match error.kind() {
                io::ErrorKind::ConnectionRefused => "nothing listens there".to_owned(),
                _ => plain_words(&error),
            },
        };
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(unreachable)?;
        stream.set_nodelay(true).map_err(unreachable)?;
        let connected = connector.connect(self.server_name.clone(), stream).await;
        let stream = connected.map_err(|error| self.handshake_error(&error))?;
        if stream.get_ref().1.alpn_protocol() == Some(HTTP2) {
            Ok(stream)
        } else {
            Err(ConnectError::OtherProtocol { address: self.address() })
        }
    }

    fn handshake_error(&self, error: &io::Error) -> ConnectError {
        let address = self.address();
        let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
        match cause {
            Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
                ConnectError::UnknownAuthority { address }
            }
            Some(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => ConnectError::WrongName { host: self.host.clone() },
            Some(rustls::Error::InvalidCertificate(
                reason @ (CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. }),
            )) => ConnectError::WrongTime { reason: reason.to_string() },
            Some(rustls::Error::InvalidMessage(_) | rustls::Error::AlertReceived(_)) => {
                ConnectError::OtherProtocol { address }
            }
            _ => ConnectError::Tls { address, reason: error.to_string() },
        }
    }
}

/// A call's failure in words: what control said, or what became of the connection. The status's own text shows the innards
/// of libraries.
pub(crate) fn words(status: &Status) -> String {
    let message = if status.message().is_empty() { status.code().description() } else { status.message() };
    let mut causes = std::iter::successors(std::error::Error::source(status), |cause| cause.source());
    match causes.by_ref().last().map(ToString::to_string) {
        Some(cause) if !message.contains(&cause) => format!("{message}: {cause}"),
        _ => message.to_owned(),
    }
}

/// An error with all its causes: the libraries' own messages often say only "transport error".
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_told_in_words() {
        assert_eq!(words(&Status::permission_denied("this node is banned")), "this node is banned");
        assert_eq!(words(&Status::new(tonic::Code::Unavailable, "")), tonic::Code::Unavailable.description());
        let broken = Status::from_error(Box::new(io::Error::other("the wire was cut")));
        assert!(words(&broken).contains("the wire was cut"), "{}", words(&broken));
    }

    #[test]
    fn every_kind_of_host_is_understood() {
        for (url, host, port, address) in [
            ("https://control.example:8421", "control.example", 8_421, "control.example:8421"),
            ("https://127.0.0.1:8421/", "127.0.0.1", 8_421, "127.0.0.1:8421"),
            ("https://[::1]:9", "::1", 9, "[::1]:9"),
            ("https://control.example", "control.example", 443, "control.example:443"),
        ] {
            let target = Target::of(&Config::new("/d".into(), url.to_owned())).unwrap();
            assert_eq!((target.host.as_str(), target.port, target.address().as_str()), (host, port, address));
        }
        assert!(Target::of(&Config::new("/d".into(), "https://a_b..c:1".to_owned())).is_err());
    }
}
