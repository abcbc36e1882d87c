// SPDX-License-Identifier: Apache-2.0
//! Certificate authorities of the node API.

use cress_domain::Timestamp;

use super::{AuthorityRetirement, CertificateAuthorityRecord, ControlStore, columns, revision};
use crate::database::Transaction;
use crate::query::{all, execute};
use crate::{CertificateFingerprint, Sealed, StoreError};

impl ControlStore {
    /// Every certificate authority, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn certificate_authorities(&self) -> Result<Vec<CertificateAuthorityRecord>, StoreError> {
        every(&mut self.database.read().await?).await
    }

    /// Adds the very first certificate authority if there is none yet, and returns every one, oldest first: replicas that start
    /// at the same time agree on one.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn ensure_certificate_authority(
        &self,
        candidate: &CertificateAuthorityRecord,
    ) -> Result<Vec<CertificateAuthorityRecord>, StoreError> {
        let mut transaction = self.database.write().await?;
        revision::lock(&mut transaction).await?;
        let authorities = every(&mut transaction).await?;
        if !authorities.is_empty() {
            return Ok(authorities);
        }
        insert(&mut transaction, candidate).await?;
        let authorities = every(&mut transaction).await?;
        transaction.commit().await?;
        Ok(authorities)
    }

    /// Adds the successor of the newest certificate authority, and says when that one and every earlier one is trusted no more. However many
    /// replicas want to at the same time, one of them does.
    ///
    /// # Errors
    /// [`StoreError::Outdated`] if `predecessor` is not the newest: look again.
    pub async fn succeed_certificate_authority(
        &self,
        predecessor: CertificateFingerprint,
        successor: &CertificateAuthorityRecord,
        retires_at: Timestamp,
    ) -> Result<Vec<CertificateAuthorityRecord>, StoreError> {
        let mut transaction = self.database.write().await?;
        revision::lock(&mut transaction).await?;
        let authorities = every(&mut transaction).await?;
        if authorities.last().is_none_or(|newest| newest.fingerprint != predecessor) {
            return Err(StoreError::Outdated { what: "list of certificate authorities" });
        }
        let retire = sqlx::query("UPDATE control_certificate_authorities SET retires_at = $1 WHERE retires_at IS NULL")
            .bind(retires_at.unix_microseconds());
        execute(&mut transaction, retire).await?;
        insert(&mut transaction, successor).await?;
        let authorities = every(&mut transaction).await?;
        transaction.commit().await?;
        Ok(authorities)
    }

    /// Trusts a certificate authority no more, at once: it is removed with its private key, and [`ControlStore::scrub_if_due`] is to be
    /// called. The newest of the others signs now if it was
    /// to sign later. While an older one is trusted, that one vouches for it, and whoever has its key would be believed on.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such certificate authority.
    pub async fn retire_certificate_authority(
        &self,
        fingerprint: CertificateFingerprint,
        now: Timestamp,
    ) -> Result<AuthorityRetirement, StoreError> {
        let mut transaction = self.database.write().await?;
        revision::lock(&mut transaction).await?;
        let authorities = every(&mut transaction).await?;
        if authorities.iter().all(|authority| authority.fingerprint != fingerprint) {
            return Err(StoreError::not_found(format!("certificate authority {fingerprint}")));
        }
        let mut older = authorities.iter().take_while(|authority| authority.fingerprint != fingerprint);
        if older.any(|authority| authority.retires_at.is_none_or(|retires_at| now < retires_at)) {
            return Ok(AuthorityRetirement::VouchedFor);
        }
        let Some(heir) = authorities.iter().rfind(|authority| authority.fingerprint != fingerprint) else {
            return Ok(AuthorityRetirement::Only);
        };
        let delete = sqlx::query("DELETE FROM control_certificate_authorities WHERE fingerprint = $1");
        execute(&mut transaction, delete.bind(fingerprint.to_string())).await?;
        let inherit = sqlx::query(
            "UPDATE control_certificate_authorities SET signs_from = $1, retires_at = NULL WHERE fingerprint = $2",
        )
        .bind(heir.signs_from.min(now).unix_microseconds())
        .bind(heir.fingerprint.to_string());
        execute(&mut transaction, inherit).await?;
        note_scrub_due(&mut transaction).await?;
        transaction.commit().await?;
        Ok(AuthorityRetirement::Retired)
    }

    /// Removes the certificate authorities whose time is over, with their private keys, and returns how many those were. One that may be
    /// trusted always remains. If there were any, [`ControlStore::scrub_if_due`] is to be called.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn forget_retired_certificate_authorities(&self, now: Timestamp) -> Result<u64, StoreError> {
        let mut transaction = self.database.write().await?;
        revision::lock(&mut transaction).await?;
        let delete = sqlx::query(
            "DELETE FROM control_certificate_authorities WHERE retires_at <= $1 AND EXISTS (SELECT 1 FROM control_certificate_authorities AS heir WHERE heir.signs_from <= $1 AND (heir.retires_at IS NULL OR heir.retires_at > $1))",
        );
        let forgotten = execute(&mut transaction, delete.bind(now.unix_microseconds())).await?;
        if forgotten > 0 {
            note_scrub_due(&mut transaction).await?;
        }
        transaction.commit().await?;
        Ok(forgotten)
    }

    /// Replaces the envelope of a certificate authority's private key.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such certificate authority.
    pub async fn reseal_certificate_authority(
        &self,
        fingerprint: CertificateFingerprint,
        private_key: &Sealed,
    ) -> Result<(), StoreError> {
        let mut transaction = self.database.write().await?;
        let update = sqlx::query(
            "UPDATE control_certificate_authorities SET key_encryption_key = $1, envelope = $2 WHERE fingerprint = $3",
        )
        .bind(private_key.key_encryption_key.as_str())
        .bind(private_key.bytes.as_slice())
        .bind(fingerprint.to_string());
        if execute(&mut transaction, update).await? == 0 {
            return Err(StoreError::not_found(format!("certificate authority {fingerprint}")));
        }
        transaction.commit().await
    }
}

/// In the transaction that removes a private key, so that whoever is cut off after it is reminded.
async fn note_scrub_due(transaction: &mut Transaction) -> Result<(), StoreError> {
    execute(transaction, sqlx::query("UPDATE control_state SET scrub_due = scrub_due + 1")).await.map(drop)
}

async fn insert(transaction: &mut Transaction, authority: &CertificateAuthorityRecord) -> Result<(), StoreError> {
    let insert = sqlx::query(
        "INSERT INTO control_certificate_authorities (fingerprint, certificate_der, key_encryption_key, envelope, created_at, signs_from, retires_at, cross_der) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(authority.fingerprint.to_string())
    .bind(authority.certificate_der.as_slice())
    .bind(authority.private_key.key_encryption_key.as_str())
    .bind(authority.private_key.bytes.as_slice())
    .bind(authority.created_at.unix_microseconds())
    .bind(authority.signs_from.unix_microseconds())
    .bind(authority.retires_at.map(Timestamp::unix_microseconds))
    .bind(authority.cross_der.as_deref());
    execute(transaction, insert).await.map(drop)
}

async fn every(transaction: &mut Transaction) -> Result<Vec<CertificateAuthorityRecord>, StoreError> {
    let select = sqlx::query(
        "SELECT fingerprint, certificate_der, key_encryption_key, envelope, created_at, signs_from, retires_at, cross_der FROM control_certificate_authorities ORDER BY signs_from, created_at, fingerprint",
    );
    all(transaction, select, columns::certificate_authority).await
}
