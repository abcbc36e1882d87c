// SPDX-License-Identifier: Apache-2.0
//! Secrets that the operator put in, in versions.
//!
//! A version is put once and never changed but to be sealed anew or retired; a retired one holds no value any more.

use cress_domain::{Name, Timestamp};
use sqlx::any::AnyRow;

use super::BrokerStore;
use crate::database::Transaction;
use crate::query::{all, execute, one, the_only};
use crate::row::Columns;
use crate::{Sealed, StoreError};

/// One version of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretVersionRecord {
    /// Whose.
    pub name: Name,
    /// Counts from 1.
    pub version: u32,
    /// The names of its parts.
    pub field_names: Vec<String>,
    /// When it was put.
    pub created_at: Timestamp,
    /// When it was retired.
    pub retired_at: Option<Timestamp>,
    /// Whether it is the one that is given out.
    pub is_active: bool,
    /// Its parts, under envelope encryption; empty once it is retired.
    pub sealed: Sealed,
}

impl BrokerStore {
    /// Counts the changes of all secrets: the cheapest way to see whether there was one.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn secrets_revision(&self) -> Result<i64, StoreError> {
        let select = sqlx::query("SELECT revision FROM broker_secret_changes");
        the_only(&mut self.database.read().await?, select, |row| row.raw("revision")).await
    }

    /// The version that is given out, if there is one, with the revision at which that is so.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn active_secret(&self, name: &str) -> Result<(i64, Option<SecretVersionRecord>), StoreError> {
        let mut transaction = self.database.read().await?;
        let select = sqlx::query("SELECT revision FROM broker_secret_changes");
        let revision = the_only(&mut transaction, select, |row| row.raw("revision")).await?;
        let select = sqlx::query(
            "SELECT v.name, v.version, v.field_names, v.created_at, v.retired_at, v.key_encryption_key, v.envelope, s.active FROM broker_secrets s JOIN broker_secret_versions v ON v.name = s.name AND v.version = s.active WHERE s.name = $1 AND v.retired_at IS NULL",
        );
        Ok((revision, one(&mut transaction, select.bind(name), record).await?))
    }

    /// Every version of every secret, by name and version.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn secret_versions(&self) -> Result<Vec<SecretVersionRecord>, StoreError> {
        let select = sqlx::query(
            "SELECT v.name, v.version, v.field_names, v.created_at, v.retired_at, v.key_encryption_key, v.envelope, s.active FROM broker_secrets s JOIN broker_secret_versions v ON v.name = s.name ORDER BY v.name, v.version",
        );
        all(&mut self.database.read().await?, select, record).await
    }

    /// The number that the next version of a secret has.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn next_secret_version(&self, name: &Name) -> Result<u32, StoreError> {
        let select = sqlx::query("SELECT newest + 1 AS next FROM broker_secrets WHERE name = $1").bind(name.as_str());
        Ok(one(&mut self.database.read().await?, select, |row| row.number("next")).await?.unwrap_or(1))
    }

    /// Puts a version; it is given out at once if `is_active` says so.
    ///
    /// # Errors
    /// [`StoreError::Outdated`] if another version of this number was put meanwhile.
    pub async fn put_secret(&self, put: &SecretVersionRecord) -> Result<(), StoreError> {
        let mut transaction = self.database.write().await?;
        let create =
            sqlx::query("INSERT INTO broker_secrets (name, newest) VALUES ($1, 0) ON CONFLICT (name) DO NOTHING");
        execute(&mut transaction, create.bind(put.name.as_str())).await?;
        let count = sqlx::query("UPDATE broker_secrets SET newest = $1 WHERE name = $2 AND newest = $3")
            .bind(i64::from(put.version))
            .bind(put.name.as_str())
            .bind(i64::from(put.version) - 1);
        if execute(&mut transaction, count).await? == 0 {
            return Err(StoreError::Outdated { what: "secret" });
        }
        let insert = sqlx::query(
            "INSERT INTO broker_secret_versions (name, version, field_names, created_at, key_encryption_key, envelope) VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(put.name.as_str())
        .bind(i64::from(put.version))
        .bind(put.field_names.join("\n"))
        .bind(put.created_at.unix_microseconds())
        .bind(put.sealed.key_encryption_key.as_str())
        .bind(put.sealed.bytes.as_slice());
        execute(&mut transaction, insert).await?;
        if put.is_active {
            activate(&mut transaction, &put.name, put.version).await?;
        }
        changed(&mut transaction).await?;
        transaction.commit().await
    }

    /// Gives out this version from now on.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such version, or it is retired.
    pub async fn activate_secret(&self, name: &Name, version: u32) -> Result<(), StoreError> {
        let mut transaction = self.database.write().await?;
        activate(&mut transaction, name, version).await?;
        changed(&mut transaction).await?;
        transaction.commit().await
    }

    /// Erases the value of this version for good. If it was given out, nothing is from now on. Retired again, it stays so.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such version.
    pub async fn retire_secret(&self, name: &Name, version: u32, now: Timestamp) -> Result<(), StoreError> {
        let mut transaction = self.database.write().await?;
        let retire = sqlx::query("UPDATE broker_secret_versions SET retired_at = COALESCE(retired_at, $1), key_encryption_key = '', envelope = $2 WHERE name = $3 AND version = $4")
            .bind(now.unix_microseconds())
            .bind(&[][..] as &[u8])
            .bind(name.as_str())
            .bind(i64::from(version));
        if execute(&mut transaction, retire).await? == 0 {
            return Err(not_found(name, version));
        }
        let deactivate = sqlx::query("UPDATE broker_secrets SET active = NULL WHERE name = $1 AND active = $2");
        execute(&mut transaction, deactivate.bind(name.as_str()).bind(i64::from(version))).await?;
        changed(&mut transaction).await?;
        transaction.commit().await
    }

    /// Replaces the envelope of a version, unless it was retired or sealed anew meanwhile.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn reseal_secret(&self, known: &SecretVersionRecord, sealed: &Sealed) -> Result<(), StoreError> {
        let mut transaction = self.database.write().await?;
        let update = sqlx::query("UPDATE broker_secret_versions SET key_encryption_key = $1, envelope = $2 WHERE name = $3 AND version = $4 AND key_encryption_key = $5")
            .bind(sealed.key_encryption_key.as_str())
            .bind(sealed.bytes.as_slice())
            .bind(known.name.as_str())
            .bind(i64::from(known.version))
            .bind(known.sealed.key_encryption_key.as_str());
        execute(&mut transaction, update).await?;
        transaction.commit().await
    }
}

async fn activate(transaction: &mut Transaction, name: &Name, version: u32) -> Result<(), StoreError> {
    let update = sqlx::query("UPDATE broker_secrets SET active = $1 WHERE name = $2 AND EXISTS (SELECT 1 FROM broker_secret_versions AS v WHERE v.name = $2 AND v.version = $1 AND v.retired_at IS NULL)")
        .bind(i64::from(version))
        .bind(name.as_str());
    match execute(transaction, update).await? {
        0 => Err(not_found(name, version)),
        _ => Ok(()),
    }
}

async fn changed(transaction: &mut Transaction) -> Result<(), StoreError> {
    let update = sqlx::query("UPDATE broker_secret_changes SET revision = revision + 1");
    execute(transaction, update).await.map(drop)
}

fn not_found(name: &Name, version: u32) -> StoreError {
    StoreError::not_found(format!("version {version} of the secret {name}"))
}

fn record(row: &AnyRow) -> Result<SecretVersionRecord, StoreError> {
    let (version, active): (u32, Option<u32>) = (row.number("version")?, row.number_or_null("active")?);
    Ok(SecretVersionRecord {
        name: row.parsed("name")?,
        version,
        field_names: row.raw::<String>("field_names")?.lines().map(str::to_owned).collect(),
        created_at: row.moment("created_at")?,
        retired_at: row.moment_or_null("retired_at")?,
        is_active: active == Some(version),
        sealed: row.sealed()?,
    })
}
