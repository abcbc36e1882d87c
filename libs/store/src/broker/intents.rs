// SPDX-License-Identifier: Apache-2.0
//! Leases are written down, many at once, each after the caps and the earlier answers were looked at in the same transaction.

use std::collections::HashMap;

use cress_domain::Timestamp;

use super::answers::{self, Earlier};
use super::counts::{self, Changes};
use super::owner::stored_id;
use super::records::{Ending, Intention, NewAnswer, NewLease};
use super::rows::{list, parts, statement, tuples};
use crate::StoreError;
use crate::database::Transaction;
use crate::query::{all, execute};
use crate::row::Columns;

/// What the decisions about one transaction's leases are made from, and what they lead to.
pub(super) struct Intents<'a> {
    now: Timestamp,
    earlier: HashMap<[u8; 32], Earlier>,
    of_owners: HashMap<OwnerKey, u64>,
    of_groups: HashMap<String, u64>,
    accepted: Vec<&'a NewLease>,
}

/// Owner's id, kind and issuer, and the credential.
type OwnerKey = (String, String, String, String);

/// Columns that are written; the others have a default.
const COLUMNS: &str = "id, credential, provider, issuer, owner_kind, owner_id, group_id, status, ending, granted_at, expires_at, renew_until, activated_at, due_at";
const COLUMNS_COUNT: usize = 14;

impl<'a> Intents<'a> {
    pub(super) async fn load(
        transaction: &mut Transaction,
        leases: &[&'a NewLease],
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let keys: Vec<[u8; 32]> = leases.iter().filter_map(|lease| Some(lease.answer.as_ref()?.key)).collect();
        let groups: Vec<String> = leases.iter().filter_map(|lease| group_count(lease)).collect();
        Ok(Self {
            now,
            earlier: answers::load(transaction, &keys).await?,
            of_owners: count_owners(transaction, leases).await?,
            of_groups: counts::load(transaction, groups).await?,
            accepted: Vec::with_capacity(leases.len()),
        })
    }

    /// An earlier answer comes before a cap: it costs nothing more.
    pub(super) fn decide(&mut self, lease: &'a NewLease) -> Intention {
        if let Some(repeated) = lease.answer.as_ref().and_then(|answer| self.repeated(answer)) {
            return repeated;
        }
        let owner = owner_key(lease);
        let of_owner = self.of_owners.get(&owner).copied().unwrap_or(0);
        if of_owner >= u64::from(lease.caps.per_owner) {
            return Intention::TooManyOfOwner;
        }
        if let Some(group) = group_count(lease) {
            let of_group = self.of_groups.entry(group).or_default();
            if *of_group >= u64::from(lease.caps.per_group) {
                return Intention::TooManyOfGroup;
            }
            *of_group += 1;
        }
        self.of_owners.insert(owner, of_owner + 1);
        if let Some(answer) = &lease.answer {
            self.earlier.insert(answer.key, Earlier::of_this_transaction(answer));
        }
        self.accepted.push(lease);
        Intention::Written
    }

    fn repeated(&self, answer: &NewAnswer) -> Option<Intention> {
        let earlier = self.earlier.get(&answer.key).filter(|earlier| earlier.counts_at(self.now))?;
        if earlier.request != answer.request {
            return Some(Intention::KeyReused);
        }
        Some(earlier.kept.clone().map_or(Intention::InProgress, Intention::Answered))
    }

    pub(super) async fn store(self, transaction: &mut Transaction) -> Result<(), StoreError> {
        let mut changes = Changes::default();
        for part in parts(&self.accepted) {
            let insert = statement(format!(
                "INSERT INTO broker_leases ({COLUMNS}) VALUES {}",
                tuples(0, part.len(), COLUMNS_COUNT)
            ));
            execute(transaction, part.iter().fold(insert, |insert, lease| bind(insert, lease))).await?;
        }
        for lease in &self.accepted {
            changes.add(&counts::of_provider(lease.provider.as_str()), 1);
            if let Some(group) = group_count(lease) {
                changes.add(&group, 1);
            }
            if let Some(answer) = &lease.answer {
                answers::insert(transaction, answer, lease.id).await?;
            }
        }
        changes.store(transaction).await
    }
}

fn bind<'q>(insert: crate::query::Statement<'q>, lease: &NewLease) -> crate::query::Statement<'q> {
    let (status, activated_at, due_at) = match lease.intended_until {
        Some(until) => ("intended", None, until),
        None => ("active", Some(lease.granted_at.unix_microseconds()), lease.expires_at),
    };
    insert
        .bind(lease.id.to_string())
        .bind(lease.credential.to_string())
        .bind(lease.provider.to_string())
        .bind(lease.owner.issuer().as_str().to_owned())
        .bind(lease.owner.kind())
        .bind(lease.owner.id())
        .bind(lease.group_id.as_deref().map(stored_id))
        .bind(status)
        .bind(ending_word(lease.ending))
        .bind(lease.granted_at.unix_microseconds())
        .bind(lease.expires_at.unix_microseconds())
        .bind(lease.renew_until.unix_microseconds())
        .bind(activated_at)
        .bind(due_at.unix_microseconds())
}

pub(super) const fn ending_word(ending: Ending) -> &'static str {
    match ending {
        Ending::Lapses => "lapses",
        Ending::Revoked => "revoked",
    }
}

fn group_count(lease: &NewLease) -> Option<String> {
    let group_id = lease.group_id.as_deref().map(stored_id)?;
    Some(counts::of_group(lease.credential.as_str(), lease.owner.issuer().as_str(), &group_id))
}

fn owner_key(lease: &NewLease) -> OwnerKey {
    let (owner, text) = (&lease.owner, str::to_owned);
    (owner.id(), text(owner.kind()), text(owner.issuer().as_str()), text(lease.credential.as_str()))
}

/// By an index: an owner has few leases, since it is capped.
async fn count_owners(
    transaction: &mut Transaction,
    leases: &[&NewLease],
) -> Result<HashMap<OwnerKey, u64>, StoreError> {
    let capped = leases.iter().filter(|lease| lease.caps.per_owner < u32::MAX);
    let mut ids: Vec<String> = capped.map(|lease| lease.owner.id()).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut counted = HashMap::new();
    for part in parts(&ids) {
        let select = statement(format!(
            "SELECT owner_id, owner_kind, issuer, credential, COUNT(*) AS leases FROM broker_leases WHERE status <> 'gone' AND owner_id IN ({}) GROUP BY owner_id, owner_kind, issuer, credential",
            list(0, part.len())
        ));
        let select = part.iter().fold(select, |select, id| select.bind(id.clone()));
        let rows = all(transaction, select, |row| {
            let key: OwnerKey =
                (row.raw("owner_id")?, row.raw("owner_kind")?, row.raw("issuer")?, row.raw("credential")?);
            Ok((key, row.number("leases")?))
        });
        counted.extend(rows.await?);
    }
    Ok(counted)
}
