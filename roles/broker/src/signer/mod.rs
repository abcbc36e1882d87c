// SPDX-License-Identifier: Apache-2.0
//! The broker as an issuer: key rings of its own, one for each algorithm, that sign what it gives out, and the documents by which services
//! find their public halves. What it signs is for others: it never accepts any of it itself.

mod documents;

use std::sync::Arc;
use std::time::Duration;

use cress_domain::{Clock, Issuer, Secret};
use cress_jose::{SigningAlgorithm as JoseAlgorithm, TokenType as JoseType};
use cress_keyring::{KeyEncryptionKeys, KeyRing, KeyRingError, Settings};
use cress_provider::{AssertionError, AssertionSigner, SigningAlgorithm, TokenType};
use cress_service::Shutdown;
use cress_store::keyring::KeyRingStore;
use cress_store::{Database, StoreError};
use serde_json::{Map, Value};

pub(crate) use documents::Document;

/// The longest life of anything that is signed here: that of a lease that cannot be renewed, 30 days. Keys are published for so long after
/// they signed last.
const TOKEN_LIFE_MAX: Duration = Duration::from_secs(30 * 24 * 3_600);

/// Signs by the key of each ring whose turn it is. Clones are the same.
#[derive(Clone)]
pub(crate) struct Signer(Arc<Inner>);

struct Inner {
    issuer: Issuer,
    es256: KeyRing,
    rs256: KeyRing,
    clock: Arc<dyn Clock>,
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    /// The store does not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A ring cannot be opened.
    #[error(transparent)]
    Ring(#[from] KeyRingError),
}

impl Signer {
    /// Opens the rings; at the very first start it makes their keys.
    pub(crate) async fn open(
        database: &Database,
        keys: &Arc<KeyEncryptionKeys>,
        issuer: Issuer,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SignerError> {
        let store = KeyRingStore::open(database).await?;
        let open = |algorithm| {
            let settings = Settings::broker(algorithm, TOKEN_LIFE_MAX);
            KeyRing::open(store.clone(), Arc::clone(keys), settings, Arc::clone(&clock))
        };
        let (es256, rs256) = (open(JoseAlgorithm::Es256).await?, open(JoseAlgorithm::Rs256).await?);
        Ok(Self(Arc::new(Inner { issuer, es256, rs256, clock })))
    }

    /// Keeps the rings going until the process stops.
    pub(crate) fn spawn(&self, tasks: &Shutdown) {
        for ring in [&self.0.es256, &self.0.rs256] {
            let (ring, stop) = (ring.clone(), tasks.requested());
            tasks.spawn_vital("keep a key ring", async move { ring.run(stop).await });
        }
    }

    fn ring(&self, algorithm: SigningAlgorithm) -> &KeyRing {
        match algorithm {
            SigningAlgorithm::Es256 => &self.0.es256,
            SigningAlgorithm::Rs256 => &self.0.rs256,
        }
    }
}

impl AssertionSigner for Signer {
    fn issuer(&self) -> &str {
        self.0.issuer.as_str()
    }

    fn sign(
        &self,
        algorithm: SigningAlgorithm,
        token_type: TokenType,
        claims: &Map<String, Value>,
    ) -> Result<Secret<String>, AssertionError> {
        let failed = |reason: &str| AssertionError(format!("nothing can be signed with {algorithm:?}: {reason}"));
        let view = self.ring(algorithm).current();
        let stale = "the key ring has not reached its store for too long";
        let key = view.signing_key(self.0.clock.now()).ok_or_else(|| failed(stale))?;
        let payload = serde_json::to_vec(claims).map_err(|_| failed("the claims cannot be written"))?;
        let token_type = match token_type {
            TokenType::Jwt => JoseType::Jwt,
            TokenType::AccessToken => JoseType::AccessToken,
        };
        let token = key.sign_as(token_type, &payload).map_err(|error| failed(&error.to_string()))?;
        Ok(Secret::new(token))
    }
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Signer").field("issuer", &self.0.issuer).finish_non_exhaustive()
    }
}
