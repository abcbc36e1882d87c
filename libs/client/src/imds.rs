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
/// A token of the largest size, or a problem, with much room. Whoever answers at that address may not be who is meant.
const BODY_BYTES_MAX: usize = 64 << 10;

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
            body_bytes_max: BODY_BYTES_MAX,
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// The token, or why there is none, of a service that answers with so many characters of a token and then sends no end.
    async fn token_of(characters: usize) -> Result<usize, String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = ImdsClient::new(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1_024];
            assert!(stream.read(&mut request).await.unwrap() > 0);
            let body = format!(r#"{{"jwt":"{}"}}"#, "a".repeat(characters));
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            // It may have heard enough.
            stream.write_all(answer.as_bytes()).await.ok();
            stream
        };
        let (token, _stream) = tokio::join!(client.token(None), serve);
        token.map(|token| token.expose().len()).map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn no_more_is_read_than_a_token_can_have() {
        assert_eq!(token_of(8_192).await, Ok(8_192));
        let message = token_of(BODY_BYTES_MAX).await.unwrap_err();
        assert!(message.ends_with("got something else: more than 65536 bytes"), "{message}");
    }
}
