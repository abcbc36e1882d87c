// SPDX-License-Identifier: Apache-2.0
//! What every measured proxy has beside it: an issuer, a service behind, and `cress authz`.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use tempfile::TempDir;

use crate::cores;
use crate::issuer::{AUDIENCE, ISSUER, Issuer, REQUIRED};
use crate::processes::{Process, binary, is_ok, wait_for};

/// Below the ports that the kernel gives to clients: programs begin here again and again while clients come and go.
pub(super) const AUTHZ_PORT: u16 = 10_543;
const AUTHZ_GRPC_PORT: u16 = 10_544;
/// The service behind, whose answers are always the same; it publishes the issuer's keys too.
const SERVICE_PORT: u16 = 10_545;

/// The issuer, the service behind, and a place for configurations.
pub(super) struct Setting {
    pub(super) issuer: Issuer,
    /// A header with a good token.
    pub(super) header: String,
    directory: TempDir,
    _service: Process,
}

impl Setting {
    pub(super) fn start() -> anyhow::Result<Self> {
        let (directory, issuer) = (tempfile::tempdir()?, Issuer::new()?);
        fs::write(directory.path().join("jwks.json"), issuer.jwks()?)?;
        let service = format!(
            "server {{\n  listen 127.0.0.1:{SERVICE_PORT};\n  location / {{ return 200 'ok'; }}\n  \
             location = /jwks.json {{ root {}; }}\n}}\n",
            directory.path().display()
        );
        let service = nginx(directory.path(), "service", &service, SERVICE_PORT, cores::LOAD)?;
        Ok(Self { header: issuer.header()?, issuer, directory, _service: service })
    }

    /// A file in its directory.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// What `cress config emit` writes for a proxy at this port that asks whoever is at the other.
    pub(super) fn emit(&self, target: &[&str], port: u16, asked: u16) -> anyhow::Result<String> {
        let options = [
            format!("--issuer={ISSUER}"),
            format!("--jwks-url=http://127.0.0.1:{SERVICE_PORT}/jwks.json"),
            format!("--audience={AUDIENCE}"),
            format!("--require={REQUIRED}"),
            format!("--authz=http://127.0.0.1:{asked}"),
            format!("--authz-grpc=http://127.0.0.1:{AUTHZ_GRPC_PORT}"),
            format!("--upstream=http://127.0.0.1:{SERVICE_PORT}"),
            format!("--listen=127.0.0.1:{port}"),
        ];
        let mut command = Command::new(binary()?);
        let output =
            command.args(["config", "emit"]).args(target).args(options).output().context("cress config emit")?;
        ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    }

    /// `cress authz` on a core, over HTTP and gRPC.
    pub(super) fn authz(&self, core: usize) -> anyhow::Result<Process> {
        let (file, text) = (self.file("authz.toml"), self.emit(&["authz", "--ext-authz", "grpc"], 1, AUTHZ_PORT)?);
        fs::write(&file, format!("access_log = \"off\"\n{text}"))?;
        let mut command = cores::tied(core, &binary()?.display().to_string());
        command.args(["authz", "--log", "error", "--config"]).arg(file);
        command.args(["--metrics-listen", &format!("127.0.0.1:{}", AUTHZ_PORT - 1)]);
        let process = Process::start(command)?;
        wait_for("the service to be ready", || is_ok(&format!("http://127.0.0.1:{AUTHZ_PORT}/readyz")))?;
        Ok(process)
    }

    /// nginx with these servers on a core.
    pub(super) fn nginx(&self, name: &str, servers: &str, port: u16, core: usize) -> anyhow::Result<Process> {
        nginx(self.directory.path(), name, servers, port, core)
    }
}

/// Whether a proxy is there.
pub(super) fn is_listening(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

fn nginx(directory: &Path, name: &str, servers: &str, port: u16, core: usize) -> anyhow::Result<Process> {
    let place = directory.join(name);
    fs::create_dir_all(&place)?;
    let configuration = format!(
        "worker_processes 1;\npid {0}/nginx.pid;\nerror_log {0}/error.log crit;\nevents {{ worker_connections 1024; }}\n\
         http {{\naccess_log off;\nkeepalive_requests 1000000000;\ndefault_type application/json;\n\
         client_body_temp_path {0}/body;\nproxy_temp_path {0}/proxy;\nfastcgi_temp_path {0}/fastcgi;\n\
         uwsgi_temp_path {0}/uwsgi;\nscgi_temp_path {0}/scgi;\n{servers}}}\n",
        place.display()
    );
    let file = place.join("nginx.conf");
    fs::write(&file, configuration)?;
    let mut command = cores::tied(core, "nginx");
    command.arg("-c").arg(&file).arg("-p").arg(&place).args(["-g", "daemon off;"]);
    let nginx = Process::start(command)?;
    wait_for("nginx to listen", || is_listening(port))?;
    Ok(nginx)
}
