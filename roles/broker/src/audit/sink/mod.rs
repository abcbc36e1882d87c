// SPDX-License-Identifier: Apache-2.0
//! Where lines go. A sink takes batches in order, and is given the same batch again until it has said that it is durable.

mod file;
mod store;
mod stream;
mod thread;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cress_domain::Timestamp;
use cress_store::audit::AuditStore;

use super::chain::{Head, Line, Place};
use super::{AuditStartError, SinkName};

use file::{Failure, FileSink};
use store::StoreSink;
use stream::StreamSink;
use thread::Threaded;

/// How long the file of a process that is about to end is waited for.
const LOCK: (u32, Duration) = (20, Duration::from_millis(50));

/// Where lines go.
#[async_trait]
pub(super) trait Sink: Send + fmt::Debug {
    /// What it is called in messages.
    fn name(&self) -> &str;

    /// Makes lines durable, or as durable as the sink can. After an error the same lines come again.
    async fn append(&mut self, lines: &Arc<[Line]>) -> Result<(), SinkError>;
}

/// Lines that are not durable. The reason is for the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct SinkError(pub(super) String);

/// A sink that was opened, with where the chains in it have ended.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) sink: Box<dyn Sink>,
    /// None: what it has cannot be looked at.
    pub(super) place: Option<Place>,
    pub(super) heads: Vec<Head>,
}

/// Opens a sink.
pub(super) async fn open(name: &SinkName, store: &AuditStore, begun_at: Timestamp) -> Result<Opened, AuditStartError> {
    let failed = |reason: String| AuditStartError::Sink { sink: name.to_string(), reason };
    match name {
        SinkName::Store => {
            let heads = store::heads(store).await?;
            Ok(Opened { sink: Box::new(StoreSink::new(store.clone(), begun_at)), place: Some(Place::Store), heads })
        }
        SinkName::Stdout => {
            let sink = Threaded::spawn(name.to_string(), StreamSink::stdout().map_err(|error| failed(error.0))?);
            let sink = Box::new(sink.map_err(|error| failed(error.0))?);
            Ok(Opened { sink, place: None, heads: Vec::new() })
        }
        SinkName::File(path) => {
            let (file, head) = open_file(path).await.map_err(|error| failed(error.in_words()))?;
            let sink = Threaded::spawn(name.to_string(), file).map_err(|error| failed(error.0))?;
            Ok(Opened { sink: Box::new(sink), place: Some(Place::File), heads: head.into_iter().collect() })
        }
    }
}

/// Opens a file. One that is still locked may be the last process's, which lets go of it at its very end.
async fn open_file(path: &Path) -> Result<(FileSink, Option<Head>), Failure> {
    for _ in 0..LOCK.0 {
        match FileSink::open(path) {
            Err(Failure::Locked) => tokio::time::sleep(LOCK.1).await,
            outcome => return outcome,
        }
    }
    FileSink::open(path)
}
