// SPDX-License-Identifier: Apache-2.0
//! Lets a call in only after its caller was admitted: before that not one byte of its body is read, however large it says to be.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Request, Response};
use tonic::body::Body;
use tonic::server::NamedService;
use tower_service::Service;

use super::caller::Doorkeeper;

/// A gRPC service for nodes alone.
#[derive(Clone)]
pub(super) struct Admission<S> {
    service: S,
    doorkeeper: Doorkeeper,
}

impl<S> Admission<S> {
    pub(super) const fn new(service: S, doorkeeper: Doorkeeper) -> Self {
        Self { service, doorkeeper }
    }
}

impl<S: NamedService> NamedService for Admission<S> {
    const NAME: &'static str = S::NAME;
}

impl<S, B> Service<Request<B>> for Admission<S>
where
    S: Service<Request<B>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut service, doorkeeper) = (self.service.clone(), self.doorkeeper.clone());
        // The one that is ready goes; its copy stays.
        std::mem::swap(&mut service, &mut self.service);
        Box::pin(async move {
            match doorkeeper.admit(request.extensions()).await {
                Ok(_) => service.call(request).await,
                Err(status) => Ok(status.into_http()),
            }
        })
    }
}
