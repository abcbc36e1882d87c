// SPDX-License-Identifier: Apache-2.0
//! One transaction, and the one way to its connection: every statement and every commit of the store passes here, and so does a crash
//! test that ends the process before or after it. Here too is how long a server is waited for.

use std::io;
use std::time::Duration;

use cress_domain::fault;
use sqlx::{Any, AnyConnection};

use crate::StoreError;

/// One transaction. Rolled back unless committed, also if its future is dropped half-way.
pub(crate) struct Transaction {
    begun: sqlx::Transaction<'static, Any>,
    kind: Kind,
    patience: Patience,
}

/// Whether a crash within it could leave anything half done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Reads,
    Writes,
}

/// How long a server gets to answer: one that is cut off from us without a word would otherwise be waited for until the kernel gives
/// up. `None`: no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Patience {
    /// For a statement: longer than what the server itself allows for one, so that its own error comes first.
    pub(super) statement: Option<Duration>,
    /// For a commit: shorter than that. A server that waits for its synchronous standby ends this wait, too, when the time of a statement
    /// is over, and reports success, though the standby may have nothing.
    pub(super) commit: Option<Duration>,
}

impl Patience {
    /// There is no network on the way.
    pub(super) const ENDLESS: Self = Self { statement: None, commit: None };

    /// Waits no longer for a statement than that.
    pub(crate) async fn wait<T>(self, answer: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
        within(self.statement, answer).await
    }
}

async fn within<T>(
    limit: Option<Duration>,
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    match limit {
        None => answer.await,
        Some(limit) => tokio::time::timeout(limit, answer).await.unwrap_or_else(|_| Err(silent(limit))),
    }
}

fn silent(limit: Duration) -> sqlx::Error {
    let words = format!("it has not answered for {} seconds", limit.as_secs());
    sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, words))
}

impl Transaction {
    pub(super) const fn new(begun: sqlx::Transaction<'static, Any>, kind: Kind, patience: Patience) -> Self {
        Self { begun, kind, patience }
    }

    /// For one statement.
    pub(crate) fn connection(&mut self) -> &mut AnyConnection {
        self.point("before a statement of the store");
        &mut self.begun
    }

    /// How long the server gets for each answer.
    pub(crate) const fn patience(&self) -> Patience {
        self.patience
    }

    /// Makes all that was written durable.
    ///
    /// # Errors
    /// [`StoreError`]. If the answer got lost, nobody here can know whether it took place: the error is temporary and says so.
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        self.point("before a commit of the store");
        let (kind, patience) = (self.kind, self.patience);
        match within(patience.commit, self.begun.commit()).await {
            Err(error @ (sqlx::Error::Io(_) | sqlx::Error::Protocol(_))) => return Err(unknown(&error)),
            outcome => outcome?,
        }
        if kind == Kind::Writes {
            fault::point("after a commit of the store");
        }
        Ok(())
    }

    fn point(&self, name: &'static str) {
        if self.kind == Kind::Writes {
            fault::point(name);
        }
    }
}

fn unknown(error: &sqlx::Error) -> StoreError {
    StoreError::Temporary {
        reason: format!(
            "the connection to the database failed before it confirmed the write, so it is unknown whether it took place; look before you \
             repeat it ({error})"
        ),
    }
}
