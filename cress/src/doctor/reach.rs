// SPDX-License-Identifier: Apache-2.0
//! What can be reached from here: URLs over HTTP, and control's node API over TLS.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use cress_domain::{Clock, Timestamp};
use cress_service::plain_words;
use cress_service::tls::{ClientTls, Identity, Protocol, Roots, ServerTrust};
use reqwest::Client;
use reqwest::redirect::Policy;
use rustls_pki_types::ServerName;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::report::Report;

const PATIENCE: Duration = Duration::from_secs(5);
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// By how much two clocks may differ before it is told.
const CLOCKS_APART_SECONDS_MAX: u64 = 5;

/// An answer.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    /// What the server's clock showed.
    pub(super) date: Option<Timestamp>,
}

/// `GET` without redirects.
pub(super) async fn get(url: &str) -> Result<Answer, String> {
    let builder = Client::builder().redirect(Policy::none()).timeout(PATIENCE);
    // This machine's own services are behind no proxy.
    let builder = if url.starts_with("http://") { builder.no_proxy().tls_certs_only([]) } else { builder };
    let client = builder.build().map_err(|error| innermost(&error))?;
    let mut response = client.get(url).send().await.map_err(|error| innermost(&error))?;
    let status = response.status().as_u16();
    let date = response.headers().get("date").and_then(|date| http_date(date.to_str().ok()?));
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| innermost(&error))? {
        if body.len().saturating_add(chunk.len()) > BODY_BYTES_MAX {
            return Err(format!("expected at most {BODY_BYTES_MAX} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status, body, date })
}

/// RFC 9110 section 5.6.7.
fn http_date(text: &str) -> Option<Timestamp> {
    let moment = OffsetDateTime::parse(text, &Rfc2822).ok()?;
    Some(Timestamp::from_unix_seconds(moment.unix_timestamp()))
}

/// Compares this machine's clock with a server's.
pub(super) fn clocks(report: &mut Report, url: &str, theirs: Option<Timestamp>, ours: Timestamp) {
    let Some(theirs) = theirs else { return };
    let apart = ours.saturating_since(theirs).max(theirs.saturating_since(ours)).as_secs();
    if apart <= CLOCKS_APART_SECONDS_MAX {
        report.ok("clock.apart", format!("this machine's clock and that of {url} agree"));
    } else {
        let message = format!(
            "this machine's clock shows {}, that of {url} {}: {apart} s apart",
            ours.rfc3339(),
            theirs.rfc3339()
        );
        report.problem("clock.apart", message, "set both clocks right (systemd-timesyncd or chrony)");
    }
}

/// Connects to control's node API and has it prove itself by these authorities.
pub(super) async fn node_api(
    host: &str,
    port: u16,
    authorities_pem: &[u8],
    clock: Arc<dyn Clock>,
) -> Result<(), String> {
    let roots = Roots::from_pem(authorities_pem).map_err(|error| error.to_string())?;
    let tls =
        ClientTls { servers: ServerTrust::Roots(roots), identity: Identity::none(), protocol: Protocol::Http2, clock };
    let config = tls.config().map_err(|error| error.to_string())?;
    let name = ServerName::try_from(host.to_owned()).map_err(|_| format!("{host} is no name of a host"))?;
    let connect = async {
        let stream = TcpStream::connect((host, port)).await.map_err(|error| plain_words(&error))?;
        TlsConnector::from(config).connect(name, stream).await.map(drop).map_err(|error| plain_words(&error))
    };
    let outcome = tokio::time::timeout(PATIENCE, connect).await;
    outcome.unwrap_or_else(|_| Err(format!("no answer within {} s", PATIENCE.as_secs())))
}

/// The last cause says what happened; those before it say that something did.
fn innermost(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_http_date_is_read() {
        let date = http_date("Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(date, Some(Timestamp::from_unix_seconds(784_111_777)));
        assert_eq!(http_date("yesterday"), None);
    }

    #[test]
    fn clocks_that_differ_are_told() {
        let at = Timestamp::from_unix_seconds;
        for (theirs, status) in [(1_000, "ok"), (1_004, "ok"), (990, "problem"), (5_000, "problem")] {
            let mut report = Report::new();
            clocks(&mut report, "http://c", Some(at(theirs)), at(1_000));
            assert_eq!(serde_json::to_value(report.status()).unwrap(), status, "{theirs}");
        }
    }
}
