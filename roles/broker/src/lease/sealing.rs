// SPDX-License-Identifier: Apache-2.0
//! Credentials that are given again: sealed, bound to their lease, and found by a hash of who asks for what.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{Context, SHA256};
use cress_domain::{CredentialName, LeaseId, Secret, Timestamp};
use cress_keyring::{EnvelopeError, KeyEncryptionKeys, Purpose};
use cress_provider::{FieldValue, Issued};
use cress_store::Sealed;
use cress_store::broker::Owner;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::GrantError;

/// Room for most answers, so that none is left behind by growing.
const ANSWER_BYTES: usize = 16 * 1_024;

/// A credential as it is sealed.
#[derive(Serialize, Deserialize)]
struct Answer {
    fields: BTreeMap<String, Field>,
    expires_at: Option<i64>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Field {
    Text(String),
    Number(u32),
    Secret(String),
}

impl Drop for Field {
    fn drop(&mut self) {
        if let Self::Secret(secret) = self {
            secret.zeroize();
        }
    }
}

/// Seals a credential for its lease.
pub(super) fn seal(keys: &KeyEncryptionKeys, lease: LeaseId, issued: &Issued) -> Result<Sealed, GrantError> {
    let fields = issued.fields.iter().map(|(name, value)| (name.clone(), field(value))).collect();
    let answer = Answer { fields, expires_at: issued.expires_at.map(Timestamp::unix_microseconds) };
    let mut bytes = Zeroizing::new(Vec::with_capacity(ANSWER_BYTES));
    serde_json::to_writer(&mut *bytes, &answer).map_err(|error| GrantError::Sealing(error.to_string()))?;
    let secret = Secret::new(std::mem::take(&mut *bytes));
    keys.seal(Purpose::LeaseAnswer, &lease.to_string(), &secret).map_err(unsealed)
}

/// Opens the credential of a lease.
pub(super) fn open(keys: &KeyEncryptionKeys, lease: LeaseId, sealed: &Sealed) -> Result<Issued, GrantError> {
    let bytes = keys.open(Purpose::LeaseAnswer, &lease.to_string(), sealed).map_err(unsealed)?;
    // Its words could quote what is in it.
    let answer: Answer = serde_json::from_slice(bytes.expose())
        .map_err(|_| GrantError::Sealing("it was sealed by another version of cress".to_owned()))?;
    let fields = answer.fields.iter().map(|(name, field)| (name.clone(), value(field))).collect();
    Ok(Issued { fields, expires_at: answer.expires_at.map(Timestamp::from_unix_microseconds) })
}

fn unsealed(error: EnvelopeError) -> GrantError {
    GrantError::Sealing(error.to_string())
}

fn field(value: &FieldValue) -> Field {
    match value {
        FieldValue::Text(text) => Field::Text(text.clone()),
        FieldValue::Number(number) => Field::Number(*number),
        FieldValue::Secret(secret) => Field::Secret(secret.expose().clone()),
    }
}

fn value(field: &Field) -> FieldValue {
    match field {
        Field::Text(text) => FieldValue::Text(text.clone()),
        Field::Number(number) => FieldValue::Number(*number),
        Field::Secret(secret) => FieldValue::Secret(Secret::new(secret.clone())),
    }
}

/// What a repeated request is found by: nobody but its owner finds it.
pub(super) fn idempotency_key(owner: &Owner, key: &[u8; 32]) -> [u8; 32] {
    hash(&[b"cress idempotency 1", owner.issuer().as_str().as_bytes(), owner.to_string().as_bytes(), key])
}

/// What a shared credential is found by: the same group, the same credential, the same parameters.
pub(super) fn sharing_key(
    owner: &Owner,
    credential: &CredentialName,
    parameters: &BTreeMap<String, String>,
) -> [u8; 32] {
    let owner_words = owner.to_string();
    let mut parts: Vec<&[u8]> = vec![
        b"cress sharing 1",
        owner.issuer().as_str().as_bytes(),
        owner_words.as_bytes(),
        credential.as_str().as_bytes(),
    ];
    parts.extend(parameters.iter().flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]));
    hash(&parts)
}

/// Each part after its length, so that no two lists of parts make the same bytes.
fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut hash = [0; 32];
    for (byte, hashed) in hash.iter_mut().zip(context.finish().as_ref()) {
        *byte = *hashed;
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_credential_opens_for_its_lease_alone() {
        let bytes = Secret::new([7; 32]);
        let keys =
            KeyEncryptionKeys::new(cress_keyring::KeyEncryptionKey::new(None, &bytes).unwrap(), Vec::new()).unwrap();
        let issued = Issued::new([
            ("username", FieldValue::Text("cress_1".into())),
            ("port", FieldValue::Number(6_379)),
            ("password", FieldValue::Secret(Secret::new("hunter2".to_owned()))),
        ]);
        let (lease, other) = (LeaseId::from_bytes([1; 16]), LeaseId::from_bytes([2; 16]));
        let sealed = seal(&keys, lease, &issued).unwrap();
        assert!(!sealed.bytes.windows(7).any(|window| window == b"hunter2"));
        let opened = open(&keys, lease, &sealed).unwrap();
        assert_eq!(opened.fields.keys().collect::<Vec<_>>(), ["password", "port", "username"]);
        assert!(matches!(&opened.fields["password"], FieldValue::Secret(secret) if secret.expose() == "hunter2"));
        assert!(matches!(open(&keys, other, &sealed), Err(GrantError::Sealing(_))));
    }

    #[test]
    fn keys_are_their_owners_own() {
        let owner = |issuer: &str, instance_id: &str| Owner::Instance {
            issuer: issuer.parse().unwrap(),
            instance_id: instance_id.into(),
        };
        let (one, two, three) = (owner("https://a", "1"), owner("https://a", "2"), owner("https://b", "1"));
        let keys = [&one, &two, &three].map(|owner| idempotency_key(owner, &[0; 32]));
        assert!(keys[0] != keys[1] && keys[0] != keys[2]);
        let parameters = |pairs: &[(&str, &str)]| pairs.iter().map(|(a, b)| ((*a).into(), (*b).into())).collect();
        let (name, empty) = ("cache".parse().unwrap(), BTreeMap::new());
        let shared = sharing_key(&one, &name, &parameters(&[("a", "bc")]));
        assert_ne!(shared, sharing_key(&one, &name, &parameters(&[("ab", "c")])));
        assert_ne!(shared, sharing_key(&one, &name, &empty));
    }
}
