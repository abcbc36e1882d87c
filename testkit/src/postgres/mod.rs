// SPDX-License-Identifier: Apache-2.0
//! Real PostgreSQL servers to be thrown away: [`Postgres::shared`] for tests that want a database, [`Postgres::start`] for those that
//! stop, kill or starve a server. Each has a directory and a port of its own, and ends with the process that started it, however that
//! ends. `cargo xtask tools` installs the programs.

mod cluster;
pub(crate) mod programs;
mod supervisor;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

pub use programs::Version;
use supervisor::Supervisor;

/// The user of every server: it may do anything, and is let in without a password.
const USER: &str = "postgres";

/// A PostgreSQL server.
#[derive(Debug)]
pub struct Postgres {
    version: Version,
    directory: PathBuf,
    port: u16,
    supervisor: Supervisor,
}

impl Postgres {
    /// The server of this version that the tests of this program share, started at the first call. Never stop it.
    ///
    /// # Panics
    /// If it cannot be started, as everything here.
    #[must_use]
    pub fn shared(version: Version) -> &'static Self {
        static V15: OnceLock<Postgres> = OnceLock::new();
        static V18: OnceLock<Postgres> = OnceLock::new();
        let place = match version {
            Version::V15 => &V15,
            Version::V18 => &V18,
        };
        place.get_or_init(|| Self::start(version))
    }

    /// A server of the test's own.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn start(version: Version) -> Self {
        Self::start_with(version, &[])
    }

    /// The same with settings over those that tests have: fast rather than durable, and no TLS.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn start_with(version: Version, settings: &[&str]) -> Self {
        let directory = cluster::fresh(version);
        Self::start_in(version, directory, settings)
    }

    /// The same with the cluster in a directory that exists and is empty, such as a small file system.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn start_at(version: Version, directory: &Path, settings: &[&str]) -> Self {
        cluster::fill(version, directory);
        Self::start_in(version, directory.to_owned(), settings)
    }

    fn start_in(version: Version, directory: PathBuf, settings: &[&str]) -> Self {
        let port = free_port();
        let supervisor = Supervisor::spawn(version, &directory, port, settings);
        let mut server = Self { version, directory, port, supervisor };
        server.restart_stopped();
        server
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Its directory. Files for it must be readable by [`Postgres::adopt`]ing them.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The URL of a database of this name.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/{database}", self.port)
    }

    /// Makes an empty database with a name of its own, and returns its URL.
    ///
    /// # Panics
    /// If the server refuses it.
    #[must_use]
    pub fn create_database(&self) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        self.url(&name)
    }

    /// Has the server run a statement in a database, and returns what it answers, one row a line.
    ///
    /// # Panics
    /// If the server refuses it.
    pub fn sql(&self, database: &str, statement: &str) -> String {
        let mut psql = Command::new(programs::client("psql"));
        psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"]);
        psql.arg(format!("--dbname={}", self.url(database))).arg(format!("--command={statement}"));
        programs::output(&mut psql)
    }

    /// Puts a file that is the server's alone into its directory, such as a TLS key.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn put(&self, name: &str, content: &[u8]) {
        cluster::put(&self.directory.join(name), content);
    }

    /// Stops it as an administrator would: connections are ended, work is rolled back, everything is written.
    ///
    /// # Panics
    /// If it does not stop.
    pub fn stop(&mut self) {
        self.supervisor.tell("stop");
    }

    /// Kills it without a warning, as a power cut does.
    ///
    /// # Panics
    /// If it does not end.
    pub fn kill(&mut self) {
        self.supervisor.tell("kill");
    }

    /// Starts it again after [`Postgres::stop`] or [`Postgres::kill`], on the same port and with the same data.
    ///
    /// # Panics
    /// If it does not start.
    pub fn restart_stopped(&mut self) {
        self.supervisor.tell("start");
        let ready = programs::wait_until(|| {
            let mut probe = Command::new(programs::client("pg_isready"));
            probe
                .args(["--quiet", "--host=127.0.0.1", "--timeout=1", "--username=postgres"])
                .arg(format!("--port={}", self.port));
            probe.status().is_ok_and(|status| status.success())
        });
        assert!(ready, "PostgreSQL {:?} did not start: {}", self.version, self.log());
    }

    /// Stops it and starts it again.
    ///
    /// # Panics
    /// If it does not.
    pub fn restart(&mut self) {
        self.stop();
        self.restart_stopped();
    }

    /// What it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.join(supervisor::LOG_FILE)).unwrap_or_default()
    }
}

/// A port that nobody uses now. Somebody else might take it before the server does, which then says so.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address").port()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_keeps_its_data_when_killed_and_is_gone_with_its_owner() {
        let mut server = Postgres::start(Version::V15);
        server.sql("postgres", "CREATE TABLE t (x INT); INSERT INTO t VALUES (7)");
        server.kill();
        server.restart_stopped();
        assert_eq!(server.sql("postgres", "SELECT x FROM t").trim(), "7");
        let directory = server.directory().to_owned();
        drop(server);
        assert!(programs::wait_until(|| !directory.exists()), "{} is left", directory.display());
    }
}
