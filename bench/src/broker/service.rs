// SPDX-License-Identifier: Apache-2.0
//! The measured broker, configured as for use, with limits beyond what is measured.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::ensure;

use crate::issuer::{AUDIENCE, ISSUER, ORGANIZATION};
use crate::processes::{Process, binary, is_ok, wait_for};

const PORT: u16 = 33_410;
const METRICS_PORT: u16 = 33_411;

/// A credential that it gives out.
#[derive(Debug, Clone, Copy)]
pub(super) enum Offer {
    /// A stored API key.
    Static,
    /// Minted for R2.
    R2,
    /// An access token, ES256.
    Jwt,
    /// An account at the Redis on this port.
    Redis(u16),
    /// An account at the PostgreSQL on this port.
    Postgres(u16),
}

impl Offer {
    /// Its name, and that of its provider.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Static => "static",
            Self::R2 => "r2",
            Self::Jwt => "jwt",
            Self::Redis(_) => "redis",
            Self::Postgres(_) => "postgres",
        }
    }

    fn settings(self) -> String {
        let (provider, credential) = match self {
            Self::Static => ("type = 'static'".to_owned(), "secret = 'api-key'"),
            Self::R2 => (
                "type = 'r2'\naccount = '0123456789abcdef0123456789abcdef'\n[providers.r2.parents.first]\n\
                 access_key_id = 'fedcba9876543210fedcba9876543210'\nsecret_access_key = 'env:BENCH_SECRET'"
                    .to_owned(),
                "bucket = 'models'\npermission = 'object-read-only'",
            ),
            Self::Jwt => ("type = 'jwt'".to_owned(), "audience = 'https://api.example'"),
            Self::Redis(port) => (
                format!("type = 'redis'\nnodes = ['127.0.0.1:{port}']\npassword = 'env:BENCH_SECRET'"),
                "rules = ['~app:*', '+@read', '+@write', '-@dangerous']",
            ),
            Self::Postgres(port) => (
                format!(
                    "type = 'postgresql'\nhost = '127.0.0.1'\nport = {port}\nuser = 'broker'\ntls = 'disable'\n\
                     password = 'env:BENCH_SECRET'"
                ),
                "role = 'app_rw'\ndatabase = 'postgres'",
            ),
        };
        let name = self.name();
        format!(
            "[credentials.{name}]\nprovider = '{name}'\nactive_per_instance_max = 1000000\nactive_per_group_max = 1000000\n\
             ttl_seconds_default = 3600\n{credential}\n[providers.{name}]\n{provider}\n"
        )
    }
}

/// A broker process with its data.
pub(super) struct Broker {
    pub(super) process: Process,
    directory: PathBuf,
}

impl Broker {
    /// Starts one with these credentials, and with the issuer whose keys lie in the directory.
    pub(super) fn start(directory: &Path, offers: &[Offer]) -> anyhow::Result<Self> {
        let data = directory.join("broker");
        if data.exists() {
            fs::remove_dir_all(&data)?;
        }
        fs::write(directory.join("bench.cedar"), policy())?;
        fs::write(directory.join("broker.toml"), configuration(directory, &data, offers))?;
        let process = run(directory)?;
        let broker = Self { process, directory: directory.to_owned() };
        if offers.iter().any(|offer| matches!(offer, Offer::Static)) {
            broker.put_api_key()?;
        }
        Ok(broker)
    }

    /// Stops it and starts it again with the same data.
    pub(super) fn start_again(&mut self) -> anyhow::Result<()> {
        self.process.stop();
        self.process = run(&self.directory)?;
        Ok(())
    }

    /// Where a credential is got.
    pub(super) fn url_of(&self, credential: &str) -> String {
        format!("http://127.0.0.1:{PORT}/v1/credentials/{credential}")
    }

    /// Has all leases of a credential ended.
    pub(super) fn revoke_all(&self, credential: &str) -> anyhow::Result<()> {
        self.cress(&["leases", "revoke", "--credential", credential])
    }

    fn put_api_key(&self) -> anyhow::Result<()> {
        let file = self.directory.join("api-key");
        fs::write(&file, "an-api-key-of-forty-characters-or-so-0123456789")?;
        self.cress(&["broker", "secrets", "put", "api-key", "--field", &format!("key=file:{}", file.display())])
    }

    fn cress(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let mut command = Command::new(binary()?);
        command.args(arguments).arg("--data-dir").arg(self.directory.join("broker"));
        let output = command.stdin(Stdio::null()).output()?;
        ensure!(output.status.success(), "{command:?} failed: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }
}

fn run(directory: &Path) -> anyhow::Result<Process> {
    let mut command = Command::new(binary()?);
    command
        .args(["broker", "--log", "error", "--config"])
        .arg(directory.join("broker.toml"))
        .env("BENCH_SECRET", "bench");
    let process = Process::start(command)?;
    wait_for("the broker to be ready", || is_ok(&format!("http://127.0.0.1:{PORT}/readyz")))?;
    Ok(process)
}

fn configuration(directory: &Path, data: &Path, offers: &[Offer]) -> String {
    let offers: String = offers.iter().map(|offer| offer.settings()).collect();
    format!(
        "data_dir = '{data}'\naudience = '{AUDIENCE}'\nlisten = '127.0.0.1:{PORT}'\ncached_tokens_max = 100000\n\
         metrics.listen = '127.0.0.1:{METRICS_PORT}'\n[rates]\ninstance_per_second = 1000000\ninstance_burst = 1000000\n\
         group_per_second = 1000000\ngroup_burst = 1000000\n[issuers.bench]\nissuer = '{ISSUER}'\njwks_file = '{keys}'\n\
         [audit]\nsinks = ['file:{audit}']\n[policies]\nfiles = ['{policy}']\n{offers}",
        data = data.display(),
        audit = directory.join("audit.log").display(),
        policy = directory.join("bench.cedar").display(),
        keys = directory.join("jwks.json").display(),
    )
}

/// By an id, as policies should be.
fn policy() -> String {
    format!(
        "@id(\"bench\") permit (principal, action == Cress::Action::\"issue\", resource)\n\
         when {{ principal has organization_id && principal.organization_id == \"{ORGANIZATION}\" }};\n"
    )
}
