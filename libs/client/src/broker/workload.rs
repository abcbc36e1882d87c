// SPDX-License-Identifier: Apache-2.0
//! The broker, asked by a workload with its token.

use std::time::Duration;

use cress_api::admin::List;
use cress_api::broker::{
    IDEMPOTENCY_KEY, IssueRequest, IssuedCredential, Lease, Offer, RenewRequest, RenewedLease, paths,
};
use cress_domain::{CredentialName, LeaseId, Secret};
use reqwest::{Certificate, Client, ClientBuilder, Method, RequestBuilder};
use url::{Host, Url};

use crate::ClientError;
use crate::path::fill;
use crate::response::Target;

/// Longer than the broker waits for any target.
const TIMEOUT: Duration = Duration::from_secs(60);
/// A credential is a few kilobytes; a caller's leases are listed in pages.
const BODY_BYTES_MAX: usize = 4 << 20;

/// A client of one broker. It sends each token to that broker alone: over https, or over plain http to this machine.
#[derive(Debug, Clone)]
pub struct BrokerClient {
    http: Client,
    base_url: String,
    target: Target,
}

impl BrokerClient {
    /// A client of the broker at this base URL. `authorities` (PEM) are trusted instead of the system's, if they are given.
    ///
    /// # Errors
    /// [`ClientError::Unexpected`] for a URL that a token must not be sent to, or authorities that are none;
    /// [`ClientError::Unreachable`] if no HTTP client can be made on this machine.
    pub fn new(base_url: &str, authorities: Option<&[u8]>) -> Result<Self, ClientError> {
        let target = Target {
            service: "the broker",
            address: base_url.to_owned(),
            remedy: "start it, or give the URL and the authority that it is reached by",
            body_bytes_max: BODY_BYTES_MAX,
        };
        let url = Url::parse(base_url).map_err(|_| target.unexpected("expected an https URL".to_owned()))?;
        let builder = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .timeout(TIMEOUT);
        let builder = trust(builder, &url, authorities).map_err(|reason| target.unexpected(reason))?;
        let http = builder.build().map_err(|error| target.unreachable(&error))?;
        Ok(Self { http, base_url: base_url.trim_end_matches('/').to_owned(), target })
    }

    /// What the token's holder may have.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn credentials(&self, token: &Secret<String>) -> Result<Vec<Offer>, ClientError> {
        let list: List<Offer> = self.target.json(self.request(Method::GET, paths::CREDENTIALS, token)).await?;
        Ok(list.items)
    }

    /// Asks for a credential. With an idempotency key, the same request may be sent again within two minutes, and has the same answer.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn issue(
        &self,
        token: &Secret<String>,
        name: &CredentialName,
        request: &IssueRequest,
        idempotency_key: Option<&str>,
    ) -> Result<IssuedCredential, ClientError> {
        let path = fill(paths::CREDENTIAL, &[name]);
        let mut sent = self.request(Method::POST, &path, token).json(request);
        if let Some(key) = idempotency_key {
            sent = sent.header(IDEMPOTENCY_KEY, key);
        }
        self.target.json(sent).await
    }

    /// Lets a lease of the token's holder live on.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn renew(
        &self,
        token: &Secret<String>,
        lease: LeaseId,
        request: &RenewRequest,
    ) -> Result<RenewedLease, ClientError> {
        let path = fill(paths::LEASE_RENEW, &[&lease]);
        self.target.json(self.request(Method::POST, &path, token).json(request)).await
    }

    /// Ends a lease of the token's holder.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn end(&self, token: &Secret<String>, lease: LeaseId) -> Result<(), ClientError> {
        let path = fill(paths::LEASE, &[&lease]);
        self.target.send(self.request(Method::DELETE, &path, token)).await.map(drop)
    }

    /// The first leases of the token's holder.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn leases(&self, token: &Secret<String>) -> Result<Vec<Lease>, ClientError> {
        let list: List<Lease> = self.target.json(self.request(Method::GET, paths::LEASES, token)).await?;
        Ok(list.items)
    }

    fn request(&self, method: Method, path: &str, token: &Secret<String>) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base_url)).bearer_auth(token.expose())
    }
}

/// Plain http stays on this machine, past every proxy: a token on the network is everybody's.
fn trust(builder: ClientBuilder, url: &Url, authorities: Option<&[u8]>) -> Result<ClientBuilder, String> {
    let is_loopback = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    let builder = if is_loopback { builder.no_proxy() } else { builder };
    match (url.scheme(), authorities) {
        ("http", None) if is_loopback => Ok(builder.tls_certs_only([])),
        ("https", None) => Ok(builder.https_only(true)),
        ("https", Some(pem)) => {
            let roots = Certificate::from_pem_bundle(pem).ok().filter(|roots| !roots.is_empty());
            let roots = roots.ok_or("expected certificate authorities in PEM")?;
            Ok(builder.https_only(true).tls_certs_only(roots))
        }
        ("http", Some(_)) => Err("expected certificate authorities with an https URL only".to_owned()),
        _ => {
            Err("expected an https URL, or an http URL of this machine: a token must not cross a network in the clear"
                .to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_over_https_or_stays_on_the_machine() {
        for (url, good) in [
            ("https://broker.example", true),
            ("http://127.0.0.1:8422", true),
            ("http://localhost:8422/", true),
            ("http://[::1]:8422", true),
            ("http://broker.example", false),
            ("http://10.0.0.1", false),
            ("ftp://127.0.0.1", false),
            ("broker.example", false),
        ] {
            assert_eq!(BrokerClient::new(url, None).is_ok(), good, "{url}");
        }
        assert!(BrokerClient::new("https://broker.example", Some(b"no certificate")).is_err());
        assert!(BrokerClient::new("http://127.0.0.1", Some(b"")).is_err());
    }

    #[tokio::test]
    async fn a_broker_that_is_not_there_has_a_sentence() {
        let client = BrokerClient::new("http://127.0.0.1:1", None).unwrap();
        let message = client.credentials(&Secret::new("hunter2".to_owned())).await.unwrap_err().to_string();
        assert!(message.starts_with("cannot reach the broker at http://127.0.0.1:1: "), "{message}");
        assert!(!message.contains("hunter2"), "{message}");
    }
}
