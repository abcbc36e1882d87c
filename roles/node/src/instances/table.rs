// SPDX-License-Identifier: Apache-2.0
//! The table of all instances: control's word in, one task for each instance out.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cress_domain::{InstanceId, Name};
use cress_driver::{Adopted, Running};
use cress_service::shutdown::Shutdown;
use tokio::sync::watch;

use super::assignment::Assignment;
use super::condition::{Condition, Facts, InstanceState, InstanceSummary};
use super::context::{Context, blocking};
use super::life::Life;
use super::orders::{End, Orders};
use super::reports::Reports;
use crate::tokens::InstanceTokens;

/// All instances. Clones are the same table.
#[derive(Clone)]
pub(crate) struct Instances {
    shared: Arc<Shared>,
}

struct Shared {
    context: Arc<Context>,
    shutdown: Shutdown,
    table: Mutex<Table>,
    /// How many instances have not ended.
    count: watch::Sender<usize>,
}

#[derive(Default)]
struct Table {
    entries: BTreeMap<InstanceId, Entry>,
    /// What an earlier life of the agent left, until control says what of it is to go on.
    adopted: HashMap<InstanceId, Running>,
    is_draining: bool,
}

enum Entry {
    Placed(Box<Placed>),
    /// It cannot be run here, or not yet; control is told so.
    Refused(Refused),
}

struct Refused {
    condition: Condition,
    /// What is placed here as soon as there is room.
    waiting: Option<Box<Assignment>>,
}

struct Placed {
    assignment: Arc<Assignment>,
    orders: Orders,
    tokens: Arc<InstanceTokens>,
    condition: Arc<Condition>,
    is_ending: bool,
    /// Placed again while it is still ending.
    again: Option<Box<Assignment>>,
}

impl Instances {
    /// No instances yet, but for what an earlier life of the agent left. Tasks are spawned on `shutdown`, whose drain
    /// waits for them.
    pub(crate) fn new(context: Context, adopted: Vec<Adopted>, shutdown: Shutdown) -> Self {
        let adopted = adopted.into_iter().map(|adopted| (adopted.id, adopted.running)).collect();
        let table = Mutex::new(Table { adopted, ..Table::default() });
        let context = Arc::new(context);
        Self { shared: Arc::new(Shared { context, shutdown, table, count: watch::Sender::new(0) }) }
    }

    /// What is to be reported to control.
    pub(crate) fn reports(&self) -> Arc<Reports> {
        Arc::clone(&self.shared.context.reports)
    }

    /// All instances as others see them.
    pub(crate) fn summaries(&self) -> watch::Receiver<Vec<InstanceSummary>> {
        self.shared.context.summaries.subscribe()
    }

    /// Takes everything that control has placed here: what is in neither list ends.
    pub(crate) fn replace(&self, placed: Vec<Assignment>, refused: Vec<(InstanceId, String)>) {
        let live: BTreeSet<InstanceId> =
            placed.iter().map(|assignment| assignment.instance_id).chain(refused.iter().map(|(id, _)| *id)).collect();
        let ended = self.shared.table().entries.keys().copied().filter(|id| !live.contains(id)).collect();
        self.change(placed, refused, ended);
        self.forget_others();
    }

    /// Takes what has changed of what control has placed here.
    pub(crate) fn change(&self, placed: Vec<Assignment>, refused: Vec<(InstanceId, String)>, ended: Vec<InstanceId>) {
        let mut table = self.shared.table();
        if table.is_draining {
            return;
        }
        for id in ended {
            table.end(id);
        }
        for assignment in placed {
            self.place(&mut table, assignment);
        }
        for (id, reason) in refused {
            self.refuse(&mut table, id, &reason);
        }
        self.place_waiting(&mut table);
        self.shared.count(&table);
    }

    /// Control does not know this node any more.
    pub(crate) fn end_all(&self) {
        self.replace(Vec::new(), Vec::new());
    }

    /// Ends all instances, waits until they have, and ends the driver. What is remembered of them stays for the agent's
    /// next life.
    pub(crate) async fn drain(&self) {
        {
            let mut table = self.shared.table();
            table.is_draining = true;
            table.entries.retain(|_, entry| match entry {
                Entry::Placed(placed) => {
                    placed.again = None;
                    placed.orders.end(End::WithTheAgent);
                    true
                }
                Entry::Refused(refused) => {
                    refused.condition.forget();
                    false
                }
            });
            self.shared.count(&table);
        }
        let mut count = self.shared.count.subscribe();
        let _is_never_closed = count.wait_for(|count| *count == 0).await.is_ok();
        self.shared.context.driver.shutdown().await;
    }

    fn place(&self, table: &mut Table, assignment: Assignment) {
        let id = assignment.instance_id;
        let is_full = table.live() >= self.shared.context.capacity;
        match table.entries.get_mut(&id) {
            Some(Entry::Placed(placed)) if placed.is_ending => placed.again = Some(Box::new(assignment)),
            Some(Entry::Placed(placed)) => placed.update(assignment),
            Some(Entry::Refused(_)) | None if is_full => self.have_it_wait(table, assignment),
            Some(Entry::Refused(_)) | None => self.begin(table, assignment),
        }
    }

    fn have_it_wait(&self, table: &mut Table, assignment: Assignment) {
        let id = assignment.instance_id;
        let reason = format!("this node runs at most {} instances", self.shared.context.capacity);
        tracing::error!(instance_id = %id, reason, "control placed more instances than this node takes; it waits for room");
        let mut refused = self.refused(id, assignment.container_group_name.clone(), assignment.deletion_cost, &reason);
        refused.waiting = Some(Box::new(assignment));
        table.entries.insert(id, Entry::Refused(refused));
    }

    fn refused(&self, id: InstanceId, group: Name, deletion_cost: i32, reason: &str) -> Refused {
        let mut facts = Facts::new(deletion_cost);
        facts.rest(InstanceState::Failed, reason);
        Refused { condition: self.condition(id, group, facts), waiting: None }
    }

    /// Begins what waits, as far as there is room now.
    fn place_waiting(&self, table: &mut Table) {
        while let Some(assignment) = table.next_waiting(self.shared.context.capacity) {
            self.begin(table, assignment);
        }
    }

    fn begin(&self, table: &mut Table, assignment: Assignment) {
        let context = &self.shared.context;
        let id = assignment.instance_id;
        tracing::info!(instance_id = %id, container_group = %assignment.container_group_name, "an instance is placed on this node");
        let tokens = context.tokens.open(assignment.identity(context.machine_id), &assignment.definition);
        let facts = Facts::new(assignment.deletion_cost);
        let condition = Arc::new(self.condition(id, assignment.container_group_name.clone(), facts));
        let (orders, told) = Orders::new();
        let placed = Placed {
            assignment: Arc::new(assignment),
            orders,
            tokens: Arc::new(tokens),
            condition,
            is_ending: false,
            again: None,
        };
        let life = Life {
            context: Arc::clone(context),
            assignment: Arc::clone(&placed.assignment),
            orders: placed.orders.clone(),
            told,
            tokens: Arc::clone(&placed.tokens),
            condition: Arc::clone(&placed.condition),
            adopted: table.adopted.remove(&id),
        };
        table.entries.insert(id, Entry::Placed(Box::new(placed)));
        let instances = self.clone();
        self.shared.shutdown.spawn("instance", async move {
            let mut departure = Departure { instances, id, is_over: false };
            life.live().await;
            departure.is_over = true;
        });
    }

    /// What already runs goes on as it is: a message that cannot be read is no reason to end it.
    fn refuse(&self, table: &mut Table, id: InstanceId, reason: &str) {
        if let Some(Entry::Placed(_)) = table.entries.get(&id) {
            return;
        }
        if let Ok(unknown) = "unknown".parse::<Name>() {
            table.entries.insert(id, Entry::Refused(self.refused(id, unknown, 0, reason)));
        }
    }

    fn condition(&self, id: InstanceId, group: Name, facts: Facts) -> Condition {
        let context = &self.shared.context;
        let told = (Arc::clone(&context.reports), context.summaries.clone());
        Condition::new(id, context.machine_id, group, told, facts)
    }

    /// Ends what an earlier life left and control did not name, and forgets notes about it.
    fn forget_others(&self) {
        let leftovers: Vec<InstanceId> = {
            let mut table = self.shared.table();
            if table.is_draining {
                return;
            }
            table.adopted.drain().map(|(id, _running)| id).collect()
        };
        let shared = Arc::clone(&self.shared);
        self.shared.shutdown.spawn("forget ended instances", async move {
            for id in leftovers {
                if let Err(error) = shared.context.driver.release(id).await {
                    tracing::error!(%error, "an instance of an earlier life of this node cannot be removed");
                }
            }
            blocking(move || {
                // More may have been placed meanwhile, whose notes are to stay.
                shared.context.places.ports.notes.retain(|| shared.table().ids());
                shared.context.finished.retain(|| shared.table().ids());
            })
            .await;
        });
    }

    /// The instance's task panicked: nothing that it looked after goes on by itself. Control may place it anew.
    fn lost(&self, id: InstanceId) {
        let mut table = self.shared.table();
        let Some(Entry::Placed(placed)) = table.entries.remove(&id) else { return };
        placed.tokens.close();
        self.shared.context.metrics.imds_closed(id);
        placed.condition.forget();
        if !table.is_draining && !placed.is_ending {
            let (group, cost) =
                (placed.assignment.container_group_name.clone(), placed.condition.facts().deletion_cost);
            let refused = self.refused(id, group, cost, "this node lost it to a fault of its own; its log tells more");
            table.entries.insert(id, Entry::Refused(refused));
        }
        self.shared.count(&table);
        drop(table);
        let context = Arc::clone(&self.shared.context);
        self.shared.shutdown.spawn("remove a lost instance", async move {
            if let Err(error) = context.driver.release(id).await {
                tracing::error!(%error, "an instance whose task panicked cannot be removed");
            }
        });
    }

    fn departed(&self, id: InstanceId) {
        let mut table = self.shared.table();
        if let Some(Entry::Placed(placed)) = table.entries.remove(&id)
            && let Some(assignment) = placed.again
        {
            self.begin(&mut table, *assignment);
        }
        self.place_waiting(&mut table);
        self.shared.count(&table);
    }
}

impl Shared {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, table: &Table) {
        self.count.send_replace(table.entries.len());
    }
}

impl Table {
    /// All instances; none when they are about to leave although they stay placed here.
    fn ids(&self) -> Option<BTreeSet<InstanceId>> {
        (!self.is_draining).then(|| self.entries.keys().copied().collect())
    }

    fn end(&mut self, id: InstanceId) {
        match self.entries.get_mut(&id) {
            Some(Entry::Placed(placed)) => {
                placed.is_ending = true;
                placed.again = None;
                placed.orders.end(End::ForGood);
            }
            Some(Entry::Refused(refused)) => {
                refused.condition.forget();
                self.entries.remove(&id);
            }
            None => {}
        }
    }

    /// Takes one that waits for room, if there is any.
    fn next_waiting(&mut self, capacity: usize) -> Option<Assignment> {
        if self.is_draining || self.live() >= capacity {
            return None;
        }
        self.entries.values_mut().find_map(|entry| match entry {
            Entry::Refused(refused) => refused.waiting.take().map(|assignment| *assignment),
            Entry::Placed(_) => None,
        })
    }

    /// How many instances take a place that is not about to be free.
    fn live(&self) -> usize {
        self.entries.values().filter(|entry| matches!(entry, Entry::Placed(placed) if !placed.is_ending)).count()
    }
}

impl Placed {
    /// Follows a change of the container group. What a running command was started with stays as it is until control places
    /// the instance anew; what its tokens say follows at once. The deletion cost is the instance's own from its beginning on:
    /// what control says of it is older than what the application was promised, whatever the number.
    fn update(&mut self, assignment: Assignment) {
        self.tokens.update(&assignment.definition);
        self.assignment = Arc::new(assignment);
    }
}

/// Takes the instance off the table when its task is over, however it ended.
struct Departure {
    instances: Instances,
    id: InstanceId,
    is_over: bool,
}

impl Drop for Departure {
    fn drop(&mut self) {
        if self.is_over {
            self.instances.departed(self.id);
        } else if std::thread::panicking() {
            self.instances.lost(self.id);
        }
        // Otherwise the runtime ends, and everything with it.
    }
}
