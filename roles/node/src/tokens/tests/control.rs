// SPDX-License-Identifier: Apache-2.0
//! Control in memory: signs with real keys, fails on demand, and remembers what it was asked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use cress_domain::{
    Audience, ContainerGroupId, ExtraClaims, InstanceId, MachineId, OrganizationId, Secret, Timestamp, TokenId,
    TokenTtl,
};
use cress_testkit::{SeededRandom, TestIssuer};
use cress_token::{WorkloadClaims, WorkloadIdentity};
use tokio::sync::Notify;

use super::rig::TokioClock;
use crate::tokens::{Batch, InstanceIdentity, IssuedToken, Refusal, SourceError, TokenRequest, TokenSource};

type Results = Vec<Result<IssuedToken, Refusal>>;
type Tamper = Box<dyn Fn(&Control, &[TokenRequest], &mut Results) + Send + Sync>;

/// What the link to control is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    Up,
    /// Each call fails at once.
    Down,
    /// No call is ever answered.
    Silent,
    /// Calls are held until [`Control::release`].
    Held,
}

pub(super) struct Control {
    pub(super) issuer: Mutex<TestIssuer>,
    pub(super) clock: Arc<TokioClock>,
    pub(super) link: Mutex<Link>,
    pub(super) ttl: Mutex<TokenTtl>,
    pub(super) extra: Mutex<ExtraClaims>,
    calls: Mutex<Vec<Vec<TokenRequest>>>,
    pub(super) tamper: Mutex<Option<Tamper>>,
    placed: Mutex<HashMap<InstanceId, InstanceIdentity>>,
    released: Notify,
    random: SeededRandom,
}

impl Control {
    pub(super) fn new(clock: Arc<TokioClock>) -> Self {
        Self {
            issuer: Mutex::new(TestIssuer::new()),
            clock,
            link: Mutex::new(Link::Up),
            ttl: Mutex::default(),
            extra: Mutex::default(),
            calls: Mutex::default(),
            tamper: Mutex::default(),
            placed: Mutex::default(),
            released: Notify::new(),
            random: SeededRandom::new(7),
        }
    }

    /// Places a fresh instance on the node.
    pub(super) fn place(&self) -> InstanceIdentity {
        let identity = InstanceIdentity {
            machine_id: MachineId::from_bytes([1; 16]),
            instance_id: InstanceId::generate(&self.random),
            container_group_id: ContainerGroupId::from_bytes([2; 16]),
            container_group_name: "demo".parse().unwrap(),
            organization_id: OrganizationId::from_bytes([3; 16]),
            organization_name: "acme".parse().unwrap(),
        };
        self.placed.lock().unwrap().insert(identity.instance_id, identity.clone());
        identity
    }

    pub(super) fn unplace(&self, instance: InstanceId) {
        self.placed.lock().unwrap().remove(&instance);
    }

    pub(super) fn set_link(&self, link: Link) {
        *self.link.lock().unwrap() = link;
    }

    pub(super) fn release(&self) {
        self.set_link(Link::Up);
        self.released.notify_waiters();
    }

    pub(super) fn tamper(&self, tamper: impl Fn(&Self, &[TokenRequest], &mut Results) + Send + Sync + 'static) {
        *self.tamper.lock().unwrap() = Some(Box::new(tamper));
    }

    pub(super) fn be_honest(&self) {
        *self.tamper.lock().unwrap() = None;
    }

    /// What was asked for so far, call by call.
    pub(super) fn calls(&self) -> Vec<Vec<TokenRequest>> {
        self.calls.lock().unwrap().clone()
    }

    /// How many tokens were asked for.
    pub(super) fn asked(&self) -> usize {
        self.calls().iter().map(Vec::len).sum()
    }

    pub(super) fn payload(&self, identity: &InstanceIdentity, audience: &Audience, issued_at: Timestamp) -> Vec<u8> {
        WorkloadClaims {
            issuer: self.issuer.lock().unwrap().issuer(),
            audience,
            token_id: TokenId::generate(&self.random),
            issued_at,
            ttl: *self.ttl.lock().unwrap(),
            identity: WorkloadIdentity {
                machine_id: identity.machine_id,
                instance_id: identity.instance_id,
                container_group_id: identity.container_group_id,
                container_group_name: &identity.container_group_name,
                organization_id: identity.organization_id,
                organization_name: &identity.organization_name,
            },
            extra: &self.extra.lock().unwrap(),
        }
        .to_payload()
    }

    pub(super) fn sign(&self, payload: &[u8]) -> IssuedToken {
        IssuedToken { jwt: Secret::new(self.issuer.lock().unwrap().sign(payload)) }
    }

    pub(super) fn sign_for(
        &self,
        identity: &InstanceIdentity,
        audience: Option<&Audience>,
        issued_at: Timestamp,
    ) -> IssuedToken {
        let audience = audience.cloned().unwrap_or_else(|| identity.organization_id.into());
        self.sign(&self.payload(identity, &audience, issued_at))
    }

    fn answer(&self, request: &TokenRequest) -> Result<IssuedToken, Refusal> {
        let placed = self.placed.lock().unwrap();
        let identity = placed.get(&request.instance_id).ok_or(Refusal::NotPlaced)?;
        Ok(self.sign_for(identity, request.audience.as_ref(), self.clock.control_time()))
    }
}

#[async_trait]
impl TokenSource for Control {
    async fn issue(&self, requests: Vec<TokenRequest>) -> Result<Batch, SourceError> {
        self.calls.lock().unwrap().push(requests.clone());
        let link = *self.link.lock().unwrap();
        // Signed before the answer is held up, as on a slow link.
        let control_time = self.clock.control_time();
        let mut results = requests.iter().map(|request| self.answer(request)).collect();
        if let Some(tamper) = &*self.tamper.lock().unwrap() {
            tamper(self, &requests, &mut results);
        }
        match link {
            Link::Up => {}
            Link::Down => return Err(SourceError::Unreachable("the test cut the link".to_owned())),
            Link::Silent => std::future::pending().await,
            Link::Held => self.released.notified().await,
        }
        Ok(Batch { results, control_time })
    }
}
