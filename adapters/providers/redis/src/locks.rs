// SPDX-License-Identifier: Apache-2.0
//! Keeps a repair from bringing an account back while it is being ended: calls for single accounts hold a lock of theirs together,
//! and a repair holds it alone. Accounts share a few locks, so that there is nothing to keep for each.

use cress_domain::AccountName;
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

/// How many there are.
pub(crate) const SHARDS: usize = 64;

/// The locks.
#[derive(Debug)]
pub(crate) struct Locks(Vec<RwLock<()>>);

impl Default for Locks {
    fn default() -> Self {
        Self((0..SHARDS).map(|_| RwLock::default()).collect())
    }
}

impl Locks {
    /// For a call for this account.
    pub(crate) async fn call(&self, account: &AccountName) -> Option<RwLockReadGuard<'_, ()>> {
        match self.0.get(shard(account)) {
            Some(lock) => Some(lock.read().await),
            None => None,
        }
    }

    /// For a repair of the accounts of this shard.
    pub(crate) async fn repair(&self, shard: usize) -> Option<RwLockWriteGuard<'_, ()>> {
        match self.0.get(shard) {
            Some(lock) => Some(lock.write().await),
            None => None,
        }
    }
}

/// Whose lock an account has. A lease's id is random.
pub(crate) fn shard(account: &AccountName) -> usize {
    account.lease().as_bytes().first().map_or(0, |byte| usize::from(*byte) % SHARDS)
}
