// SPDX-License-Identifier: Apache-2.0
//! A tower layer that lets only requests with a good token through.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use cress_token::{ClaimPolicy, ClaimRule, Claims, Verified};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use super::{Refusal, bearer_token};
use crate::Verifier;

/// What the layer puts into a request's extensions.
pub type VerifiedToken = Arc<Verified<Claims>>;

pub(super) const REALM_DEFAULT: &str = "workloads";

/// Lets only requests with a good token through, with a [`VerifiedToken`] in their extensions; the others get a [`Refusal`].
///
/// Layers may stand within layers: one for all routes, and others for single ones that [`require`](Self::require) more. With a
/// [replay window](crate::Settings::replay_window) a token passes once through all layers of one [`Verifier`] that a request meets.
#[derive(Clone, Debug)]
pub struct BearerLayer {
    gate: Arc<Gate>,
}

/// The service that [`BearerLayer`] makes.
#[derive(Clone, Debug)]
pub struct Bearer<S> {
    inner: S,
    gate: Arc<Gate>,
}

#[derive(Clone, Debug)]
struct Gate {
    verifier: Verifier,
    required: Vec<ClaimRule>,
    /// Nothing if every token that satisfies the rules is let in.
    policy: Option<ClaimPolicy>,
    realm: String,
}

/// What layers have let through, for the layers within them: a token that passes once passes all of one verifier's.
#[derive(Clone, Default)]
struct Admissions(Vec<Admitted>);

#[derive(Clone)]
struct Admitted {
    verifier: Verifier,
    authorization: HeaderValue,
    token: VerifiedToken,
}

impl BearerLayer {
    /// A layer that asks this verifier.
    #[must_use]
    pub fn new(verifier: Verifier) -> Self {
        Self { gate: Arc::new(Gate { verifier, required: Vec::new(), policy: None, realm: REALM_DEFAULT.to_owned() }) }
    }

    /// Asks for claims beyond the verifier's rules, for the routes under this layer; a token without them gets 403.
    #[must_use]
    pub fn require(self, rule: ClaimRule) -> Self {
        let mut gate = Arc::unwrap_or_clone(self.gate);
        gate.required.push(rule);
        Self { gate: Arc::new(gate) }
    }

    /// Lets in whoever this policy permits and nobody else, for the routes under this layer; the others get 403. It replaces the
    /// policy that was given before.
    #[must_use]
    pub fn permit(self, policy: ClaimPolicy) -> Self {
        let mut gate = Arc::unwrap_or_clone(self.gate);
        gate.policy = Some(policy);
        Self { gate: Arc::new(gate) }
    }

    /// What the challenge names as the realm; `workloads` if nothing else is said.
    #[must_use]
    pub fn realm(self, realm: &str) -> Self {
        let mut gate = Arc::unwrap_or_clone(self.gate);
        realm.clone_into(&mut gate.realm);
        Self { gate: Arc::new(gate) }
    }
}

impl<S> Layer<S> for BearerLayer {
    type Service = Bearer<S>;

    fn layer(&self, inner: S) -> Bearer<S> {
        Bearer { inner, gate: Arc::clone(&self.gate) }
    }
}

impl<S, B, R> Service<Request<B>> for Bearer<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
    R: From<Bytes>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        // The service that was polled is the one that is ready; its clone is not.
        let clone = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, clone);
        let gate = Arc::clone(&self.gate);
        Box::pin(async move {
            let mut admissions = request.extensions().get::<Admissions>().cloned().unwrap_or_default();
            match gate.admit(request.headers(), &admissions).await {
                Ok(token) => {
                    if let Some(admitted) = gate.admitted(request.headers(), &token) {
                        admissions.0.push(admitted);
                        request.extensions_mut().insert(admissions);
                    }
                    request.extensions_mut().insert(token);
                    inner.call(request).await
                }
                Err(refusal) => Ok(refusal.into_response(&gate.realm)),
            }
        })
    }
}

impl Gate {
    async fn admit(&self, headers: &HeaderMap, admissions: &Admissions) -> Result<VerifiedToken, Refusal> {
        let token = bearer_token(headers)?;
        let is_this = |admitted: &&Admitted| {
            admitted.verifier.is_same_as(&self.verifier) && headers.get(AUTHORIZATION) == Some(&admitted.authorization)
        };
        let claims = match admissions.0.iter().find(is_this) {
            Some(admitted) => Arc::clone(&admitted.token),
            None => self.verifier.verify(token).await.map_err(|error| {
                tracing::debug!(code = error.code(), error = error.to_string(), "refused a token");
                Refusal::from(&error)
            })?,
        };
        if let Some(rule) = self.required.iter().find(|rule| !rule.matches(claims.as_map())) {
            tracing::debug!(rule = rule.as_str(), "refused a token's claims");
            return Err(Refusal::not_permitted());
        }
        if self.policy.as_ref().is_some_and(|policy| !policy.permits(&claims)) {
            tracing::debug!("refused a token that no grant permits");
            return Err(Refusal::not_permitted());
        }
        Ok(claims)
    }

    /// Nothing where a token may be verified as often as one likes.
    fn admitted(&self, headers: &HeaderMap, token: &VerifiedToken) -> Option<Admitted> {
        let authorization = headers.get(AUTHORIZATION).filter(|_| self.verifier.has_replay_window())?.clone();
        Some(Admitted { verifier: self.verifier.clone(), authorization, token: Arc::clone(token) })
    }
}
