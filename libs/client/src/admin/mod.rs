// SPDX-License-Identifier: Apache-2.0
//! Control's admin API over its Unix socket.

mod authorities;
mod fleet;
mod keys;
mod tenancy;

use std::path::Path;
use std::time::Duration;

use cress_api::admin::List;
use reqwest::{Client, Method, RequestBuilder};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ClientError;
use crate::response::Target;

const TIMEOUT: Duration = Duration::from_secs(60);
/// A list of every instance of a large fleet.
const BODY_BYTES_MAX: usize = 256 << 20;

/// A client of one control.
#[derive(Debug, Clone)]
pub struct AdminClient {
    http: Client,
    target: Target,
}

impl AdminClient {
    /// A client of the control whose socket lies there.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`] if no HTTP client can be made on this machine.
    pub fn new(socket: &Path) -> Result<Self, ClientError> {
        let target = Target {
            service: "control's admin API",
            address: socket.display().to_string(),
            remedy: "start control, or name its socket with --socket",
            body_bytes_max: BODY_BYTES_MAX,
        };
        let http = Client::builder()
            .unix_socket(socket)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(TIMEOUT)
            .build()
            .map_err(|error| target.unreachable(&error))?;
        Ok(Self { http, target })
    }

    async fn list<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, ClientError> {
        let list: List<T> = self.target.json(self.request(Method::GET, path)).await?;
        Ok(list.items)
    }

    async fn read<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.target.json(self.request(Method::GET, path)).await
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<T, ClientError> {
        self.target.json(self.request(method, path).json(body)).await
    }

    async fn ask(&self, method: Method, path: &str) -> Result<(), ClientError> {
        self.target.send(self.request(method, path)).await.map(drop)
    }

    /// The host is of no meaning on a socket, but HTTP demands one.
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("http://control{path}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_control_that_is_not_there_has_a_sentence() {
        let client = AdminClient::new(Path::new("/nowhere/admin.sock")).unwrap();
        let message = client.nodes().await.unwrap_err().to_string();
        assert!(message.starts_with("cannot reach control's admin API at /nowhere/admin.sock: "), "{message}");
        assert!(message.ends_with("start control, or name its socket with --socket"), "{message}");
    }
}
