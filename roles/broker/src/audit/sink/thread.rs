// SPDX-License-Identifier: Apache-2.0
//! A sink that blocks, on a thread of its own: a write that never returns must hold up nothing else, the end of the process least.

use std::fmt;
use std::sync::{Arc, mpsc};
use std::thread::Builder;

use async_trait::async_trait;
use tokio::sync::oneshot;

use super::{Sink, SinkError};
use crate::audit::chain::Line;

/// Where lines go, blocking.
pub(super) trait BlockingSink: Send + 'static {
    /// As [`Sink::append`].
    fn append(&mut self, lines: &Arc<[Line]>) -> Result<(), SinkError>;
}

/// A sink and its thread, which ends with it.
pub(super) struct Threaded {
    name: String,
    jobs: mpsc::SyncSender<Job>,
}

type Job = (Arc<[Line]>, oneshot::Sender<Result<(), SinkError>>);

impl Threaded {
    pub(super) fn spawn(name: String, mut sink: impl BlockingSink) -> Result<Self, SinkError> {
        let (jobs, received) = mpsc::sync_channel::<Job>(1);
        let run = move || {
            while let Ok((lines, done)) = received.recv() {
                // Whoever asked may be gone.
                let _ = done.send(sink.append(&lines));
            }
        };
        Builder::new()
            .name("audit sink".to_owned())
            .spawn(run)
            .map_err(|error| SinkError(format!("cannot start a thread for it: {error}")))?;
        Ok(Self { name, jobs })
    }
}

#[async_trait]
impl Sink for Threaded {
    fn name(&self) -> &str {
        &self.name
    }

    async fn append(&mut self, lines: &Arc<[Line]>) -> Result<(), SinkError> {
        let ended = || SinkError("its thread has ended".to_owned());
        let (done, outcome) = oneshot::channel();
        // There is room: the last batch was answered for.
        self.jobs.try_send((Arc::clone(lines), done)).map_err(|_| ended())?;
        outcome.await.map_err(|_| ended())?
    }
}

impl fmt::Debug for Threaded {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Threaded({})", self.name)
    }
}
