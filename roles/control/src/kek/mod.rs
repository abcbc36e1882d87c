// SPDX-License-Identifier: Apache-2.0
//! Key-encryption keys while control runs: read anew, exchanged without a restart, and never given up while anything needs them.
//!
//! The order that strands nobody: every replica gets the new key, then every replica seals with it, then what was sealed with the old one is
//! sealed anew, then the old one is taken away. Each step may be repeated, and none is done before the one before it is known to be.

mod holders;
mod origin;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use cress_api::admin::{KeyEncryptionKeyUse, RotatedKeyEncryptionKeys};
use cress_domain::Clock;
use cress_keyring::{KeyEncryptionKeyError, KeyEncryptionKeys, KeyRing, KeyRingError};
use cress_store::StoreError;
use cress_store::control::ControlStore;
use cress_store::keyring::{KeyEncryptionKeyHolder, KeyRingStore};
use tokio::sync::Mutex;

use crate::ca::{CaError, CertificateAuthority};

pub(crate) use holders::ReplicaName;
pub(crate) use origin::Origin;

/// For how long a replica counts as running after it was last heard of.
const HEARD_OF_MAX: Duration = cress_store::keyring::HOLDER_SILENCE_MAX;

/// Manages them. Clones are the same.
#[derive(Clone)]
pub(crate) struct KeyEncryption(Arc<KeyEncryptionParts>, Arc<Mutex<()>>);

/// What is needed for it.
pub(crate) struct KeyEncryptionParts {
    /// The keys that everything in this process uses.
    pub(crate) keys: Arc<KeyEncryptionKeys>,
    /// Where they come from.
    pub(crate) origin: Origin,
    /// Whose private keys they protect.
    pub(crate) ring: KeyRing,
    /// Where these rest.
    pub(crate) rings: KeyRingStore,
    /// Where the certificate authorities' rest.
    pub(crate) store: ControlStore,
    /// What this replica is called.
    pub(crate) replica: String,
    /// When it is heard of.
    pub(crate) clock: Arc<dyn Clock>,
}

/// Whether a new key is to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NewKey {
    /// Control makes one in its own file.
    Make,
    /// The operator has put one into the sources.
    Configured,
}

/// Why key-encryption keys stay as they are.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KekError {
    /// A source cannot be read.
    #[error(transparent)]
    Source(#[from] KeyEncryptionKeyError),
    /// The file cannot be written.
    #[error("the file of the key-encryption key: {0}")]
    File(String),
    /// What is sealed could be opened no more.
    #[error(
        "the sources no longer hold {missing}, under which private keys are still sealed; put it back, or rotate before it is removed"
    )]
    StillNeeded {
        /// The ids.
        missing: String,
    },
    /// No key of control's own to replace.
    #[error(
        "key_encryption.keys is configured, so control makes no key by itself: put a new one after the old one into the sources of every replica, \
         `cress admin kek reload` each, put it before the old one, reload each again, and rotate without --new"
    )]
    NotOwn,
    /// A replica could not open what is sealed with the new key.
    #[error(
        "these replicas were heard of in the last {} minutes and do not have the key-encryption key {active}: {lacking}; give it to them and `cress admin kek reload` each, \
         or, if they no longer run, wait until they are forgotten", HEARD_OF_MAX.as_secs() / 60
    )]
    NotEverywhere {
        /// The key that would seal.
        active: String,
        /// The replicas.
        lacking: String,
    },
    /// Another replica would go on sealing with a key that is no longer here.
    #[error(
        "the sources no longer hold {dropped}, with which these replicas still seal: {sealing}; put it back, make the new key the first of theirs, \
         and `cress admin kek reload` each before it is removed"
    )]
    StillSealing {
        /// The id.
        dropped: String,
        /// The replicas.
        sealing: String,
    },
    /// No other replica could open what is sealed with a key that is made here.
    #[error(
        "these replicas were heard of in the last {} minutes and would not have the key that is made here: {others}; configure key_encryption.keys for all, \
         or, if they no longer run, wait until they are forgotten", HEARD_OF_MAX.as_secs() / 60
    )]
    NotAlone {
        /// The replicas.
        others: String,
    },
    /// Something was sealed under an old key meanwhile.
    #[error("private keys were sealed under {0} meanwhile; it is kept in the file, rotate again")]
    SealedMeanwhile(String),
    /// Some could not be opened, and so not be sealed anew.
    #[error("every other private key is sealed anew; these could not be opened, none of which is in use: {0}")]
    Unreadable(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The ring failed.
    #[error(transparent)]
    Ring(#[from] KeyRingError),
    /// The authorities failed.
    #[error(transparent)]
    Authority(#[from] CaError),
}

impl KeyEncryption {
    pub(crate) fn new(parts: KeyEncryptionParts) -> Self {
        Self(Arc::new(parts), Arc::default())
    }

    /// Reads the sources anew and uses what is there now, unless something is sealed under a key that is no longer there, or another replica
    /// could not open what is sealed from now on, here or there.
    ///
    /// # Errors
    /// [`KekError`]; then everything stays as it is.
    pub(crate) async fn reload(&self) -> Result<(), KekError> {
        let _turn = self.1.lock().await;
        let fresh = self.0.origin.load().await?;
        let is_other = fresh.descriptions().first() != self.0.keys.descriptions().first();
        self.take(fresh, is_other).await
    }

    /// Uses these from now on, after every look that must come before.
    async fn take(&self, fresh: KeyEncryptionKeys, seals_anew: bool) -> Result<(), KekError> {
        let (known, kept) = (self.0.keys.descriptions(), fresh.descriptions());
        let sealed = self.sealed().await?;
        let missing: Vec<_> = known
            .iter()
            .filter(|key| !kept.contains(key) && sealed.contains_key(id_of(key)))
            .map(|key| id_of(key).to_owned())
            .collect();
        if !missing.is_empty() {
            return Err(KekError::StillNeeded { missing: missing.join(", ") });
        }
        let others = self.others().await?;
        if seals_anew {
            check_everywhere(&kept, &others)?;
        }
        check_unused(&known, &kept, &others)?;
        self.0.keys.replace(fresh);
        self.note().await?;
        tracing::info!(active = %self.0.keys.active(), keys = kept.len(), "key-encryption keys read anew");
        Ok(())
    }

    /// Seals every private key anew that is not sealed under the active key. Done again after a crash, it does what is left.
    ///
    /// # Errors
    /// [`KekError`]
    pub(crate) async fn rotate(&self, new: NewKey) -> Result<RotatedKeyEncryptionKeys, KekError> {
        let _turn = self.1.lock().await;
        if new == NewKey::Make {
            self.make_new_key().await?;
        }
        self.take(self.0.origin.load().await?, true).await?;
        let done = self.0.ring.rewrap().await?;
        let authorities = CertificateAuthority::rewrap(&self.0.store, &self.0.keys).await?;
        tracing::info!(signing_keys = done.rewrapped, authorities, active = %self.0.keys.active(), "private keys sealed anew");
        if !done.unreadable.is_empty() {
            let keys: Vec<_> = done.unreadable.iter().map(|(kid, why)| format!("{kid} ({why})")).collect();
            return Err(KekError::Unreadable(keys.join("; ")));
        }
        if new == NewKey::Make {
            self.check_nothing_else_seals().await?;
            self.0.origin.keep_first_key_alone().await?;
            self.take(self.0.origin.load().await?, true).await?;
        }
        let resealed = u64::try_from(done.rewrapped + authorities).unwrap_or(u64::MAX);
        Ok(RotatedKeyEncryptionKeys { resealed, keys: self.list().await? })
    }

    /// Every key that is known here or that something is sealed under.
    ///
    /// # Errors
    /// [`KekError`]
    pub(crate) async fn list(&self) -> Result<Vec<KeyEncryptionKeyUse>, KekError> {
        let (sealed, holders, known) = (self.sealed().await?, self.holders().await?, self.0.keys.descriptions());
        let active = self.0.keys.active().to_string();
        let here: BTreeMap<&str, &String> = known.iter().map(|key| (id_of(key), key)).collect();
        let ids: BTreeSet<&str> = here.keys().copied().chain(sealed.keys().map(String::as_str)).collect();
        let names = |holds: &dyn Fn(&KeyEncryptionKeyHolder) -> bool| -> Vec<String> {
            holders.iter().filter(|holder| holds(holder)).map(|holder| holder.replica.clone()).collect()
        };
        let usage = |id: &str| {
            let seals = sealed.get(id).copied().unwrap_or(0);
            let lacks =
                |holder: &KeyEncryptionKeyHolder| !holder.key_encryption_keys.iter().any(|key| id_of(key) == id);
            let uses = |holder: &KeyEncryptionKeyHolder| {
                holder.key_encryption_keys.first().is_some_and(|key| id_of(key) == id)
            };
            let sealing = names(&uses);
            KeyEncryptionKeyUse {
                active: id == active,
                here: here.contains_key(id),
                seals,
                lacking: names(&lacks),
                removable: id != active && seals == 0 && sealing.is_empty(),
                sealing,
                id: id.to_owned(),
            }
        };
        Ok(ids.into_iter().map(usage).collect())
    }

    /// Nothing is written where another replica would be left without the new key.
    async fn make_new_key(&self) -> Result<(), KekError> {
        self.0.origin.check_own()?;
        let others = self.others().await?;
        if !others.is_empty() {
            return Err(KekError::NotAlone { others: names(&others, |_| true) });
        }
        self.0.origin.make_new_key().await
    }

    async fn check_nothing_else_seals(&self) -> Result<(), KekError> {
        let active = self.0.keys.active().to_string();
        let others: Vec<_> = self.sealed().await?.into_keys().filter(|id| *id != active).collect();
        if others.is_empty() { Ok(()) } else { Err(KekError::SealedMeanwhile(others.join(", "))) }
    }

    /// How many private keys are sealed under each.
    async fn sealed(&self) -> Result<BTreeMap<String, u64>, KekError> {
        let mut sealed: BTreeMap<String, u64> = self.0.rings.sealed_under().await?.into_iter().collect();
        for id in CertificateAuthority::sealed_under(&self.0.store).await? {
            *sealed.entry(id).or_insert(0) += 1;
        }
        Ok(sealed)
    }

    /// Those of the other replicas.
    async fn others(&self) -> Result<Vec<KeyEncryptionKeyHolder>, StoreError> {
        let mut holders = self.holders().await?;
        holders.retain(|holder| holder.replica != self.0.replica);
        Ok(holders)
    }

    async fn holders(&self) -> Result<Vec<KeyEncryptionKeyHolder>, StoreError> {
        self.0.rings.holders(self.0.clock.now(), HEARD_OF_MAX).await
    }
}

/// Every replica can open what is sealed with the first of these.
fn check_everywhere(kept: &[String], others: &[KeyEncryptionKeyHolder]) -> Result<(), KekError> {
    let Some(active) = kept.first() else { return Ok(()) };
    let lacking = names(others, |holder| !holder.key_encryption_keys.contains(active));
    if lacking.is_empty() {
        return Ok(());
    }
    Err(KekError::NotEverywhere { active: id_of(active).to_owned(), lacking })
}

/// No other replica seals with a key that is to go.
fn check_unused(known: &[String], kept: &[String], others: &[KeyEncryptionKeyHolder]) -> Result<(), KekError> {
    for dropped in known.iter().filter(|key| !kept.contains(key)) {
        let sealing = names(others, |holder| holder.key_encryption_keys.first() == Some(dropped));
        if !sealing.is_empty() {
            return Err(KekError::StillSealing { dropped: id_of(dropped).to_owned(), sealing });
        }
    }
    Ok(())
}

fn names(holders: &[KeyEncryptionKeyHolder], which: impl Fn(&KeyEncryptionKeyHolder) -> bool) -> String {
    let names: Vec<_> = holders.iter().filter(|holder| which(holder)).map(|holder| holder.replica.as_str()).collect();
    names.join(", ")
}

/// A description begins with the id.
fn id_of(description: &str) -> &str {
    description.split(' ').next().unwrap_or_default()
}
