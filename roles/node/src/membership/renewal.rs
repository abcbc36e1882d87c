// SPDX-License-Identifier: Apache-2.0
//! Renewal of the node's certificate, well ahead of its end, over a connection that the old one made.

use std::sync::Arc;
use std::time::Duration;

use cress_api::node_protocol::RenewRequest;
use cress_api::node_protocol::enrolment_client::EnrolmentClient;
use cress_service::shutdown::Shutdown;
use tonic::Request;

use super::{Membership, MembershipError};
use crate::backoff::Backoff;
use crate::link::{Connection, words};
use crate::metrics::NodeMetrics;

/// How long control may take to answer.
const RENEW_MAX: Duration = Duration::from_secs(15);
const RETRY_FIRST: Duration = Duration::from_secs(2);
const RETRY_MAX: Duration = Duration::from_secs(300);
/// How long the clock is trusted to go on by itself: a machine that slept wakes up late.
const LOOK_PERIOD: Duration = Duration::from_secs(60);
/// Below this much of life left, a failed renewal is an error and no longer a warning.
const ALARM: Duration = Duration::from_secs(3 * 3_600);

/// Renews until the process stops.
pub(crate) async fn renew_ahead(
    membership: Arc<Membership>,
    connection: Connection,
    metrics: NodeMetrics,
    shutdown: Shutdown,
) {
    let follow = async {
        let mut backoff = Backoff::new(RETRY_FIRST, RETRY_MAX, Arc::clone(&membership.random));
        loop {
            until_due(&membership).await;
            match renew(&membership, &connection).await {
                Ok(()) => {
                    backoff.reset();
                    metrics.certificate_renewed();
                    tracing::info!(certificate_until = %membership.not_after(), "certificate renewed");
                }
                Err(reason) => {
                    metrics.certificate_renewal_failed();
                    tell(&membership, &reason);
                    tokio::time::sleep(backoff.wait()).await;
                }
            }
        }
    };
    shutdown.token().run_until_cancelled(follow).await;
}

async fn until_due(membership: &Membership) {
    loop {
        let wait = membership.until_renewal();
        if wait.is_zero() {
            return;
        }
        tokio::time::sleep(wait.min(LOOK_PERIOD)).await;
    }
}

async fn renew(membership: &Membership, connection: &Connection) -> Result<(), String> {
    let in_words = |error: MembershipError| error.to_string();
    let certificate_signing_request = membership.key.signing_request().map_err(in_words)?;
    let exchange = async {
        let mut client = EnrolmentClient::new(connection.channel().await);
        let mut request = Request::new(RenewRequest { certificate_signing_request });
        request.set_timeout(RENEW_MAX);
        client.renew(request).await
    };
    let answer = tokio::time::timeout(RENEW_MAX, exchange).await;
    let answer = answer.map_err(|_elapsed| "control was not reached in time".to_owned())?;
    let certificate = answer.map_err(|status| words(&status))?.into_inner().certificate;
    membership.renewed(certificate.ok_or("control's answer has no certificate")?).map_err(in_words)
}

fn tell(membership: &Membership, reason: &str) {
    let (left, until) = (membership.remaining(), membership.not_after());
    if left.is_zero() {
        tracing::error!(reason, expired_at = %until, "this node's certificate has expired; as soon as control is reached, the node proves its key and gets another");
    } else if left < ALARM {
        tracing::error!(reason, certificate_until = %until, "certificate not renewed yet, and its end is near");
    } else {
        tracing::warn!(reason, certificate_until = %until, "certificate not renewed yet; trying again");
    }
}
