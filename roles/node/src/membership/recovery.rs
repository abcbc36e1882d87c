// SPDX-License-Identifier: Apache-2.0
//! The way back of a node whose certificate control does not accept any more: it was off or cut off beyond the certificate's end, or while
//! the authority changed. It proves its key, which control knows, and gets a fresh certificate; no new join token is needed.

use std::time::Duration;

use cress_api::node_protocol::enrolment_client::EnrolmentClient;
use cress_api::node_protocol::{RecoverRequest, recovery_statement};
use cress_service::tls::Identity;
use tonic::{Code, Request, Status};

use super::{Membership, MembershipError};
use crate::link::{Target, words};

/// How long control may take to answer.
const RECOVER_MAX: Duration = Duration::from_secs(15);

/// Why there is no fresh certificate.
#[derive(Debug)]
pub(crate) enum NotRecovered {
    /// Control says that this node is no member.
    Refused(String),
    /// It may succeed later.
    Later(String),
}

impl Membership {
    /// Asks once. Control has to prove itself as ever; the node proves its key over this very connection.
    pub(crate) async fn recover(&self, target: &Target) -> Result<(), NotRecovered> {
        let mut tls = self.tls();
        tls.identity = Identity::none();
        let connected = target.connect_bound(&tls).await;
        let (channel, binding) = connected.map_err(|error| NotRecovered::Later(error.to_string()))?;
        let request = self.recovery_request(&binding).map_err(|error| NotRecovered::Later(error.to_string()))?;
        let mut request = Request::new(request);
        request.set_timeout(RECOVER_MAX);
        let mut client = EnrolmentClient::new(channel);
        let answer = tokio::time::timeout(RECOVER_MAX, client.recover(request)).await;
        let answer = answer.map_err(|_elapsed| NotRecovered::Later("control did not answer in time".to_owned()))?;
        let certificate = answer.map_err(|status| refusal(&status))?.into_inner().certificate;
        let certificate =
            certificate.ok_or_else(|| NotRecovered::Later("control's answer has no certificate".to_owned()))?;
        self.renewed(certificate).map_err(|error| NotRecovered::Later(error.to_string()))
    }

    fn recovery_request(&self, binding: &[u8; 32]) -> Result<RecoverRequest, MembershipError> {
        Ok(RecoverRequest {
            machine_id: self.machine_id.to_string(),
            certificate_signing_request: self.key.signing_request()?,
            proof: self.key.sign(&recovery_statement(binding, self.machine_id))?,
        })
    }
}

fn refusal(status: &Status) -> NotRecovered {
    match status.code() {
        Code::PermissionDenied => NotRecovered::Refused(status.message().to_owned()),
        _ => NotRecovered::Later(words(status)),
    }
}
