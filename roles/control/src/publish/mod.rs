// SPDX-License-Identifier: Apache-2.0
//! The public API: the keys that verify tokens, where to find them, and whether control is well. Anyone may ask, so nothing here
//! is secret, nothing takes a body, and answers about keys come from memory.

mod conditional;
mod discovery;
mod health;
mod keys;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use cress_domain::{Clock, Issuer, Random};
use cress_keyring::KeyRing;
use cress_service::Shutdown;
use cress_service::listen::Server;
use cress_service::middleware::{with_request_ids, with_security_headers};
use cress_service::problem::with_problems;
use cress_store::control::ControlStore;
use http::HeaderValue;

use crate::ca::CertificateAuthority;
use crate::fleet::FleetView;
use health::Readiness;

/// Where the key set is, below the public URL.
pub(crate) const JWKS_PATH: &str = "/.well-known/workload-jwks.json";
/// OpenID Connect Discovery 1.0, section 4.
const DISCOVERY_PATH: &str = "/.well-known/openid-configuration";
const HEALTH_PATH: &str = "/healthz";
const READINESS_PATH: &str = "/readyz";

/// What is published, and what readiness looks at.
#[derive(Clone)]
pub(crate) struct Public {
    /// The keys.
    pub(crate) ring: KeyRing,
    /// Who signs.
    pub(crate) issuer: Issuer,
    /// The URL of the key set.
    pub(crate) jwks_url: Arc<str>,
    /// How long the key set may be cached.
    pub(crate) cache_life: Duration,
    /// Whether it is fresh tells readiness.
    pub(crate) fleet: FleetView,
    /// Whether its list is current tells readiness.
    pub(crate) ca: CertificateAuthority,
    /// Whether it answers tells readiness.
    pub(crate) store: ControlStore,
    /// Time.
    pub(crate) clock: Arc<dyn Clock>,
    /// For request ids.
    pub(crate) random: Arc<dyn Random>,
}

#[derive(Clone)]
struct Shared {
    public: Public,
    readiness: Arc<Readiness>,
    cache_control: HeaderValue,
}

/// Serves the public API until `shutdown` asks to stop.
pub(crate) async fn serve(server: Server, public: Public, shutdown: Shutdown) {
    let random = Arc::clone(&public.random);
    let router = with_security_headers(with_request_ids(router(public), random));
    server.serve(router, &shutdown).await;
}

fn router(public: Public) -> Router {
    let cache_control = conditional::cache_control(public.cache_life);
    let readiness = Arc::new(Readiness::new(&public));
    let routes = Router::new()
        .route(JWKS_PATH, get(keys::key_set))
        .route(DISCOVERY_PATH, get(discovery::document))
        .route(HEALTH_PATH, get(health::alive))
        .route(READINESS_PATH, get(health::ready));
    with_problems(routes).with_state(Shared { public, readiness, cache_control })
}
