// SPDX-License-Identifier: Apache-2.0
//! Carries out what was decided, a few accounts at a time, each with nobody else at work on them in this broker. Another broker may
//! be: so a copied account is looked at again where it came from, and if it is gone there, the copy goes too.

use std::collections::BTreeMap;

use cress_domain::AccountName;
use futures_util::future::join_all;
use redis::Cmd;
use redis::Value;

use super::Look;
use super::decide::Action;
use crate::error::NodeError;
use crate::limits::REPAIR_BATCH;
use crate::locks::{SHARDS, shard};
use crate::node::Node;
use crate::provider::Inner;
use crate::wire::{self, Held};

/// What is to be done, and with which accounts.
#[derive(Debug, Default)]
pub(super) struct Changes(BTreeMap<Action, Vec<AccountName>>);

impl Changes {
    pub(super) fn add(&mut self, name: AccountName, action: Action) {
        self.0.entry(action).or_default().push(name);
    }

    /// Does it all. What fails is left for the next time.
    pub(super) async fn apply(&self, redis: &Inner, looks: &[Look<'_>]) -> Result<(), Vec<NodeError>> {
        let mut failed = Vec::new();
        for (action, names) in &self.0 {
            tracing::info!(?action, accounts = names.len(), nodes = looks.len(), "nodes differ; one is corrected");
            for place in 0..SHARDS {
                let of_shard: Vec<_> = names.iter().copied().filter(|name| shard(name) == place).collect();
                for batch in of_shard.chunks(REPAIR_BATCH) {
                    let _alone = redis.locks.repair(place).await;
                    if let Err(error) = carry_out(*action, batch, looks).await {
                        failed.push(error);
                    }
                }
            }
            for look in looks.iter().enumerate().filter(|(place, _)| changes(*action) == *place).map(|(_, look)| look) {
                look.member.node.save_soon(redis.config.persistence);
            }
        }
        if failed.is_empty() { Ok(()) } else { Err(failed) }
    }
}

const fn changes(action: Action) -> usize {
    match action {
        Action::Restore { to: at, .. } | Action::End { at } | Action::Suspect { at } | Action::Remove { at } => at,
    }
}

async fn carry_out(action: Action, names: &[AccountName], looks: &[Look<'_>]) -> Result<(), NodeError> {
    let node = |place: usize| looks.get(place).map(|look| &*look.member.node);
    match action {
        Action::Restore { from, to } => match (looks.get(from), node(to)) {
            (Some(from), Some(to)) => restore(names, from, to).await,
            _ => Ok(()),
        },
        Action::End { at } => match node(at) {
            Some(node) => {
                delete(names, node).await?;
                all(node, names.iter().map(wire::set_ended)).await.map(drop)
            }
            None => Ok(()),
        },
        Action::Remove { at } => match node(at) {
            Some(node) => delete(names, node).await,
            None => Ok(()),
        },
        // Nothing is done about a suspicion.
        Action::Suspect { .. } => Ok(()),
    }
}

async fn restore(names: &[AccountName], from: &Look<'_>, to: &Node) -> Result<(), NodeError> {
    let source = &*from.member.node;
    let names = live(names, source).await?;
    let made = names.iter().filter_map(|name| match from.accounts.get(name) {
        Some(Held::Live(rules)) => Some(wire::set_user(&name.to_string(), rules)),
        Some(Held::Ended) | None => None,
    });
    all(to, made).await?;
    let still = live(&names, source).await?;
    let gone: Vec<_> = names.into_iter().filter(|name| !still.contains(name)).collect();
    delete(&gone, to).await
}

/// Those of the accounts that let in at this node now.
async fn live(names: &[AccountName], node: &Node) -> Result<Vec<AccountName>, NodeError> {
    let answers = all(node, names.iter().map(wire::get_user)).await?;
    Ok(names.iter().zip(answers).filter_map(|(name, answer)| wire::is_live(answer).then_some(*name)).collect())
}

async fn delete(names: &[AccountName], node: &Node) -> Result<(), NodeError> {
    all(node, names.iter().map(|name| wire::delete_user(&name.to_string()))).await.map(drop)
}

/// All of them at once, and their answers in the same order.
async fn all(node: &Node, commands: impl Iterator<Item = Cmd>) -> Result<Vec<Value>, NodeError> {
    let calls = commands.map(|command| async move { node.call(&command).await });
    join_all(calls).await.into_iter().collect()
}
