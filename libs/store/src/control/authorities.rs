// SPDX-License-Identifier: Apache-2.0
//! Certificate authorities of the node API.

use super::{CertificateAuthorityRecord, ControlStore, columns, revision};
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
        let insert = sqlx::query(
            "INSERT INTO control_certificate_authorities (fingerprint, certificate_der, key_encryption_key, envelope, created_at) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(candidate.fingerprint.to_string())
        .bind(candidate.certificate_der.as_slice())
        .bind(candidate.private_key.key_encryption_key.as_str())
        .bind(candidate.private_key.bytes.as_slice())
        .bind(candidate.created_at.unix_microseconds());
        execute(&mut transaction, insert).await?;
        let authorities = every(&mut transaction).await?;
        transaction.commit().await?;
        Ok(authorities)
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

async fn every(transaction: &mut Transaction) -> Result<Vec<CertificateAuthorityRecord>, StoreError> {
    let select = sqlx::query(
        "SELECT fingerprint, certificate_der, key_encryption_key, envelope, created_at FROM control_certificate_authorities ORDER BY created_at, fingerprint",
    );
    all(transaction, select, columns::certificate_authority).await
}
