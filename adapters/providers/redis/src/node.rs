// SPDX-License-Identifier: Apache-2.0
//! One node: a connection that is made when it is needed, and what is known of the node.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use redis::{Cmd, Value};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::address::Address;
use crate::connect::{Connector, Link};
use crate::error::NodeError;
use crate::limits::{AWAY_PAUSE, IN_FLIGHT_MAX};
use crate::save::Saver;
use crate::wire::{self, ServerInfo, VERSION_MIN};

/// One node. Lives as long as anyone uses it, also when it is in no list any more.
pub(crate) struct Node {
    pub(crate) address: Address,
    pub(crate) saver: Saver,
    connector: Arc<Connector>,
    link: RwLock<Option<Arc<Link>>>,
    /// Held while connecting. A node that was away is not tried again before this moment, and why.
    away: tokio::sync::Mutex<Option<(Instant, NodeError)>>,
    info: Mutex<Option<ServerInfo>>,
    permits: Semaphore,
    is_settled: AtomicBool,
}

impl Node {
    pub(crate) fn new(address: Address, connector: Arc<Connector>) -> Self {
        Self {
            address,
            saver: Saver::default(),
            connector,
            link: RwLock::new(None),
            away: tokio::sync::Mutex::new(None),
            info: Mutex::new(None),
            permits: Semaphore::new(IN_FLIGHT_MAX),
            is_settled: AtomicBool::new(false),
        }
    }

    /// Has it carry out a command. A command that a broken connection lost is sent once more: all of them can be repeated.
    pub(crate) async fn call(&self, command: &Cmd) -> Result<Value, NodeError> {
        self.call_within(self.connector.timeout, command).await
    }

    /// The same with another time limit.
    pub(crate) async fn call_within(&self, limit: Duration, command: &Cmd) -> Result<Value, NodeError> {
        let late = || NodeError::away(&self.address, format!("no answer within {limit:?}"));
        let permit = tokio::time::timeout(limit, self.permits.acquire()).await;
        let _permit = permit.map_err(|_elapsed| NodeError::away(&self.address, "too many calls wait for it"))?;
        let limited = tokio::time::timeout(limit, self.send(command)).await;
        match limited {
            Ok(answer) => answer,
            Err(_elapsed) => {
                // Its other callers wait no longer than they would have, and the next one does not wait behind a dead connection.
                self.forget(None);
                self.leave_alone(late());
                Err(late())
            }
        }
    }

    async fn send(&self, command: &Cmd) -> Result<Value, NodeError> {
        let link = self.link().await?;
        let (link, answer) = match link.send(command).await {
            Err(error) if error.is_unrecoverable_error() => {
                self.forget(Some(&link));
                let link = self.link().await?;
                let answer = link.send(command).await;
                (link, answer)
            }
            answer => (link, answer),
        };
        answer.map_err(|error| {
            if error.is_unrecoverable_error() || error.code() == Some("NOAUTH") {
                self.forget(Some(&link));
            }
            NodeError::of(&self.address, &error)
        })
    }

    /// Its time limit for a call.
    pub(crate) fn timeout(&self) -> Duration {
        self.connector.timeout
    }

    /// What it said of itself when it was last connected to.
    pub(crate) fn info(&self) -> Option<ServerInfo> {
        self.info.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether it has the accounts that it should have, as far as is known.
    pub(crate) fn is_settled(&self) -> bool {
        self.is_settled.load(Ordering::Acquire)
    }

    /// Whether it is to be compared with the others, and can be.
    pub(crate) fn wants_repair(&self) -> bool {
        !self.is_settled() && self.open_link().is_some()
    }

    pub(crate) fn settle(&self) {
        self.is_settled.store(true, Ordering::Release);
    }

    /// It may lack accounts.
    pub(crate) fn unsettle(&self) {
        self.is_settled.store(false, Ordering::Release);
    }

    fn open_link(&self) -> Option<Arc<Link>> {
        let link = self.link.read().unwrap_or_else(PoisonError::into_inner);
        link.as_ref().filter(|link| !link.is_closed()).map(Arc::clone)
    }

    async fn link(&self) -> Result<Arc<Link>, NodeError> {
        if let Some(link) = self.open_link() {
            return Ok(link);
        }
        let mut away = self.away.lock().await;
        if let Some(link) = self.open_link() {
            return Ok(link);
        }
        if let Some((until, error)) = &*away
            && Instant::now() < *until
        {
            return Err(error.clone());
        }
        match self.connect().await {
            Ok(link) => {
                *away = None;
                *self.link.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&link));
                Ok(link)
            }
            Err(error) => {
                *away = Some((Instant::now() + AWAY_PAUSE, error.clone()));
                Err(error)
            }
        }
    }

    async fn connect(&self) -> Result<Arc<Link>, NodeError> {
        let link = self.connector.connect(&self.address).await?;
        let asked = tokio::time::timeout(self.connector.timeout, link.send(&wire::words(&["INFO", "server"]))).await;
        let answer = asked.map_err(|_elapsed| NodeError::away(&self.address, "no answer to a new connection"))?;
        let answer = answer.map_err(|error| NodeError::of(&self.address, &error))?;
        let info = wire::server_info(answer).ok_or_else(|| {
            NodeError::refused(&self.address, "expected a Redis or Valkey server, and it does not answer as one")
        })?;
        if info.version < VERSION_MIN {
            let (major, minor) = VERSION_MIN;
            let reason = format!("expected Redis {major}.{minor} or later, or Valkey, got {}", info.name);
            return Err(NodeError::refused(&self.address, reason));
        }
        let before = self.info.lock().unwrap_or_else(PoisonError::into_inner).replace(info.clone());
        if before.is_none_or(|before| before.run_id != info.run_id) {
            // It was started anew, and may have lost accounts or got old ones back.
            self.unsettle();
            self.saver.want();
        }
        Ok(Arc::new(link))
    }

    /// Lets go of a connection, unless there is another one already.
    fn forget(&self, link: Option<&Arc<Link>>) {
        let mut current = self.link.write().unwrap_or_else(PoisonError::into_inner);
        if link.is_none_or(|link| current.as_ref().is_some_and(|current| Arc::ptr_eq(current, link))) {
            *current = None;
        }
    }

    fn leave_alone(&self, error: NodeError) {
        // If it is held, someone is connecting and finds out.
        if let Ok(mut away) = self.away.try_lock() {
            *away = Some((Instant::now() + AWAY_PAUSE, error));
        }
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Node").field("address", &self.address).finish_non_exhaustive()
    }
}
