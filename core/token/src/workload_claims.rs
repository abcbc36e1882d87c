// SPDX-License-Identifier: Apache-2.0
//! The claims of a token that is about to be signed.

use std::fmt::Write;

use cress_domain::{
    Audience, ContainerGroupId, ExtraClaims, InstanceId, Issuer, MachineId, Name, OrganizationId, Timestamp, TokenId,
    TokenTtl,
};
use cress_jose::compact_length;

/// What one token says. It borrows, so that signing for a hundred thousand instances copies no names.
#[derive(Debug, Clone, Copy)]
pub struct WorkloadClaims<'a> {
    /// Who signs.
    pub issuer: &'a Issuer,
    /// Whom the token is meant for.
    pub audience: &'a Audience,
    /// Different for each token.
    pub token_id: TokenId,
    /// When the token is made; it is valid from then on. Whole seconds are used, rounded down.
    pub issued_at: Timestamp,
    /// How long it lives.
    pub ttl: TokenTtl,
    /// Whose it is.
    pub identity: WorkloadIdentity<'a>,
    /// What the container group adds.
    pub extra: &'a ExtraClaims,
}

/// Whose token it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkloadIdentity<'a> {
    /// The machine, which is the token's subject too.
    pub machine_id: MachineId,
    /// The instance.
    pub instance_id: InstanceId,
    /// The container group.
    pub container_group_id: ContainerGroupId,
    /// Its name.
    pub container_group_name: &'a Name,
    /// The organization.
    pub organization_id: OrganizationId,
    /// Its name.
    pub organization_name: &'a Name,
}

/// Room for a payload of usual length.
const PAYLOAD_BYTES_USUAL: usize = 704;

impl WorkloadClaims<'_> {
    /// The payload to be signed: members in the reference platform's order, with `salad_instance_id` after the machine
    /// and the extra claims last.
    #[must_use]
    pub fn to_payload(&self) -> Vec<u8> {
        let mut json = String::with_capacity(PAYLOAD_BYTES_USUAL);
        self.write_payload(&mut json);
        json.into_bytes()
    }

    /// As [`Self::to_payload`], appended to `json`.
    pub fn write_payload(&self, json: &mut String) {
        let identity = &self.identity;
        let issued_at = self.issued_at.unix_seconds();
        // Ids, names, issuer, audience and the names of extra claims admit no character that JSON escapes: their types
        // see to it. Writing into a String cannot fail.
        let _ = write!(
            json,
            concat!(
                r#"{{"sub":"{machine}","jti":"{token}","salad_machine_id":"{machine}","salad_instance_id":"{instance}","#,
                r#""salad_workload_id":"{group}","salad_workload_name":"{group_name}","#,
                r#""salad_organization_id":"{organization}","salad_organization_name":"{organization_name}","#,
                r#""aud":"{audience}","exp":{expires_at},"iss":"{issuer}","iat":{issued_at},"nbf":{issued_at}"#,
            ),
            machine = identity.machine_id,
            token = self.token_id,
            instance = identity.instance_id,
            group = identity.container_group_id,
            group_name = identity.container_group_name,
            organization = identity.organization_id,
            organization_name = identity.organization_name,
            audience = self.audience,
            expires_at = issued_at.saturating_add(i64::from(self.ttl.seconds())),
            issuer = self.issuer,
            issued_at = issued_at,
        );
        for (name, value) in self.extra.as_map() {
            let _ = write!(json, r#","{name}":{value}"#);
        }
        json.push('}');
    }
}

/// The exact length in characters of a container group's default token, the one whose audience is the organization:
/// it must not exceed [`cress_domain::limits::DEFAULT_TOKEN_BYTES_MAX`]. Holds from the year 2001 to 2286, while a time
/// has ten digits.
#[must_use]
pub fn default_token_length(
    issuer: &Issuer,
    kid_bytes: usize,
    organization_name: &Name,
    container_group_name: &Name,
    extra: &ExtraClaims,
) -> usize {
    let organization_id = OrganizationId::from_bytes([0; 16]);
    let payload = WorkloadClaims {
        issuer,
        audience: &organization_id.into(),
        token_id: TokenId::from_bytes([0; 16]),
        issued_at: Timestamp::from_unix_seconds(2_000_000_000),
        ttl: TokenTtl::default(),
        identity: WorkloadIdentity {
            machine_id: MachineId::from_bytes([0; 16]),
            instance_id: InstanceId::from_bytes([0; 16]),
            container_group_id: ContainerGroupId::from_bytes([0; 16]),
            container_group_name,
            organization_id,
            organization_name,
        },
        extra,
    };
    compact_length(kid_bytes, payload.to_payload().len())
}

#[cfg(test)]
mod tests {
    use cress_domain::limits::DEFAULT_TOKEN_BYTES_MAX;
    use cress_jose::SigningKey;

    use super::*;

    const KID: &str = "salad-workload-2025-03-19T16:59:51.0020098Z";

    fn payload(extra: &ExtraClaims, names: (&str, &str)) -> Vec<u8> {
        WorkloadClaims {
            issuer: &"https://matrix-api.salad.io".parse().unwrap(),
            audience: &"2c3573b6-88de-4067-821f-1af088bd9c6a".parse().unwrap(),
            token_id: "87659e43-19b0-4338-b3cc-d0a303c72af6".parse().unwrap(),
            issued_at: Timestamp::from_unix_microseconds(1_743_101_446_999_999),
            ttl: TokenTtl::default(),
            identity: WorkloadIdentity {
                machine_id: "d2d83275-b10a-c957-8f1c-89666a05dc79".parse().unwrap(),
                instance_id: "5d8a1b0e-3c5f-4b21-9e0c-0a4f3b6f1c2d".parse().unwrap(),
                container_group_id: "215f0bf7-c4c2-4457-85c5-71cd0819def7".parse().unwrap(),
                container_group_name: &names.1.parse().unwrap(),
                organization_id: "2c3573b6-88de-4067-821f-1af088bd9c6a".parse().unwrap(),
                organization_name: &names.0.parse().unwrap(),
            },
            extra,
        }
        .to_payload()
    }

    #[test]
    fn the_payload_is_the_reference_platforms_plus_the_instance() {
        let expected = concat!(
            r#"{"sub":"d2d83275-b10a-c957-8f1c-89666a05dc79","jti":"87659e43-19b0-4338-b3cc-d0a303c72af6","#,
            r#""salad_machine_id":"d2d83275-b10a-c957-8f1c-89666a05dc79","#,
            r#""salad_instance_id":"5d8a1b0e-3c5f-4b21-9e0c-0a4f3b6f1c2d","#,
            r#""salad_workload_id":"215f0bf7-c4c2-4457-85c5-71cd0819def7","#,
            r#""salad_workload_name":"rxlab-demo-jwt-authentication","#,
            r#""salad_organization_id":"2c3573b6-88de-4067-821f-1af088bd9c6a","salad_organization_name":"rxlab","#,
            r#""aud":"2c3573b6-88de-4067-821f-1af088bd9c6a","#,
            r#""exp":1743101746,"iss":"https://matrix-api.salad.io","iat":1743101446,"nbf":1743101446}"#,
        );
        let payload = payload(&ExtraClaims::default(), ("rxlab", "rxlab-demo-jwt-authentication"));
        assert_eq!(String::from_utf8(payload).unwrap(), expected);
    }

    #[test]
    fn extra_claims_are_written_as_json() {
        let claims =
            r#"{"https://example.com/tags":{"a":1},"motto":"say \"hi\" \\ \u0001 ä","n":-1.5,"on":true,"z":null}"#;
        let extra: ExtraClaims = serde_json::from_str(claims).unwrap();
        let parsed: serde_json::Map<_, _> = serde_json::from_slice(&payload(&extra, ("rxlab", "demo"))).unwrap();
        for (name, value) in extra.as_map() {
            assert_eq!(parsed.get(name), Some(value), "{name}");
        }
        assert_eq!(parsed.len(), 13 + extra.as_map().len());
    }

    #[test]
    fn the_default_tokens_length_is_known_before_it_is_signed() {
        let key = SigningKey::generate(KID.parse().unwrap()).unwrap();
        let issuer = "https://matrix-api.salad.io".parse().unwrap();
        let check = |names: (&str, &str), extra: &str| {
            let extra = serde_json::from_str(extra).unwrap();
            let expected = key.sign(&payload(&extra, names)).unwrap().len();
            let length =
                default_token_length(&issuer, KID.len(), &names.0.parse().unwrap(), &names.1.parse().unwrap(), &extra);
            assert_eq!(length, expected, "{names:?}");
            length
        };
        for length in 2..=63 {
            check(("rxlab", &"a".repeat(length)), r#"{"team":"visión","n":1}"#);
        }
        assert!(check(("rxlab", "rxlab-demo-jwt-authentication"), "{}") <= DEFAULT_TOKEN_BYTES_MAX);
        // The names have about 88 characters together.
        assert_eq!(check((&"a".repeat(44), &"b".repeat(44)), "{}"), 1000);
        assert!(check((&"a".repeat(63), &"b".repeat(63)), "{}") > DEFAULT_TOKEN_BYTES_MAX);
    }
}
