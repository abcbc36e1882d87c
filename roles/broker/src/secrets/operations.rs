// SPDX-License-Identifier: Apache-2.0
//! What the operator does with stored secrets.

use std::collections::{BTreeMap, BTreeSet};

use cress_domain::{Name, Secret};
use cress_keyring::{EnvelopeError, Purpose};
use cress_store::broker::SecretVersionRecord;
use cress_store::{StoreError, StoreErrorKind};

use super::{Secrets, envelope_id, fields};

/// Secrets in one store.
const SECRETS_MAX: usize = 1_000;
/// Versions of one secret that are not retired.
const VERSIONS_MAX: usize = 10;
/// How often a version is put while others put theirs.
const PUTS_MAX: usize = 8;

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretsError {
    /// What was asked for cannot be.
    #[error("{0}")]
    Refused(String),
    /// The store fails, or there is no such version.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key-encryption key does not do it.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
}

impl Secrets {
    /// Puts a new version, given out at once or only stored; its number.
    pub(crate) async fn put(
        &self,
        name: &Name,
        fields: &BTreeMap<String, Secret<String>>,
        is_active: bool,
    ) -> Result<u32, SecretsError> {
        fields::check(fields).map_err(SecretsError::Refused)?;
        self.check_room(name).await?;
        let content = fields::written(fields).ok_or_else(|| SecretsError::Refused("expected texts".to_owned()))?;
        for _ in 0..PUTS_MAX {
            let version = self.0.store.next_secret_version(name).await?;
            let sealed = self.0.keys.seal(Purpose::StoredSecret, &envelope_id(name, version), &content)?;
            let record = SecretVersionRecord {
                name: name.clone(),
                version,
                field_names: fields.keys().cloned().collect(),
                created_at: self.0.clock.now(),
                retired_at: None,
                is_active,
                sealed,
            };
            match self.0.store.put_secret(&record).await {
                Err(error) if error.kind() == StoreErrorKind::Outdated => {}
                put => {
                    put?;
                    self.forget().await;
                    return Ok(version);
                }
            }
        }
        Err(SecretsError::Refused("others put versions of this secret again and again; try again".to_owned()))
    }

    async fn check_room(&self, name: &Name) -> Result<(), SecretsError> {
        let versions = self.0.store.secret_versions().await?;
        let names: BTreeSet<&Name> = versions.iter().map(|version| &version.name).collect();
        if names.len() >= SECRETS_MAX && !names.contains(name) {
            return Err(SecretsError::Refused(format!("expected at most {SECRETS_MAX} secrets")));
        }
        let kept = versions.iter().filter(|version| version.name == *name && version.retired_at.is_none()).count();
        if kept >= VERSIONS_MAX {
            return Err(SecretsError::Refused(format!(
                "expected at most {VERSIONS_MAX} versions of {name} that are not retired; retire old ones first"
            )));
        }
        Ok(())
    }

    /// Every version, without its value.
    pub(crate) async fn list(&self) -> Result<Vec<SecretVersionRecord>, SecretsError> {
        Ok(self.0.store.secret_versions().await?)
    }

    /// Gives out this version from now on, if its envelope opens.
    pub(crate) async fn activate(&self, name: &Name, version: u32) -> Result<(), SecretsError> {
        let versions = self.0.store.secret_versions().await?;
        let chosen = versions.iter().find(|record| record.name == *name && record.version == version);
        if let Some(record) = chosen.filter(|record| record.retired_at.is_none()) {
            self.0.keys.open(Purpose::StoredSecret, &envelope_id(name, version), &record.sealed)?;
        }
        self.0.store.activate_secret(name, version).await?;
        self.forget().await;
        Ok(())
    }

    /// Erases a version for good; nothing is given out then, if it was the active one.
    pub(crate) async fn retire(&self, name: &Name, version: u32) -> Result<(), SecretsError> {
        self.0.store.retire_secret(name, version, self.0.clock.now()).await?;
        self.forget().await;
        Ok(())
    }
}
