// SPDX-License-Identifier: Apache-2.0
//! An instance's metadata service, asked as its application would.

use std::time::Duration;

use cress_api::imds::{self, DeletionCost, Status, Token};
use cress_domain::{Audience, Secret};
use reqwest::{Client, Method, RequestBuilder};
use url::form_urlencoded::byte_serialize;

use crate::ClientError;
use crate::response::Target;

const TIMEOUT: Duration = Duration::from_secs(10);

/// A client of one metadata service.
#[derive(Debug, Clone)]
pub struct ImdsClient {
    http: Client,
    base_url: String,
    target: Target,
}

impl ImdsClient {
    /// A client of the service at this base URL, such as `http://169.254.169.254`. Proxies of the environment are bypassed.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`] if no HTTP client can be made on this machine.
    pub fn new(base_url: &str) -> Result<Self, ClientError> {
        let target = Target {
            service: "the metadata service",
            address: base_url.to_owned(),
            remedy: "ask from inside an instance, or give the URL that `cress up` shows",
        };
        let http = Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(TIMEOUT)
            .build()
            .map_err(|error| target.unreachable(&error))?;
        Ok(Self { http, base_url: base_url.trim_end_matches('/').to_owned(), target })
    }

    /// The instance's token for this audience, or for its organization.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn token(&self, audience: Option<&Audience>) -> Result<Secret<String>, ClientError> {
        let query = audience.map_or_else(String::new, |audience| {
            let encoded = byte_serialize(audience.as_str().as_bytes()).collect::<String>();
            format!("?audience={encoded}")
        });
        let token: Token = self.target.json(self.request(Method::GET, &format!("{}{query}", imds::TOKEN))).await?;
        Ok(Secret::new(token.jwt))
    }

    /// The latest results of the health probes.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn status(&self) -> Result<Status, ClientError> {
        self.target.json(self.request(Method::GET, imds::STATUS)).await
    }

    /// Has the same instance started again.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn restart(&self) -> Result<(), ClientError> {
        self.target.send(self.request(Method::POST, imds::RESTART)).await.map(drop)
    }

    /// The instance's deletion cost.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn deletion_cost(&self) -> Result<i32, ClientError> {
        let cost: DeletionCost = self.target.json(self.request(Method::GET, imds::DELETION_COST)).await?;
        Ok(cost.deletion_cost)
    }

    /// Sets the instance's deletion cost.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn set_deletion_cost(&self, deletion_cost: i32) -> Result<(), ClientError> {
        let request = self.request(Method::PUT, imds::DELETION_COST).json(&DeletionCost { deletion_cost });
        self.target.send(request).await.map(drop)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base_url)).header("Metadata", "true")
    }
}
