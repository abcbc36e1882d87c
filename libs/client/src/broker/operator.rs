// SPDX-License-Identifier: Apache-2.0
//! The broker's operator API over its Unix socket.

use std::path::Path;
use std::time::Duration;

use cress_api::admin::List;
use cress_api::broker::{
    EndedInstances, OperatorLease, PutSecret, ReleaseTarget, ReleasedTarget, RevokeLeases, RevokedLeases,
    StoredSecretVersion, StuckTarget, WhichSecret, operator_paths,
};
use cress_domain::{LeaseId, ProviderName};
use reqwest::{Client, Method, RequestBuilder};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::form_urlencoded::Serializer;

use crate::ClientError;
use crate::path::fill;
use crate::response::Target;

const TIMEOUT: Duration = Duration::from_secs(60);
/// A page of leases.
const BODY_BYTES_MAX: usize = 64 << 20;

/// A client of one broker's operator API.
#[derive(Debug, Clone)]
pub struct BrokerAdminClient {
    http: Client,
    target: Target,
}

impl BrokerAdminClient {
    /// A client of the broker whose socket lies there.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`] if no HTTP client can be made on this machine.
    pub fn new(socket: &Path) -> Result<Self, ClientError> {
        let target = Target {
            service: "the broker's operator API",
            address: socket.display().to_string(),
            remedy: "start the broker, or name its socket with --socket",
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

    /// A page of leases: those that all of these parameters fit ([`operator_paths::LEASES`]).
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn leases(&self, parameters: &[(&str, String)]) -> Result<Vec<OperatorLease>, ClientError> {
        let query = Serializer::new(String::new()).extend_pairs(parameters).finish();
        let list: List<OperatorLease> = self.read(&format!("{}?{query}", operator_paths::LEASES)).await?;
        Ok(list.items)
    }

    /// One lease.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn lease(&self, lease: LeaseId) -> Result<OperatorLease, ClientError> {
        self.read(&fill(operator_paths::LEASE, &[&lease])).await
    }

    /// Revokes leases.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn revoke(&self, which: &RevokeLeases) -> Result<RevokedLeases, ClientError> {
        self.send(operator_paths::REVOKE, which).await
    }

    /// The targets at which revocations do not succeed.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn stuck(&self) -> Result<Vec<StuckTarget>, ClientError> {
        let list: List<StuckTarget> = self.read(operator_paths::STUCK).await?;
        Ok(list.items)
    }

    /// Lets accounts without a lease be removed at a target, however many they are. Says whether any waited for that.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn release(&self, provider: &ProviderName) -> Result<bool, ClientError> {
        let which = ReleaseTarget { provider: provider.clone() };
        let released: ReleasedTarget = self.send(operator_paths::RELEASE, &which).await?;
        Ok(released.was_held)
    }

    /// Tells of instances that are no more.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn instances_ended(&self, ended: &EndedInstances) -> Result<RevokedLeases, ClientError> {
        self.send(operator_paths::INSTANCES_ENDED, ended).await
    }

    /// Every version of every stored secret, without values.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn secrets(&self) -> Result<Vec<StoredSecretVersion>, ClientError> {
        let list: List<StoredSecretVersion> = self.read(operator_paths::SECRETS).await?;
        Ok(list.items)
    }

    /// Puts a new version of a secret; which one it became.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn put_secret(&self, put: &PutSecret) -> Result<WhichSecret, ClientError> {
        self.send(operator_paths::SECRETS, put).await
    }

    /// Gives out this version from now on.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn activate_secret(&self, which: &WhichSecret) -> Result<WhichSecret, ClientError> {
        self.send(operator_paths::SECRETS_ACTIVATE, which).await
    }

    /// Erases this version for good.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn retire_secret(&self, which: &WhichSecret) -> Result<WhichSecret, ClientError> {
        self.send(operator_paths::SECRETS_RETIRE, which).await
    }

    async fn read<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.target.json(self.request(Method::GET, path)).await
    }

    async fn send<T: DeserializeOwned>(&self, path: &str, body: &(impl Serialize + Sync)) -> Result<T, ClientError> {
        self.target.json(self.request(Method::POST, path).json(body)).await
    }

    /// The host is of no meaning on a socket, but HTTP demands one.
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("http://broker{path}"))
    }
}
