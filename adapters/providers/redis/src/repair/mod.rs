// SPDX-License-Identifier: Apache-2.0
//! Makes nodes equal that lost accounts, or come back with accounts that were ended meanwhile.
//!
//! Nobody but the nodes knows the hashes of passwords, so what a node lacks is copied from one that has it. A node is *settled* once it
//! was compared with the others, until it is started anew or an account could not be put on it: such a node is believed, the others are
//! corrected ([`decide`]). What is owed is the broker's to say: a repair never ends an account that a settled node has, and never brings
//! one back that is being ended.

mod apply;
mod decide;

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use cress_domain::{AccountName, DeploymentId};
use tokio::time::Instant;

use self::apply::Changes;
use self::decide::{Action, View, decide};
use crate::address::Address;
use crate::error::NodeError;
use crate::limits::{REPAIR_INTERVAL, REPAIR_PAUSE};
use crate::nodes::{Member, on_each};
use crate::provider::Inner;
use crate::wire::{self, Held};

/// What is remembered from one repair to the next.
#[derive(Debug, Default)]
pub(crate) struct Repairs {
    running: tokio::sync::Mutex<()>,
    is_running: AtomicBool,
    last: Mutex<Last>,
    /// Accounts that only a node has that is not believed, and since when: another broker may be about to make them.
    suspects: Mutex<HashMap<(Address, AccountName), Instant>>,
}

#[derive(Debug, Default)]
struct Last {
    /// When any was begun.
    begun_at: Option<Instant>,
    /// When all nodes were last compared, whether they seemed to need it or not.
    whole_at: Option<Instant>,
}

/// What a node has, as it was read.
struct Look<'a> {
    member: &'a Member,
    is_settled: bool,
    accounts: HashMap<AccountName, Held>,
}

impl Repairs {
    /// Whether one may begin for a call that noticed a node in need: none is running, and the last is a while ago.
    pub(crate) fn may_begin(&self) -> bool {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        !self.is_running.load(Ordering::Acquire) && last.begun_at.is_none_or(|at| at.elapsed() >= REPAIR_PAUSE)
    }

    /// Compares and corrects, if there is a reason to.
    ///
    /// # Errors
    /// The nodes that could not be compared or corrected. A node that is away is none of them.
    pub(crate) async fn run(&self, redis: &Inner, deployment: DeploymentId) -> Result<(), Vec<NodeError>> {
        let _alone = self.running.lock().await;
        let _running = Running::begin(&self.is_running);
        let members = redis.nodes.members();
        if !self.is_due(&members) {
            return Ok(());
        }
        let (looks, mut failed) = look(&members, deployment).await;
        let everyone = looks.len() == members.len();
        let changes = self.changes(&looks, members.len(), redis.config.timeout() * 2);
        let outcome = changes.apply(redis, &looks).await;
        failed.extend(outcome.err().unwrap_or_default());
        if failed.is_empty() {
            self.settle(&looks, everyone);
        }
        failed.retain(|error| !error.is_away());
        if failed.is_empty() { Ok(()) } else { Err(failed) }
    }

    fn is_due(&self, members: &[Member]) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if members.len() < 2 {
            return false;
        }
        if last.whole_at.is_some_and(|at| at.elapsed() >= REPAIR_INTERVAL) {
            members.iter().for_each(|member| member.node.unsettle());
            last.whole_at = Some(Instant::now());
        }
        last.whole_at.get_or_insert_with(Instant::now);
        let is_due = members.iter().any(|member| member.node.wants_repair());
        if is_due {
            last.begun_at = Some(Instant::now());
        }
        is_due
    }

    fn changes(&self, looks: &[Look<'_>], nodes: usize, patience: std::time::Duration) -> Changes {
        let views: Vec<View<'_>> =
            looks.iter().map(|look| View { is_settled: look.is_settled, accounts: &look.accounts }).collect();
        let names: BTreeSet<&AccountName> = looks.iter().flat_map(|look| look.accounts.keys()).collect();
        let mut changes = Changes::default();
        let mut suspects = self.suspects.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::take(&mut *suspects);
        for name in names {
            for action in decide(name, &views, nodes) {
                let Action::Suspect { at } = action else {
                    changes.add(*name, action);
                    continue;
                };
                let Some(look) = looks.get(at) else { continue };
                let key = (look.member.node.address.clone(), *name);
                let since = before.get(&key).copied().unwrap_or_else(Instant::now);
                if since.elapsed() >= patience {
                    changes.add(*name, Action::Remove { at });
                } else {
                    suspects.insert(key, since);
                }
            }
        }
        changes
    }

    /// From now on those are believed that were compared with somebody who is, or with everybody.
    fn settle(&self, looks: &[Look<'_>], everyone: bool) {
        if !everyone && !looks.iter().any(|look| look.is_settled) {
            return;
        }
        let suspects = self.suspects.lock().unwrap_or_else(PoisonError::into_inner);
        for look in looks {
            let address = &look.member.node.address;
            if !suspects.keys().any(|(node, _)| node == address) {
                look.member.node.settle();
            }
        }
    }
}

/// Reads what every node has. Those that are away are left out.
async fn look(members: &[Member], deployment: DeploymentId) -> (Vec<Look<'_>>, Vec<NodeError>) {
    // Before it is read: a node that is started anew meanwhile is looked at again.
    let settled: Vec<bool> = members.iter().map(|member| member.node.is_settled()).collect();
    let answers = on_each(members, &wire::acl("LIST")).await;
    let (mut looks, mut failed) = (Vec::new(), Vec::new());
    for ((member, answer), was_settled) in answers.into_iter().zip(settled) {
        match answer {
            Ok(answer) => looks.push(Look {
                member,
                is_settled: was_settled && member.node.is_settled(),
                accounts: wire::held(answer, deployment),
            }),
            Err(error) if error.is_away() => {}
            Err(error) => failed.push(error),
        }
    }
    (looks, failed)
}

/// Tells others that a repair is running, however it ends.
struct Running<'a>(&'a AtomicBool);

impl<'a> Running<'a> {
    fn begin(flag: &'a AtomicBool) -> Self {
        flag.store(true, Ordering::Release);
        Self(flag)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}
