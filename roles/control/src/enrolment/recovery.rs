// SPDX-License-Identifier: Apache-2.0
//! A fresh certificate for a node that has none which control accepts: it slept beyond the end of its certificate, or through the change of
//! the authority. It proves the key with which it enrolled by a signature that is good on this TLS connection alone, so nobody who sees
//! one can use it; time, and the certificate that it had, do not matter.

use cress_api::node_protocol::{RecoverRequest, RecoverResponse, recovery_statement};
use cress_domain::MachineId;
use cress_service::listen::Peer;
use tonic::{Request, Status};

use super::service::{EnrolmentParts, address};
use crate::ca::NodeKey;
use crate::node_api::{invalid, too_much, unauthenticated};

impl EnrolmentParts {
    /// What is proved is looked at before what is known, so that the answer tells a stranger nothing of who is a member. Whoever proves to be
    /// an active member has no part in what others at its address have failed to do.
    pub(super) async fn recover(&self, request: Request<RecoverRequest>) -> Result<RecoverResponse, Status> {
        let address = address(request.extensions());
        let proved = prove(request);
        if let Ok((machine, key)) = &proved
            && self.doorkeeper.knows(*machine, key.fingerprint())
        {
            return self.recovered(*machine, key).await;
        }
        self.recovery_tries.check(address).map_err(|error| too_much(error.to_string()))?;
        let recovered = match proved {
            Ok((machine, key)) => self.recover_unseen(machine, &key).await,
            Err(status) => Err(status),
        };
        self.recovery_tries.note_refusal(address, &recovered);
        recovered
    }

    /// The store may know more than what is at hand.
    async fn recover_unseen(&self, machine: MachineId, key: &NodeKey) -> Result<RecoverResponse, Status> {
        self.doorkeeper.admit_key(machine, key.fingerprint()).await?;
        self.recovered(machine, key).await
    }

    async fn recovered(&self, machine: MachineId, key: &NodeKey) -> Result<RecoverResponse, Status> {
        let certificate = self.fresh_certificate(machine, key).await?;
        tracing::info!(%machine, "a node without a good certificate proved its key and got a fresh one");
        Ok(RecoverResponse { certificate: Some(certificate) })
    }
}

/// Whose key was proved, and which.
fn prove(request: Request<RecoverRequest>) -> Result<(MachineId, NodeKey), Status> {
    let binding = request.extensions().get::<Peer>().and_then(|peer| peer.channel_binding);
    let binding =
        binding.ok_or_else(|| unauthenticated("expected a TLS 1.3 connection to which a proof can be bound"))?;
    let RecoverRequest { machine_id, certificate_signing_request, proof } = request.into_inner();
    let machine: MachineId = machine_id
        .parse()
        .map_err(|_| invalid("expected the node's machine id, a lower-case UUID, got something else"))?;
    let key = NodeKey::of_request(&certificate_signing_request).map_err(|error| invalid(error.to_string()))?;
    if !key.signed(&recovery_statement(&binding, machine), &proof) {
        return Err(unauthenticated(
            "expected the node key's signature over this connection and the machine id, got something else",
        ));
    }
    Ok((machine, key))
}
