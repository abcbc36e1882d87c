// SPDX-License-Identifier: Apache-2.0
//! Where lines go. A sink takes batches in order, and is given the same batch again until it has said that it is durable.

mod file;
mod store;
mod stream;
mod thread;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use cress_domain::Timestamp;
use cress_store::audit::AuditStore;

use super::chain::{Head, Line};
use super::{AuditStartError, SinkName};

use file::FileSink;
use store::StoreSink;
use stream::StreamSink;
use thread::Threaded;

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
    pub(super) heads: Vec<Head>,
}

/// Opens a sink.
pub(super) async fn open(name: &SinkName, store: &AuditStore, begun_at: Timestamp) -> Result<Opened, AuditStartError> {
    let failed = |reason: String| AuditStartError::Sink { sink: name.to_string(), reason };
    match name {
        SinkName::Store => {
            let heads = store::heads(store).await?;
            Ok(Opened { sink: Box::new(StoreSink::new(store.clone(), begun_at)), heads })
        }
        SinkName::Stdout => {
            let sink = Threaded::spawn(name.to_string(), StreamSink::stdout().map_err(|error| failed(error.0))?);
            Ok(Opened { sink: Box::new(sink.map_err(|error| failed(error.0))?), heads: Vec::new() })
        }
        SinkName::File(path) => {
            let (file, head) = FileSink::open(path).map_err(|error| failed(error.0))?;
            let sink = Threaded::spawn(name.to_string(), file).map_err(|error| failed(error.0))?;
            Ok(Opened { sink: Box::new(sink), heads: head.into_iter().collect() })
        }
    }
}
