// SPDX-License-Identifier: Apache-2.0
//! Between the schedule's facts and the store's records: births, and private keys out of their envelopes.

use std::sync::Arc;

use cress_domain::KeyId;
use cress_jose::{Jwk, SigningKey, SigningKeyError};
use cress_store::keyring::KeyRecord;

use super::KeyRingError;
use crate::schedule::{KeyFacts, Roster};
use crate::{KeyEncryptionKeys, Purpose, Settings, SettingsError};

pub(super) const fn facts(record: &KeyRecord) -> KeyFacts {
    KeyFacts {
        created_at: record.created_at,
        signs_from: record.signs_from,
        signs_until: record.signs_until,
        published_until: record.published_until,
        revoked_at: record.revoked_at,
    }
}

pub(super) fn roster(records: &[KeyRecord]) -> Roster {
    Roster::new(records.iter().map(facts))
}

/// The records of a planned roster: those known with their new times, and new key pairs for those that are born.
pub(super) fn realize(
    planned: &Roster,
    known: &[KeyRecord],
    keys: &KeyEncryptionKeys,
    settings: &Settings,
) -> Result<Vec<KeyRecord>, KeyRingError> {
    let record = |facts: &KeyFacts| match known.iter().find(|record| record.created_at == facts.created_at) {
        Some(record) => Ok(KeyRecord {
            signs_from: facts.signs_from,
            signs_until: facts.signs_until,
            published_until: facts.published_until,
            revoked_at: facts.revoked_at,
            ..record.clone()
        }),
        None => bear(facts, keys, settings),
    };
    planned.keys().iter().map(record).collect()
}

fn bear(facts: &KeyFacts, keys: &KeyEncryptionKeys, settings: &Settings) -> Result<KeyRecord, KeyRingError> {
    let kid = settings.kid(facts.created_at).map_err(SettingsError::KidPrefix)?;
    let failed = |cause| KeyRingError::KeyPair { kid: kid.clone(), cause };
    let pair = SigningKey::generate_with(kid.clone(), settings.algorithm).map_err(failed)?;
    let pkcs8 = pair.to_pkcs8().map_err(failed)?;
    let public_jwk = serde_json::to_string(&pair.public_jwk()).map_err(|_| failed(SigningKeyError::Serialize))?;
    let private_key = keys
        .seal(Purpose::SigningKey(settings.ring), kid.as_str(), &pkcs8)
        .map_err(|cause| KeyRingError::Envelope { kid: kid.clone(), cause })?;
    Ok(KeyRecord {
        kid,
        created_at: facts.created_at,
        signs_from: facts.signs_from,
        signs_until: facts.signs_until,
        published_until: facts.published_until,
        revoked_at: facts.revoked_at,
        public_jwk,
        private_key,
    })
}

/// The key pair of a record, proved to be the one that the record says.
pub(super) fn unseal(
    record: &KeyRecord,
    keys: &KeyEncryptionKeys,
    settings: &Settings,
) -> Result<Arc<SigningKey>, KeyRingError> {
    let kid = || record.kid.clone();
    let pkcs8 = keys
        .open(Purpose::SigningKey(settings.ring), record.kid.as_str(), &record.private_key)
        .map_err(|cause| KeyRingError::Envelope { kid: kid(), cause })?;
    let pair = SigningKey::from_pkcs8_with(kid(), settings.algorithm, &pkcs8)
        .map_err(|cause| KeyRingError::KeyPair { kid: kid(), cause })?;
    match Jwk::parse(record.public_jwk.as_bytes()) {
        Ok(public) if public == pair.public_jwk() => Ok(Arc::new(pair)),
        _ => Err(KeyRingError::PublicKeyMismatch { kid: kid() }),
    }
}

pub(super) fn with_kid<'a>(records: &'a [KeyRecord], kid: &KeyId) -> Option<&'a KeyRecord> {
    records.iter().find(|record| record.kid == *kid)
}
