// SPDX-License-Identifier: Apache-2.0
//! Where the measured control keeps its fleet: in a SQLite file, or on a PostgreSQL server that writes as durably as one in use.

use std::path::Path;
use std::process::Command;

use cress_testkit::postgres::{Postgres, Version};
use serde_json::json;

/// PostgreSQL's own defaults, in place of what makes tests fast.
pub(crate) const DURABLE: &[&str] = &["fsync=on", "full_page_writes=on", "synchronous_commit=on", "autovacuum=on"];
/// Only this benchmark's fleet is sealed under it.
const KEY_ENCRYPTION_KEY: &str = "bench:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

/// Makes one.
type NewPlace = fn() -> Place;

/// A database for one control.
#[derive(Debug)]
pub(crate) enum Place {
    /// A file in the data directory.
    Sqlite,
    /// A server of its own, which ends with this value.
    Postgres {
        /// The server.
        _server: Box<Postgres>,
        /// Of the database on it.
        url: String,
    },
}

impl Place {
    /// A new PostgreSQL server with an empty database.
    pub(crate) fn postgres() -> Self {
        let server = Postgres::start_with(Version::V15, DURABLE);
        let url = server.create_database();
        Self::Postgres { _server: Box::new(server), url }
    }

    /// Both, each with its name.
    pub(crate) fn each() -> [(&'static str, NewPlace); 2] {
        [("SQLite", || Self::Sqlite), ("PostgreSQL 15", Self::postgres)]
    }

    /// Has a control use it.
    pub(crate) fn configure(&self, command: &mut Command, directory: &Path) -> anyhow::Result<()> {
        let Self::Postgres { url, .. } = self else { return Ok(()) };
        let file = directory.join("kek");
        std::fs::write(&file, KEY_ENCRYPTION_KEY)?;
        command.env("CRESS_CONTROL_STORE__URL", url);
        command.env("CRESS_CONTROL_KEY_ENCRYPTION__KEYS", json!([format!("file:{}", file.display())]).to_string());
        Ok(())
    }
}
