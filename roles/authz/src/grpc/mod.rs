// SPDX-License-Identifier: Apache-2.0
//! The same over gRPC, for Envoy and Istio: `envoy.service.auth.v3.Authorization/Check`. It decides nothing itself.

mod ask;
mod reply;

#[cfg(test)]
mod tests;

use std::time::Duration;

use cress_service::Shutdown;
use cress_service::listen::Server;
use tonic::{Request, Response, Status};

use crate::serve::Service;

/// The generated messages.
#[expect(unreachable_pub, clippy::allow_attributes, clippy::allow_attributes_without_reason, reason = "generated code")]
mod proto {
    tonic::include_proto!("envoy.service.auth.v3");
}

use proto::authorization_server::{Authorization, AuthorizationServer};
use proto::{CheckRequest, CheckResponse};

/// The largest question: a request's head, and its body where the token stands there.
const REQUEST_BYTES_MAX: usize = 1_310_720;
/// Questions at once on one connection.
const CALLS_PER_CONNECTION_MAX: u32 = 1_024;
/// A question whose keys have to be fetched first takes the longest.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves until `shutdown` asks to stop, and then until the questions at hand are answered or the drain deadline has passed.
pub(crate) async fn serve(server: Server, service: Service, shutdown: Shutdown) {
    let check = AuthorizationServer::new(Checks(service)).max_decoding_message_size(REQUEST_BYTES_MAX);
    let incoming = server.incoming(&shutdown);
    let serving = tonic::transport::Server::builder()
        .timeout(CALL_TIMEOUT)
        .max_concurrent_streams(CALLS_PER_CONNECTION_MAX)
        .add_service(check)
        .serve_with_incoming_shutdown(incoming, shutdown.requested());
    if let Some(Err(error)) = shutdown.run_until_expired(serving).await {
        tracing::error!(%error, "gRPC is no longer served");
    }
}

struct Checks(Service);

#[tonic::async_trait]
impl Authorization for Checks {
    async fn check(&self, request: Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        let question = ask::read(request.into_inner());
        let (decision, realm) = self.0.decide(question.asked(), &question.headers, &question.body).await;
        Ok(Response::new(reply::of(decision, &realm)))
    }
}
