// SPDX-License-Identifier: Apache-2.0
//! How many leases are not gone, by group and credential and by provider: counted in the transactions that change them, since a large
//! group's leases cannot be counted anew for each grant.

use std::collections::{BTreeMap, HashMap};

use super::BrokerStore;
use super::rows::{list, parts, statement, tuples};
use crate::StoreError;
use crate::database::Transaction;
use crate::query::{all, execute};
use crate::row::Columns;

const PROVIDER: &str = "provider ";

/// The count of a credential's leases of a group. Neither a credential's name nor an issuer has a space in it.
pub(super) fn of_group(credential: &str, issuer: &str, group_id: &str) -> String {
    format!("group {credential} {issuer} {group_id}")
}

/// The count of a provider's leases.
pub(super) fn of_provider(provider: &str) -> String {
    format!("{PROVIDER}{provider}")
}

/// What changes in a transaction.
#[derive(Debug, Default)]
pub(super) struct Changes(BTreeMap<String, i64>);

impl Changes {
    pub(super) fn add(&mut self, name: &str, leases: i64) {
        match self.0.get_mut(name) {
            Some(change) => *change += leases,
            None => drop(self.0.insert(name.to_owned(), leases)),
        }
    }

    pub(super) async fn store(self, transaction: &mut Transaction) -> Result<(), StoreError> {
        let changes: Vec<(String, i64)> = self.0.into_iter().filter(|(_, change)| *change != 0).collect();
        for part in parts(&changes) {
            let upsert = statement(format!(
                "INSERT INTO broker_counts (name, leases) VALUES {} ON CONFLICT (name) DO UPDATE SET leases = broker_counts.leases + excluded.leases",
                tuples(0, part.len(), 2)
            ));
            let upsert = part.iter().fold(upsert, |upsert, (name, change)| upsert.bind(name.clone()).bind(*change));
            execute(transaction, upsert).await?;
        }
        Ok(())
    }
}

/// The counts of these names; those that are not there are zero.
pub(super) async fn load(
    transaction: &mut Transaction,
    mut names: Vec<String>,
) -> Result<HashMap<String, u64>, StoreError> {
    names.sort_unstable();
    names.dedup();
    let mut counts = HashMap::new();
    for part in parts(&names) {
        let select =
            statement(format!("SELECT name, leases FROM broker_counts WHERE name IN ({})", list(0, part.len())));
        let select = part.iter().fold(select, |select, name| select.bind(name.clone()));
        counts.extend(all(transaction, select, |row| Ok((row.raw("name")?, row.number("leases")?))).await?);
    }
    Ok(counts)
}

/// Forgets what is zero.
pub(super) async fn prune(transaction: &mut Transaction) -> Result<(), StoreError> {
    execute(transaction, sqlx::query("DELETE FROM broker_counts WHERE leases = 0")).await.map(drop)
}

impl BrokerStore {
    /// How many leases of each provider are not gone, by its name; also of providers that are configured no more.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn counts_by_provider(&self) -> Result<Vec<(String, u64)>, StoreError> {
        let mut transaction = self.database.read().await?;
        let select = sqlx::query(
            "SELECT name, leases FROM broker_counts WHERE name >= 'provider ' AND name < 'provider!' AND leases > 0 ORDER BY name",
        );
        all(&mut transaction, select, |row| {
            let name: String = row.raw("name")?;
            Ok((name.strip_prefix(PROVIDER).unwrap_or(&name).to_owned(), row.number("leases")?))
        })
        .await
    }
}
