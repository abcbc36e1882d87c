// SPDX-License-Identifier: Apache-2.0
//! Signing tokens: for instances that are placed on the node that asks, and for nothing else.
//!
//! What a token says comes from the fleet's table alone. The node says which of its instances, and for which of the audiences that the
//! container group allows; it never says who the instance is. Nothing here asks the store or waits.

use std::sync::Arc;

use cress_api::node_protocol::token_result::Result as WireResult;
use cress_api::node_protocol::{Token, TokenRefusal, TokenRequest, TokenResult};
use cress_domain::{Clock, InstanceId, Issuer, MachineId, Random, Timestamp, TokenId};
use cress_jose::SigningKey;
use cress_keyring::RingView;
use cress_token::{WorkloadClaims, WorkloadIdentity};

use crate::fleet::{AudienceRefusal, FleetView, GroupFacts};
use crate::metrics::Counters;

/// Room for the payload of a token of usual length.
const PAYLOAD_BYTES_USUAL: usize = 1_024;
/// Room for a token of usual length.
const TOKEN_BYTES_USUAL: usize = 1_000;
const TOKEN_ID_BYTES: usize = 16;

/// Signs tokens. Clones are the same.
#[derive(Clone)]
pub(crate) struct TokenIssuer {
    parts: Arc<IssuerParts>,
}

/// What a token issuer works with.
pub(crate) struct IssuerParts {
    /// What is placed where.
    pub(crate) fleet: FleetView,
    /// Who signs: `iss`.
    pub(crate) issuer: Issuer,
    /// When.
    pub(crate) clock: Arc<dyn Clock>,
    /// Where `jti` comes from.
    pub(crate) random: Arc<dyn Random>,
    /// Where it is counted.
    pub(crate) counters: Counters,
}

/// One batch at work: what all its tokens have in common, and buffers that are used again for each.
struct Batch<'a> {
    parts: &'a IssuerParts,
    machine: MachineId,
    key: Option<&'a SigningKey>,
    now: Timestamp,
    payload: String,
}

impl TokenIssuer {
    /// One that works with these parts.
    pub(crate) fn new(parts: IssuerParts) -> Self {
        Self { parts: Arc::new(parts) }
    }

    /// A token or a refusal for each request, in their order. Takes some 20 microseconds of CPU time for each.
    pub(crate) fn issue(&self, machine: MachineId, ring: &RingView, requests: &[TokenRequest]) -> Vec<TokenResult> {
        let parts = self.parts.as_ref();
        let now = parts.clock.now();
        let instances: Vec<Option<InstanceId>> =
            requests.iter().map(|request| request.instance_id.parse().ok()).collect();
        let groups = parts.fleet.groups_of(machine, instances.iter().copied());
        let ids = token_ids(parts.random.as_ref(), requests.len());
        let payload = String::with_capacity(PAYLOAD_BYTES_USUAL);
        let mut batch = Batch { parts, machine, key: ring.signing_key(now), now, payload };
        let mut results = Vec::with_capacity(requests.len());
        for (((request, instance), group), id) in requests.iter().zip(instances).zip(&groups).zip(ids) {
            let result = batch.token(request, instance, group.as_deref(), id);
            results.push(TokenResult { result: Some(batch.wire(result)) });
        }
        results
    }
}

impl Batch<'_> {
    fn token(
        &mut self,
        request: &TokenRequest,
        instance: Option<InstanceId>,
        group: Option<&GroupFacts>,
        token_id: TokenId,
    ) -> Result<Token, TokenRefusal> {
        let instance_id = instance.ok_or(TokenRefusal::Malformed)?;
        let group = group.ok_or(TokenRefusal::NotPlaced)?;
        let audience = group.audience(&request.audience).map_err(|refusal| match refusal {
            AudienceRefusal::Malformed => TokenRefusal::Malformed,
            AudienceRefusal::NotAllowed => TokenRefusal::Audience,
        })?;
        let key = self.key.ok_or(TokenRefusal::NoSigningKey)?;
        self.payload.clear();
        let claims = WorkloadClaims {
            issuer: &self.parts.issuer,
            audience,
            token_id,
            issued_at: self.now,
            ttl: group.token_ttl,
            identity: WorkloadIdentity {
                machine_id: self.machine,
                instance_id,
                container_group_id: group.id,
                container_group_name: &group.name,
                organization_id: group.organization_id,
                organization_name: &group.organization_name,
            },
            extra: &group.extra_claims,
        };
        claims.write_payload(&mut self.payload);
        let mut jwt = String::with_capacity(TOKEN_BYTES_USUAL);
        key.sign_into(self.payload.as_bytes(), &mut jwt).map_err(|error| {
            tracing::error!(%error, group = %group.id, "a token is not signed");
            TokenRefusal::Unspecified
        })?;
        // The claims have whole seconds, and so do the times beside them.
        let issued_at = Timestamp::from_unix_seconds(self.now.unix_seconds());
        let expires_at = issued_at + group.token_ttl.duration();
        Ok(Token { jwt, issued_at: issued_at.unix_microseconds(), expires_at: expires_at.unix_microseconds() })
    }

    fn wire(&self, result: Result<Token, TokenRefusal>) -> WireResult {
        match result {
            Ok(token) => {
                self.parts.counters.tokens_issued(1);
                WireResult::Token(token)
            }
            Err(refusal) => {
                self.parts.counters.token_refused(refusal);
                WireResult::Refusal(refusal.into())
            }
        }
    }
}

/// All random bytes of a batch at once: asking the generator has a price of its own.
fn token_ids(random: &dyn Random, count: usize) -> Vec<TokenId> {
    let mut bytes = vec![0; count.saturating_mul(TOKEN_ID_BYTES)];
    random.fill(&mut bytes);
    let (ids, _) = bytes.as_chunks::<TOKEN_ID_BYTES>();
    ids.iter().map(|bytes| version_4(*bytes)).collect()
}

/// RFC 9562 section 5.4.
const fn version_4(bytes: [u8; TOKEN_ID_BYTES]) -> TokenId {
    TokenId::from_bytes(uuid::Builder::from_random_bytes(bytes).into_uuid().into_bytes())
}
