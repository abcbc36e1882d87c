// SPDX-License-Identifier: Apache-2.0
//! Database plumbing, and the repositories of each role: [`broker`], [`control`] and [`keyring`], each with its own tables and its own
//! history of migrations, so that they may share a database or not.
//!
//! Every write is one transaction: a crash leaves the whole of it or nothing. Every error is sorted by what the caller can
//! do about it ([`StoreError`]). Time and randomness are parameters. This crate never decrypts anything, and never decides
//! where an instance runs or when a key rotates: it only makes such decisions durable, exactly once.

pub mod audit;
mod backup;
pub mod broker;
pub mod control;
pub mod copy;
mod database;
mod database_url;
mod error;
mod hash;
mod inspection;
pub mod keyring;
mod migration;
mod query;
mod row;
mod sealed;

pub use backup::{Backup, BackupError};
pub use database::{Database, DatabaseOptions, Migrations, Network};
pub use database_url::{DatabaseUrl, DatabaseUrlError};
pub use error::{StoreError, StoreErrorKind};
pub use hash::{CertificateFingerprint, HashError, KeyFingerprint, SecretHash};
pub use inspection::{Inspection, ModuleVersion};
pub use migration::{migrate_all, versions};
pub use sealed::Sealed;
