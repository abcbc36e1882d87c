// SPDX-License-Identifier: Apache-2.0
//! Real proxies, each with a configuration file, in a directory of its own.

use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::tools::tool;
use crate::{Program, eventually};

/// A proxy that people run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyKind {
    /// nginx, as Debian packages it.
    Nginx,
    /// HAProxy, as Debian packages it.
    Haproxy,
    /// Envoy, from PyPI.
    Envoy,
    /// Traefik, from PyPI.
    Traefik,
    /// Caddy, from PyPI.
    Caddy,
}

/// A proxy that runs.
#[derive(Debug)]
pub struct Proxy {
    program: Program,
    kind: ProxyKind,
    port: u16,
}

/// Where a proxy's configuration and its files are.
#[derive(Debug)]
pub struct ProxyFiles {
    directory: TempDir,
    kind: ProxyKind,
}

/// What nginx needs around a file of `conf.d`.
const NGINX: &str = "\
daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path client_body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    include conf.d/*.conf;
}
";

impl ProxyFiles {
    /// An empty directory for one.
    ///
    /// # Panics
    /// If there is no room for it.
    #[must_use]
    pub fn new(kind: ProxyKind) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        if kind == ProxyKind::Nginx {
            std::fs::create_dir(directory.path().join("conf.d")).unwrap();
            std::fs::write(directory.path().join("nginx.conf"), NGINX).unwrap();
        }
        Self { directory, kind }
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Where the configuration belongs.
    #[must_use]
    pub fn configuration(&self) -> PathBuf {
        self.path().join(match self.kind {
            ProxyKind::Nginx => "conf.d/service.conf",
            ProxyKind::Haproxy => "haproxy.cfg",
            ProxyKind::Envoy => "envoy.yaml",
            ProxyKind::Traefik => "traefik.yaml",
            ProxyKind::Caddy => "Caddyfile",
        })
    }

    /// Has the proxy itself check the configuration. Traefik has no such command.
    ///
    /// # Panics
    /// If it finds a fault.
    pub fn check(&self) {
        let arguments: &[&str] = match self.kind {
            ProxyKind::Nginx => &["-t", "-p", ".", "-c", "nginx.conf"],
            ProxyKind::Haproxy => &["-c", "-f", "haproxy.cfg"],
            ProxyKind::Envoy => &["--mode", "validate", "-c", "envoy.yaml"],
            ProxyKind::Caddy => &["validate", "--adapter", "caddyfile", "--config", "Caddyfile"],
            ProxyKind::Traefik => return,
        };
        let mut command = self.command();
        command.args(arguments);
        if self.kind == ProxyKind::Haproxy && self.path().join("jwt/keys.cfg").exists() {
            command.args(["-f", "jwt/keys.cfg"]);
        }
        let output = command.output().expect("the proxy's program");
        let text = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
        assert!(output.status.success(), "{:?}: {text}", self.kind);
        assert!(!text.contains("not formatted") && !text.contains("deprecated"), "{:?}: {text}", self.kind);
    }

    /// Starts the proxy, whose configuration says that it listens at this port, and waits until it does. `admin` is a port that it may
    /// have besides.
    ///
    /// # Panics
    /// If it ends instead.
    #[must_use]
    pub fn start(&self, port: u16, admin: u16) -> Proxy {
        let mut command = self.command();
        match self.kind {
            ProxyKind::Nginx => command.args(["-p", ".", "-c", "nginx.conf"]),
            ProxyKind::Haproxy => command.args(["-W", "-f", "haproxy.cfg"]),
            ProxyKind::Envoy => {
                command.args(["-c", "envoy.yaml", "--concurrency", "1", "--disable-hot-restart", "-l", "warning"])
            }
            ProxyKind::Traefik => command.args(["--configFile=traefik.yaml"]),
            ProxyKind::Caddy => {
                command.env("CADDY_ADMIN", format!("127.0.0.1:{admin}"));
                command.args(["run", "--adapter", "caddyfile", "--config", "Caddyfile"])
            }
        };
        if self.kind == ProxyKind::Haproxy && self.path().join("jwt/keys.cfg").exists() {
            command.args(["-f", "jwt/keys.cfg"]);
        }
        let mut program = Program::start(command, &self.path().join("proxy.log"));
        eventually("the proxy to listen", || {
            let ended = program.ended();
            assert!(ended.is_none(), "{:?} ended with {ended:?}: {}", self.kind, program.output());
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()
        });
        Proxy { program, kind: self.kind, port }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(program(self.kind));
        command.current_dir(self.path()).env("XDG_CONFIG_HOME", self.path()).env("XDG_DATA_HOME", self.path());
        command
    }
}

impl Proxy {
    /// Its base URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.program.id()
    }

    /// What it has printed so far.
    #[must_use]
    pub fn output(&self) -> String {
        self.program.output()
    }
}

impl Drop for Proxy {
    /// nginx and HAProxy have workers that outlive a master that is killed.
    fn drop(&mut self) {
        if self.program.ended().is_none() {
            let signal = if self.kind == ProxyKind::Envoy { Signal::SIGKILL } else { Signal::SIGTERM };
            self.program.signal(signal);
            let _finished = self.program.wait();
        }
    }
}

fn program(kind: ProxyKind) -> PathBuf {
    match kind {
        ProxyKind::Nginx => "/usr/sbin/nginx".into(),
        ProxyKind::Haproxy => "/usr/sbin/haproxy".into(),
        ProxyKind::Envoy => tool("CRESS_TEST_ENVOY", "proxies/bin/envoy"),
        ProxyKind::Traefik => tool("CRESS_TEST_TRAEFIK", "proxies/bin/traefik"),
        ProxyKind::Caddy => tool("CRESS_TEST_CADDY", "proxies/bin/caddy"),
    }
}
