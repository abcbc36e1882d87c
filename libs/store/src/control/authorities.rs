// SPDX-License-Identifier: Apache-2.0
//! Certificate authorities of the node API.

use super::{CertificateAuthorityRecord, ControlStore};
use crate::{CertificateFingerprint, Sealed, StoreError};

impl ControlStore {
    /// Every certificate authority, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn certificate_authorities(&self) -> Result<Vec<CertificateAuthorityRecord>, StoreError> {
        todo!()
    }

    /// Adds the very first certificate authority if there is none yet, and returns every one, oldest first: replicas that start
    /// at the same time agree on one.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn ensure_certificate_authority(
        &self,
        _candidate: &CertificateAuthorityRecord,
    ) -> Result<Vec<CertificateAuthorityRecord>, StoreError> {
        todo!()
    }

    /// Replaces the envelope of a certificate authority's private key.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such certificate authority.
    pub async fn reseal_certificate_authority(
        &self,
        _fingerprint: CertificateFingerprint,
        _private_key: &Sealed,
    ) -> Result<(), StoreError> {
        todo!()
    }
}
