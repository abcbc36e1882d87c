// SPDX-License-Identifier: Apache-2.0
//! What waits to be written, and the task that writes it: everything that has come while the last transaction was written goes into the
//! next one, so that many grants cost one commit.

use std::sync::{Mutex, PoisonError};

use cress_domain::Clock;
use cress_store::StoreError;
use cress_store::broker::{BrokerStore, Write, Written};
use tokio::sync::{mpsc, oneshot};

/// One request, and who waits for its outcome.
struct Entry {
    write: Write,
    outcome: oneshot::Sender<Result<Written, StoreError>>,
}

/// Where requests wait.
pub(super) struct Queue {
    sender: mpsc::Sender<Entry>,
    receiver: Mutex<Option<mpsc::Receiver<Entry>>>,
}

/// Why something was not written.
#[derive(Debug)]
pub(super) enum QueueError {
    Busy,
    Stopping,
    Store(StoreError),
}

impl Queue {
    pub(super) fn new(entries_max: usize) -> Self {
        let (sender, receiver) = mpsc::channel(entries_max);
        Self { sender, receiver: Mutex::new(Some(receiver)) }
    }

    /// Refused at once if too many wait: what begins may be refused.
    pub(super) async fn begin(&self, write: Write) -> Result<Written, QueueError> {
        let (outcome, heard) = oneshot::channel();
        self.sender.try_send(Entry { write, outcome }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => QueueError::Busy,
            mpsc::error::TrySendError::Closed(_) => QueueError::Stopping,
        })?;
        wait(heard).await
    }

    /// Waits for its turn: what has begun has to be brought to its end.
    pub(super) async fn finish(&self, write: Write) -> Result<Written, QueueError> {
        let (outcome, heard) = oneshot::channel();
        self.sender.send(Entry { write, outcome }).await.map_err(|_| QueueError::Stopping)?;
        wait(heard).await
    }

    /// Writes until `stop` says that nothing more comes, and then what still waits.
    pub(super) async fn write(
        &self,
        store: &BrokerStore,
        clock: &dyn Clock,
        batch_max: usize,
        stop: impl Future<Output = ()>,
    ) {
        let receiver = self.receiver.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut receiver) = receiver else { return };
        let mut stop = std::pin::pin!(stop);
        let mut entries = Vec::with_capacity(batch_max);
        let mut stopping = false;
        loop {
            let received = tokio::select! {
                received = receiver.recv_many(&mut entries, batch_max) => received,
                () = &mut stop, if !stopping => {
                    stopping = true;
                    receiver.close();
                    continue;
                }
            };
            if received == 0 {
                return;
            }
            write_together(store, clock, std::mem::take(&mut entries)).await;
        }
    }
}

async fn wait(heard: oneshot::Receiver<Result<Written, StoreError>>) -> Result<Written, QueueError> {
    heard.await.map_err(|_| QueueError::Stopping)?.map_err(QueueError::Store)
}

async fn write_together(store: &BrokerStore, clock: &dyn Clock, entries: Vec<Entry>) {
    let (writes, waiting): (Vec<_>, Vec<_>) = entries.into_iter().map(|entry| (entry.write, entry.outcome)).unzip();
    match store.write(&writes, clock.now()).await {
        // Who has gone does not hear of it.
        Ok(written) => waiting.into_iter().zip(written).for_each(|(outcome, written)| drop(outcome.send(Ok(written)))),
        Err(error) => waiting.into_iter().for_each(|outcome| drop(outcome.send(Err(error.clone())))),
    }
}
