// SPDX-License-Identifier: Apache-2.0
//! What an instance's task is told from outside. Only the newest state of affairs counts, so nothing queues up.

use tokio::sync::watch;

/// Whoever may tell an instance's task something.
#[derive(Debug, Clone)]
pub(super) struct Orders(watch::Sender<Wanted>);

/// The task's end.
#[derive(Debug)]
pub(super) struct OrdersReceiver {
    wanted: watch::Receiver<Wanted>,
    restarts_done: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Wanted {
    restarts: u64,
    end: Option<End>,
    agent_stops: bool,
}

/// Why an instance ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Control ended it: nothing of it stays.
    ForGood,
    /// The agent stops: what is remembered of it stays.
    WithTheAgent,
}

impl Orders {
    pub(super) fn new() -> (Self, OrdersReceiver) {
        let (sender, wanted) = watch::channel(Wanted::default());
        (Self(sender), OrdersReceiver { wanted, restarts_done: 0 })
    }

    /// Runs it anew. What is asked for several times before it happens happens once.
    pub(super) fn restart(&self) {
        self.0.send_modify(|wanted| wanted.restarts = wanted.restarts.wrapping_add(1));
    }

    /// Ends it; the first reason stays.
    pub(super) fn end(&self, end: End) {
        self.0.send_modify(|wanted| {
            wanted.end.get_or_insert(end);
            wanted.agent_stops |= end == End::WithTheAgent;
        });
    }
}

impl OrdersReceiver {
    /// Resolves when the instance is to end.
    pub(super) async fn ended(&self) -> End {
        let mut wanted = self.wanted.clone();
        // Without anyone to tell it to go on, it ends.
        wanted.wait_for(|wanted| wanted.end.is_some()).await.ok().and_then(|wanted| wanted.end).unwrap_or(End::ForGood)
    }

    /// Resolves when the agent stops, whatever the instance ends for.
    pub(super) async fn agent_stops(&self) {
        let mut wanted = self.wanted.clone();
        if wanted.wait_for(|wanted| wanted.agent_stops).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Resolves when a restart is asked for that has not been done.
    pub(super) async fn restart(&self) {
        let mut wanted = self.wanted.clone();
        if wanted.wait_for(|wanted| wanted.restarts != self.restarts_done).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// From here on a restart is asked for anew: a run is about to begin.
    pub(super) fn restarted(&mut self) {
        self.restarts_done = self.wanted.borrow().restarts;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn restarts_collapse_and_the_first_end_counts() {
        let (orders, mut receiver) = Orders::new();
        assert_eq!(receiver.restart().now_or_never(), None);
        orders.restart();
        orders.restart();
        receiver.restart().await;
        receiver.restarted();
        assert_eq!(receiver.restart().now_or_never(), None);
        assert_eq!(receiver.ended().now_or_never(), None);
        orders.end(End::ForGood);
        assert_eq!(receiver.agent_stops().now_or_never(), None);
        orders.end(End::WithTheAgent);
        assert_eq!(receiver.ended().await, End::ForGood);
        receiver.agent_stops().await;
        drop(orders);
        let (orders, receiver) = Orders::new();
        drop(orders);
        assert_eq!(receiver.ended().await, End::ForGood);
    }
}
