// SPDX-License-Identifier: Apache-2.0
//! Where the scenes' stores are: how one is made, copied and removed.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use cress_testkit::postgres::{Postgres, Version};
use cress_tests::Replica;
use serde_json::json;

/// The key-encryption keys of a site with PostgreSQL, where control makes none.
pub(super) const OLD: &str = "old:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
pub(super) const NEW: &str = "new:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";
/// Where both are kept: SQLite's control makes it there.
pub(super) const KEY_FILE: &str = "data.kek";

/// Where control keeps the fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Store {
    Sqlite,
    Postgres,
}

/// One database, removed when dropped.
pub(super) struct Site {
    pub(super) store: Store,
    database: Option<String>,
}

impl Site {
    /// One in which nothing is yet, or one like another. SQLite's lies in control's directory and needs nothing.
    pub(super) fn new(store: Store, like: Option<&Self>) -> Self {
        let database = (store == Store::Postgres).then(|| {
            static COUNT: AtomicUsize = AtomicUsize::new(0);
            let name = format!("crash_{}", COUNT.fetch_add(1, Ordering::Relaxed));
            let template = like.and_then(|site| site.database.as_deref()).unwrap_or("template0");
            server().sql("postgres", &format!("CREATE DATABASE {name} TEMPLATE {template}"));
            name
        });
        Self { store, database }
    }

    /// The name of the database on the server.
    pub(super) fn database(&self) -> &str {
        self.database.as_deref().unwrap()
    }

    /// Has control use it.
    pub(super) fn configure(&self, control: &mut Replica, directory: &Path) {
        let Some(name) = &self.database else { return };
        let file = directory.join(KEY_FILE);
        fs::write(&file, OLD).unwrap();
        control.set("CRESS_CONTROL_STORE__URL", server().url(name));
        // Scenes that happen later than what they build on have a clock of their own.
        control.set("CRESS_CONTROL_STORE__CLOCK_APART_SECONDS_MAX", "31536000");
        control.set("CRESS_CONTROL_KEY_ENCRYPTION__KEYS", json!([format!("file:{}", file.display())]).to_string());
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(name) = self.database.as_ref().filter(|_| !std::thread::panicking()) {
            server().sql("postgres", &format!("DROP DATABASE {name} WITH (FORCE)"));
        }
    }
}

pub(super) fn server() -> &'static Postgres {
    Postgres::shared(Version::V15)
}
