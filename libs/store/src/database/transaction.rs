// SPDX-License-Identifier: Apache-2.0
//! One transaction, and the one way to its connection: every statement and every commit of the store passes here, and so does a crash
//! test that ends the process before or after it.

use cress_domain::fault;
use sqlx::{Any, AnyConnection};

use crate::StoreError;

/// One transaction. Rolled back unless committed, also if its future is dropped half-way.
pub(crate) struct Transaction {
    begun: sqlx::Transaction<'static, Any>,
    kind: Kind,
}

/// Whether a crash within it could leave anything half done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Reads,
    Writes,
}

impl Transaction {
    pub(super) const fn new(begun: sqlx::Transaction<'static, Any>, kind: Kind) -> Self {
        Self { begun, kind }
    }

    /// For one statement.
    pub(crate) fn connection(&mut self) -> &mut AnyConnection {
        self.point("before a statement of the store");
        &mut self.begun
    }

    /// Makes all that was written durable.
    ///
    /// # Errors
    /// [`StoreError`]; whether it took place is unknown then.
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        self.point("before a commit of the store");
        let kind = self.kind;
        self.begun.commit().await?;
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
