// SPDX-License-Identifier: Apache-2.0
//! What is given out together is written together: many requests, one transaction.

use cress_domain::Timestamp;

use super::intents::Intents;
use super::records::{Abandonment, Activation, Intention, NewLease, Renewal, Renewed};
use super::{BrokerStore, answers};
use crate::StoreError;
use crate::database::Transaction;
use crate::query::{execute, one};
use crate::row::Columns;

use super::list::ending;
use super::rows::{list, parts, statement};

/// One of the things that are written together. None may depend on another of the same transaction.
#[derive(Debug, Clone)]
pub enum Write {
    /// A lease, before its credential is made.
    Intend(Box<NewLease>),
    /// Its credential has been made.
    Activate(Activation),
    /// Its credential has not been made, or is not given out.
    Abandon(Abandonment),
    /// It lives longer.
    Renew(Renewal),
}

/// What became of a [`Write`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// Of [`Write::Intend`].
    Intention(Intention),
    /// Of [`Write::Activate`]: whether it is active now. If not, it was revoked meanwhile.
    Activated(bool),
    /// Of [`Write::Abandon`].
    Abandoned,
    /// Of [`Write::Renew`]: nothing if its owner has no such active lease.
    Renewed(Option<Renewed>),
}

impl BrokerStore {
    /// Writes all of it or nothing. The answers come in the order of the requests.
    ///
    /// # Errors
    /// [`StoreError`]: nothing was written then, but where [`StoreError::Temporary`] says that this is unknown.
    pub async fn write(&self, writes: &[Write], now: Timestamp) -> Result<Vec<Written>, StoreError> {
        let mut transaction = self.database.write().await?;
        let mut activated = activate(&mut transaction, writes, now).await?.into_iter();
        let mut intended = intend(&mut transaction, writes, now).await?.into_iter();
        let mut written = Vec::with_capacity(writes.len());
        for write in writes {
            written.push(match write {
                Write::Intend(_) => Written::Intention(intended.next().unwrap_or(Intention::InProgress)),
                Write::Activate(_) => Written::Activated(activated.next().unwrap_or(false)),
                Write::Abandon(abandonment) => {
                    abandon(&mut transaction, abandonment, now).await?;
                    Written::Abandoned
                }
                Write::Renew(renewal) => Written::Renewed(renew(&mut transaction, renewal, now).await?),
            });
        }
        transaction.commit().await?;
        Ok(written)
    }
}

async fn intend(transaction: &mut Transaction, writes: &[Write], now: Timestamp) -> Result<Vec<Intention>, StoreError> {
    let leases: Vec<&NewLease> = writes
        .iter()
        .filter_map(|write| match write {
            Write::Intend(lease) => Some(&**lease),
            _ => None,
        })
        .collect();
    if leases.is_empty() {
        return Ok(Vec::new());
    }
    let mut intents = Intents::load(transaction, &leases, now).await?;
    let outcomes = leases.iter().map(|lease| intents.decide(lease)).collect();
    intents.store(transaction).await?;
    Ok(outcomes)
}

/// Whether each is active now.
async fn activate(transaction: &mut Transaction, writes: &[Write], now: Timestamp) -> Result<Vec<bool>, StoreError> {
    let activations: Vec<&Activation> = writes
        .iter()
        .filter_map(|write| match write {
            Write::Activate(activation) => Some(activation),
            _ => None,
        })
        .collect();
    let mut active = std::collections::HashSet::new();
    for part in parts(&activations) {
        let update = statement(format!(
            "UPDATE broker_leases SET status = 'active', activated_at = $1, due_at = expires_at WHERE status = 'intended' AND id IN ({}) RETURNING id",
            list(1, part.len())
        ));
        let update = update.bind(now.unix_microseconds());
        let update = part.iter().fold(update, |update, activation| update.bind(activation.lease.to_string()));
        let ids: Vec<cress_domain::LeaseId> = crate::query::all(transaction, update, |row| row.parsed("id")).await?;
        active.extend(ids);
    }
    for activation in activations.iter().filter(|activation| active.contains(&activation.lease)) {
        shorten(transaction, activation).await?;
        if let Some((key, sealed)) = &activation.answer {
            answers::fill(transaction, key, activation.lease, sealed).await?;
        }
    }
    Ok(activations.iter().map(|activation| active.contains(&activation.lease)).collect())
}

async fn shorten(transaction: &mut Transaction, activation: &Activation) -> Result<(), StoreError> {
    let Some(expires_at) = activation.expires_at else { return Ok(()) };
    let update = sqlx::query(
        "UPDATE broker_leases SET expires_at = $1, due_at = $1 WHERE id = $2 AND status = 'active' AND expires_at > $1",
    );
    let update = update.bind(expires_at.unix_microseconds()).bind(activation.lease.to_string());
    execute(transaction, update).await.map(drop)
}

/// Due at once, and due for long already if it was intended for long.
async fn abandon(transaction: &mut Transaction, abandonment: &Abandonment, now: Timestamp) -> Result<(), StoreError> {
    let update = sqlx::query(
        "UPDATE broker_leases SET status = 'revoking', owed_since = CASE WHEN ending = 'revoked' THEN COALESCE(owed_since, $1) END, due_at = CASE WHEN ending = 'revoked' THEN $1 ELSE due_at END, last_error = $2 WHERE id = $3 AND status IN ('intended', 'active', 'revoking')",
    )
    .bind(now.unix_microseconds())
    .bind(super::owner::told(&abandonment.error))
    .bind(abandonment.lease.to_string());
    execute(transaction, update).await?;
    match &abandonment.answer {
        Some(key) => answers::free(transaction, key, abandonment.lease).await,
        None => Ok(()),
    }
}

/// Only what is active and has not ended yet lives longer, never shorter, and never beyond its longest life.
async fn renew(
    transaction: &mut Transaction,
    renewal: &Renewal,
    now: Timestamp,
) -> Result<Option<Renewed>, StoreError> {
    let update = sqlx::query(
        "UPDATE broker_leases SET \
         expires_at = CASE WHEN $1 < expires_at THEN expires_at WHEN $1 > renew_until THEN renew_until ELSE $1 END, \
         due_at = CASE WHEN $1 < expires_at THEN expires_at WHEN $1 > renew_until THEN renew_until ELSE $1 END \
         WHERE id = $2 AND owner_id = $3 AND owner_kind = $4 AND issuer = $5 AND status = 'active' AND expires_at > $6 \
         RETURNING credential, provider, ending, expires_at, renew_until",
    )
    .bind(renewal.expires_at.unix_microseconds())
    .bind(renewal.lease.to_string())
    .bind(renewal.owner.id())
    .bind(renewal.owner.kind())
    .bind(renewal.owner.issuer().as_str())
    .bind(now.unix_microseconds());
    one(transaction, update, |row| {
        Ok(Renewed {
            expires_at: row.moment("expires_at")?,
            renew_until: row.moment("renew_until")?,
            credential: row.parsed("credential")?,
            provider: row.parsed("provider")?,
            ending: ending(row)?,
        })
    })
    .await
}
