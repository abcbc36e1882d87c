// SPDX-License-Identifier: Apache-2.0
//! An issuer that signs whatever a test asks for.

use cress_domain::{
    Audience, ContainerGroupId, ExtraClaims, InstanceId, Issuer, KeyId, MachineId, Name, OrganizationId, Timestamp,
    TokenId, TokenTtl,
};
use cress_jose::{JwkSet, SigningKey};
use cress_token::{AudienceRule, KeySet, Rules, WorkloadClaims, WorkloadIdentity};
use serde_json::{Map, Value};

use crate::SeededRandom;

/// An issuer with keys in memory and one workload of its own, whose ids are the same in each run.
#[derive(Debug)]
pub struct TestIssuer {
    issuer: Issuer,
    keys: Vec<SigningKey>,
    random: SeededRandom,
    audience: Audience,
    machine_id: MachineId,
    instance_id: InstanceId,
    container_group_id: ContainerGroupId,
    container_group_name: Name,
    organization_id: OrganizationId,
    organization_name: Name,
}

impl TestIssuer {
    /// An issuer `https://issuer.test` with one key, `test-1`.
    #[must_use]
    pub fn new() -> Self {
        Self::with_issuer("https://issuer.test")
    }

    /// An issuer of this name with one key, `test-1`.
    ///
    /// # Panics
    /// If the name is none.
    #[must_use]
    pub fn with_issuer(issuer: &str) -> Self {
        let random = SeededRandom::default();
        let organization_id = OrganizationId::generate(&random);
        Self {
            issuer: issuer.parse().expect("an issuer"),
            keys: vec![key("test-1")],
            audience: organization_id.into(),
            machine_id: MachineId::generate(&random),
            instance_id: InstanceId::generate(&random),
            container_group_id: ContainerGroupId::generate(&random),
            container_group_name: "demo".parse().expect("a name"),
            organization_id,
            organization_name: "acme".parse().expect("a name"),
            random,
        }
    }

    /// The issuer.
    #[must_use]
    pub const fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// The audience of its tokens: the workload's organization.
    #[must_use]
    pub const fn audience(&self) -> &Audience {
        &self.audience
    }

    /// The workload that its tokens identify.
    #[must_use]
    pub const fn identity(&self) -> WorkloadIdentity<'_> {
        WorkloadIdentity {
            machine_id: self.machine_id,
            instance_id: self.instance_id,
            container_group_id: self.container_group_id,
            container_group_name: &self.container_group_name,
            organization_id: self.organization_id,
            organization_name: &self.organization_name,
        }
    }

    /// The key that signs: the one added last.
    ///
    /// # Panics
    /// If all keys were dropped.
    #[must_use]
    pub fn signing_key(&self) -> &SigningKey {
        self.keys.last().expect("a key that signs")
    }

    /// Adds a key, which signs from now on; the older ones stay published.
    pub fn add_key(&mut self, kid: &str) {
        self.keys.push(key(kid));
    }

    /// Drops a key from the published set.
    pub fn drop_key(&mut self, kid: &str) {
        self.keys.retain(|key| key.kid().as_str() != kid);
    }

    /// The published set.
    ///
    /// # Panics
    /// If two keys have one id.
    #[must_use]
    pub fn jwks(&self) -> JwkSet {
        JwkSet::new(self.keys.iter().map(SigningKey::public_jwk).collect()).expect("keys with different ids")
    }

    /// The published set as JSON.
    #[must_use]
    pub fn jwks_json(&self) -> String {
        self.jwks().to_json()
    }

    /// The published set, ready to verify.
    #[must_use]
    pub fn key_set(&self) -> KeySet {
        KeySet::new(&self.jwks())
    }

    /// The rules that its tokens satisfy.
    #[must_use]
    pub fn rules(&self) -> Rules {
        Rules::for_workloads(self.issuer.clone(), AudienceRule::OneOf(vec![self.audience.clone()]))
    }

    /// A token of its workload, issued at this moment, valid for 300 s; each has its own `jti`.
    #[must_use]
    pub fn token(&self, issued_at: Timestamp) -> String {
        self.sign(&self.payload(issued_at, &self.audience))
    }

    /// As [`Self::token`], for another audience.
    #[must_use]
    pub fn token_for(&self, audience: &Audience, issued_at: Timestamp) -> String {
        self.sign(&self.payload(issued_at, audience))
    }

    /// The claims of [`Self::token`], to be changed and given to [`Self::sign_claims`].
    ///
    /// # Panics
    /// Never: the payload is an object.
    #[must_use]
    pub fn claims(&self, issued_at: Timestamp) -> Map<String, Value> {
        serde_json::from_slice(&self.payload(issued_at, &self.audience)).expect("an object")
    }

    /// Signs claims, whatever they are.
    #[must_use]
    pub fn sign_claims(&self, claims: Map<String, Value>) -> String {
        self.sign(Value::Object(claims).to_string().as_bytes())
    }

    /// Signs a payload, whatever it is.
    ///
    /// # Panics
    /// If the token would be too long.
    #[must_use]
    pub fn sign(&self, payload: &[u8]) -> String {
        self.signing_key().sign(payload).expect("a token of acceptable length")
    }

    fn payload(&self, issued_at: Timestamp, audience: &Audience) -> Vec<u8> {
        WorkloadClaims {
            issuer: &self.issuer,
            audience,
            token_id: TokenId::generate(&self.random),
            issued_at,
            ttl: TokenTtl::default(),
            identity: self.identity(),
            extra: &ExtraClaims::default(),
        }
        .to_payload()
    }
}

impl Default for TestIssuer {
    fn default() -> Self {
        Self::new()
    }
}

fn key(kid: &str) -> SigningKey {
    let kid: KeyId = kid.parse().expect("a key id");
    SigningKey::generate(kid).expect("a key pair")
}

#[cfg(test)]
mod tests {
    use cress_domain::Clock;
    use cress_token::verify;

    use super::*;
    use crate::MockClock;

    #[test]
    fn its_tokens_verify_through_a_change_of_keys() {
        let now = MockClock::default().now();
        let mut issuer = TestIssuer::new();
        let old = issuer.token(now);
        issuer.add_key("test-2");
        let new = issuer.token(now);
        for token in [&old, &new] {
            let claims = verify(token, &issuer.key_set(), &issuer.rules(), now).unwrap();
            assert_eq!(claims.workload().unwrap().instance_id, Some(issuer.identity().instance_id));
        }
        issuer.drop_key("test-1");
        let refused = verify(&old, &issuer.key_set(), &issuer.rules(), now).unwrap_err();
        assert_eq!(refused.code(), "key-unknown");
    }
}
