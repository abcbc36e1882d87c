// SPDX-License-Identifier: Apache-2.0
//! The process driver, with faults at a test's wish.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cress_domain::InstanceId;
use cress_driver::{Adopted, Driver, DriverError, DriverErrorKind, ExecOutcome, Launch, Operation, Running, Sandbox};
use cress_driver_process::ProcessDriver;
use tokio::sync::Semaphore;

/// A driver that fails as the test says.
#[derive(Debug)]
pub(crate) struct Faulty {
    inner: ProcessDriver,
    /// How many starts are still refused, and how.
    refused_starts: AtomicU32,
    kind: DriverErrorKind,
    /// What an earlier life left.
    leftover: Option<InstanceId>,
    /// Whether that can be removed.
    pub(crate) can_remove: Semaphore,
    /// A start panics when the test lets it.
    panics: bool,
    pub(crate) can_start: Semaphore,
}

impl Faulty {
    /// Refuses the first starts.
    pub(crate) fn refusing(inner: ProcessDriver, starts: u32, kind: DriverErrorKind) -> Self {
        let refused_starts = AtomicU32::new(starts);
        let (can_remove, can_start) = (Semaphore::new(0), Semaphore::new(0));
        Self { inner, refused_starts, kind, leftover: None, can_remove, panics: false, can_start }
    }

    /// Panics at each start, which waits for the test.
    pub(crate) fn panicking(inner: ProcessDriver) -> Self {
        Self { panics: true, ..Self::refusing(inner, 0, DriverErrorKind::Permanent) }
    }

    /// Has an instance of an earlier life, whose removal waits for the test.
    pub(crate) fn with_leftover(inner: ProcessDriver, leftover: InstanceId) -> Self {
        Self { leftover: Some(leftover), ..Self::refusing(inner, 0, DriverErrorKind::Permanent) }
    }
}

#[async_trait::async_trait]
impl Driver for Faulty {
    fn name(&self) -> &'static str {
        "faulty"
    }

    fn isolation_notice(&self) -> &'static str {
        self.inner.isolation_notice()
    }

    async fn adopt(&self) -> Result<Vec<Adopted>, DriverError> {
        let none = self.inner.adopt().await?;
        let leftover = |id| Adopted { id, sandbox: Sandbox::LoopbackPort, running: Running::begin().1 };
        Ok(none.into_iter().chain(self.leftover.map(leftover)).collect())
    }

    async fn prepare(&self, id: InstanceId) -> Result<Sandbox, DriverError> {
        self.inner.prepare(id).await
    }

    async fn start(&self, id: InstanceId, launch: Launch) -> Result<Running, DriverError> {
        if self.panics {
            self.can_start.acquire().await.unwrap().forget();
            panic!("of this test");
        }
        let refused = |left: u32| left.checked_sub(1);
        if self.refused_starts.fetch_update(Ordering::SeqCst, Ordering::SeqCst, refused).is_ok() {
            return Err(DriverError::new(self.kind, Operation::Start, "refused by the test".to_owned()).of(id));
        }
        self.inner.start(id, launch).await
    }

    async fn stop(&self, id: InstanceId, grace: Duration) -> Result<(), DriverError> {
        self.inner.stop(id, grace).await
    }

    async fn exec(&self, id: InstanceId, command: Vec<String>, timeout: Duration) -> Result<ExecOutcome, DriverError> {
        self.inner.exec(id, command, timeout).await
    }

    async fn release(&self, id: InstanceId) -> Result<(), DriverError> {
        if self.leftover == Some(id) {
            self.can_remove.acquire().await.unwrap().forget();
        }
        self.inner.release(id).await
    }

    async fn shutdown(&self) {
        self.inner.shutdown().await;
    }
}
