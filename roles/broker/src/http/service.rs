// SPDX-License-Identifier: Apache-2.0
//! From a request to its answer.

use std::convert::Infallible;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use cress_service::listen::RequestBody;
use cress_service::problem::not_found;
use cress_verify::http::bearer_token;
use http::Request;
use http::request::Parts;

use super::answer::{self, Answer};
use super::route::{NoRoute, Route};
use super::{Documents, credentials, health, leases};
use crate::broker::{Broker, Running};
use crate::caller::Caller;
use crate::oauth;

/// Answers requests of one connection. Clones are cheap.
#[derive(Clone)]
pub(crate) struct Service {
    broker: Arc<Broker>,
    documents: Arc<Documents>,
    source_address: Option<IpAddr>,
}

/// A request whose token is good.
pub(super) struct Asking {
    pub(super) broker: Arc<Broker>,
    pub(super) running: Arc<Running>,
    pub(super) caller: Arc<Caller>,
    pub(super) source_address: Option<IpAddr>,
}

impl Service {
    pub(crate) const fn new(broker: Arc<Broker>, documents: Arc<Documents>) -> Self {
        Self { broker, documents, source_address: None }
    }

    /// The same for whoever connects from there.
    pub(super) fn of(&self, peer: Option<IpAddr>) -> Self {
        Self { source_address: peer, ..self.clone() }
    }

    async fn answer(self, route: Route, head: Parts, body: RequestBody) -> Answer {
        match route {
            Route::Health => health::alive(),
            Route::Readiness => health::ready(&self.broker),
            Route::KeySet => self.documents.key_set(&self.broker, &head.headers),
            Route::Discovery => self.documents.discovery(&self.broker, &head.headers),
            Route::AuthorizationServer => self.documents.authorization_server(),
            Route::OpenApi => self.documents.openapi(),
            Route::Exchange => {
                let (running, address) = (self.broker.running(), self.known_address());
                oauth::exchange(&self.broker, &running, address, (&head, body)).await
            }
            route => self.with_token(route, head, body).await,
        }
    }

    async fn with_token(self, route: Route, head: Parts, body: RequestBody) -> Answer {
        let running = self.broker.running();
        let identified = match bearer_token(&head.headers) {
            Ok(token) => self.broker.identify(&running, token).await,
            Err(error) => Err(error.into()),
        };
        let caller = match identified {
            Ok(caller) => caller,
            Err(refused) => return answer::refused(refused, running.realm()),
        };
        let source_address = self.known_address();
        let asking = Asking { broker: self.broker, running, caller, source_address };
        match route {
            Route::Offers => credentials::list(&asking),
            Route::Issue(name) => credentials::issue(&asking, name, &head.headers, body).await,
            Route::Leases => leases::list(&asking, head.uri.query()).await,
            Route::End(id) => leases::end(&asking, id).await,
            Route::Renew(id) => leases::renew(&asking, id, &head.headers, body).await,
            // Those that need no token have been answered.
            _ => answer::problem(&not_found("")),
        }
    }

    /// Behind a proxy the peer is the proxy, and what that says of its clients is not looked at.
    fn known_address(&self) -> Option<IpAddr> {
        self.source_address.filter(|_| !self.broker.running().loaded.config.behind_proxy)
    }
}

impl hyper::service::Service<Request<RequestBody>> for Service {
    type Response = Answer;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, Infallible>> + Send>>;

    fn call(&self, request: Request<RequestBody>) -> Self::Future {
        let (head, body) = request.into_parts();
        let service = self.clone();
        Box::pin(async move {
            Ok(match Route::of(&head.method, head.uri.path()) {
                Ok(route) => service.answer(route, head, body).await,
                Err(NoRoute::Path) => answer::problem(&not_found(head.uri.path())),
                Err(NoRoute::Method(allowed)) => answer::wrong_method(&head.method, allowed),
            })
        })
    }
}
