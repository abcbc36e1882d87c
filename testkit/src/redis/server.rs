// SPDX-License-Identifier: Apache-2.0
//! One server.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::supervisor::{LOG_FILE, Supervisor};
use crate::postgres::free_port;
use crate::postgres::programs::{output, wait_until};

/// The password of the user `default`, who may do anything.
pub const PASSWORD: &str = "root-of-the-tests";

/// Whose server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// That of Debian 12.
    Redis,
    /// The latest, from PyPI.
    Valkey,
}

impl Flavour {
    fn program(self) -> PathBuf {
        match self {
            Self::Redis => PathBuf::from("redis-server"),
            Self::Valkey => crate::tool("CRESS_TEST_VALKEY", "valkey/valkey-server"),
        }
    }
}

/// Where a server keeps its accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accounts {
    /// In a file of their own.
    Aclfile,
    /// In its configuration file, if it is told to rewrite that; else in memory.
    ConfigFile,
}

/// A server.
#[derive(Debug)]
pub struct RedisServer {
    directory: PathBuf,
    port: u16,
    supervisor: Supervisor,
}

const CONFIG_FILE: &str = "redis.conf";

impl RedisServer {
    /// A server that keeps nothing but what the settings of a test say.
    ///
    /// # Panics
    /// If it cannot be started, as everything here.
    #[must_use]
    pub fn start(flavour: Flavour, accounts: Accounts) -> Self {
        Self::start_with(flavour, accounts, &[], &[])
    }

    /// The same with lines for its configuration, in which `{directory}` and `{port}` are its own, and files in its directory.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn start_with(flavour: Flavour, accounts: Accounts, lines: &[&str], files: &[(&str, &str)]) -> Self {
        let user = format!("user default on >{PASSWORD} ~* &* +@all\n");
        let mut config = format!("save \"\"\nmasteruser default\nmasterauth {PASSWORD}\nrepl-diskless-sync-delay 0\n");
        let aclfile = match accounts {
            Accounts::Aclfile => {
                config.push_str("aclfile {directory}/users.acl\n");
                Some(("users.acl", user.as_str()))
            }
            Accounts::ConfigFile => {
                config.push_str(&user);
                None
            }
        };
        for line in lines {
            config.push_str(line);
            config.push('\n');
        }
        let files: Vec<_> = files.iter().copied().chain(aclfile).collect();
        Self::start_program(flavour, &config, &files, &[])
    }

    /// A server with just this configuration, and arguments besides.
    pub(super) fn start_program(flavour: Flavour, config: &str, files: &[(&str, &str)], arguments: &[&str]) -> Self {
        let directory = scratch();
        let port = free_port();
        for (name, content) in files {
            fs::write(directory.join(name), content).expect("a file for the server");
        }
        let of_its_own = config.contains("port 0\n");
        let listen = if of_its_own { String::new() } else { format!("port {port}\n") };
        let config = config.replace("{directory}", &directory.to_string_lossy()).replace("{port}", &port.to_string());
        let config = format!("{listen}bind 127.0.0.1\nprotected-mode no\ndir {}\n{config}", directory.display());
        fs::write(directory.join(CONFIG_FILE), config).expect("its configuration");
        let supervisor = Supervisor::spawn(&flavour.program(), &directory, CONFIG_FILE, arguments);
        let mut server = Self { directory, port, supervisor };
        server.restart_stopped();
        server
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// `127.0.0.1:<port>`
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Has it carry out a command as the user `default`, by redis-cli, and returns what that prints, raw.
    ///
    /// # Panics
    /// If there is no answer. A refusal is one.
    pub fn command(&self, words: &[&str]) -> String {
        let mut cli = cli(self.port);
        cli.args(words);
        output(&mut cli).trim_end().to_owned()
    }

    /// The lines of ACL LIST.
    #[must_use]
    pub fn users(&self) -> Vec<String> {
        self.command(&["ACL", "LIST"]).lines().map(str::to_owned).collect()
    }

    /// Ends it as an administrator would.
    ///
    /// # Panics
    /// If it does not end.
    pub fn stop(&mut self) {
        self.supervisor.tell("stop");
    }

    /// Kills it without a warning.
    ///
    /// # Panics
    /// If it does not end.
    pub fn kill(&mut self) {
        self.supervisor.tell("kill");
    }

    /// Holds it: connections stay, and nothing is answered.
    ///
    /// # Panics
    /// If that cannot be done.
    pub fn pause(&mut self) {
        self.supervisor.tell("pause");
    }

    /// Ends [`RedisServer::pause`].
    ///
    /// # Panics
    /// If that cannot be done.
    pub fn resume(&mut self) {
        self.supervisor.tell("resume");
    }

    /// Starts it again after [`RedisServer::stop`] or [`RedisServer::kill`], on the same port and with the same files.
    ///
    /// # Panics
    /// If it does not start.
    pub fn restart_stopped(&mut self) {
        self.supervisor.tell("start");
        assert!(wait_until(|| is_ready(self.port)), "the server did not start: {}", self.log());
    }

    /// Ends it and starts it again.
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
        fs::read_to_string(self.directory.join(LOG_FILE)).unwrap_or_default()
    }
}

/// redis-cli for this port, as the user `default`.
pub(super) fn cli(port: u16) -> Command {
    let mut cli = Command::new("redis-cli");
    cli.env("REDISCLI_AUTH", PASSWORD).args(["-h", "127.0.0.1", "-p", &port.to_string(), "--no-auth-warning"]);
    cli
}

/// Whether whoever listens there answers. One that speaks TLS does so in its own way.
fn is_ready(port: u16) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(b"PING\r\n")?;
        let mut answer = [0; 64];
        // "+PONG", "-NOAUTH", or the end of a connection that should have been TLS.
        let read = stream.read(&mut answer).unwrap_or(0);
        Ok(!answer.get(..read).is_some_and(|answer| answer.starts_with(b"-LOADING")))
    };
    ask().unwrap_or(false)
}

fn scratch() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let (process, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let path = std::env::temp_dir().join(format!("cress-redis-{process}-{count}"));
    // What an earlier process of this id may have left behind.
    let _absent = fs::remove_dir_all(&path);
    fs::create_dir(&path).expect("a directory");
    path
}
