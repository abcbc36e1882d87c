// SPDX-License-Identifier: Apache-2.0
//! The peer: OpenBao in its development mode, which keeps everything in memory.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::issuer::{AUDIENCE, ISSUER};
use crate::processes::{Process, is_ok, wait_for};

const PORT: u16 = 33_400;
const ROOT_TOKEN: &str = "bench-root";

pub(super) struct OpenBao {
    pub(super) process: Process,
    directory: PathBuf,
}

/// A system that it makes accounts at, in its own words.
pub(super) struct Target<'a> {
    pub(super) name: &'a str,
    pub(super) connection: Value,
    pub(super) creation_statements: &'a str,
}

impl OpenBao {
    /// Starts one that lets the issuer's tokens log in.
    pub(super) fn start(directory: &Path, public_pem: &str) -> anyhow::Result<Self> {
        let program =
            std::env::var_os("CRESS_BENCH_OPENBAO").context("expected CRESS_BENCH_OPENBAO; use `cargo xtask bench`")?;
        let mut command = Command::new(program);
        command.args(["server", "-dev", "-log-level=error", &format!("-dev-root-token-id={ROOT_TOKEN}")]);
        command.arg(format!("-dev-listen-address=127.0.0.1:{PORT}")).current_dir(directory).env("HOME", directory);
        let process = Process::start(command)?;
        wait_for("OpenBao to be ready", || is_ok(&url("sys/health")))?;
        let bao = Self { process, directory: directory.to_owned() };
        bao.write("sys/auth/jwt", &json!({"type": "jwt"}))?;
        bao.write("auth/jwt/config", &json!({"jwt_validation_pubkeys": [public_pem], "bound_issuer": ISSUER}))?;
        let role = json!({
            "role_type": "jwt", "user_claim": "salad_instance_id", "bound_audiences": [AUDIENCE], "token_ttl": "1h",
            "token_policies": ["default"],
        });
        bao.write("auth/jwt/role/bench", &role)?;
        bao.write("sys/mounts/database", &json!({"type": "database"}))?;
        Ok(bao)
    }

    /// Where tokens log in.
    pub(super) fn login_url() -> String {
        url("auth/jwt/login")
    }

    /// Lets it make accounts there; says where they are got.
    pub(super) fn add(&self, target: &Target<'_>) -> anyhow::Result<String> {
        let name = target.name;
        self.write(&format!("database/config/{name}"), &target.connection)?;
        let role = json!({"db_name": name, "default_ttl": "1h", "max_ttl": "2h", "creation_statements": [target.creation_statements]});
        self.write(&format!("database/roles/{name}"), &role)?;
        Ok(url(&format!("database/creds/{name}")))
    }

    /// The file with the one token that may do everything.
    pub(super) fn root_token_file(&self) -> anyhow::Result<PathBuf> {
        let path = self.directory.join("root-token");
        std::fs::write(&path, format!("{ROOT_TOKEN}\n"))?;
        Ok(path)
    }

    /// Asks it to end all accounts there, and does not wait.
    pub(super) fn revoke_all(&self, name: &str) -> anyhow::Result<()> {
        self.write(&format!("sys/leases/revoke-prefix/database/creds/{name}"), &json!({}))
    }

    fn write(&self, path: &str, body: &Value) -> anyhow::Result<()> {
        let file = self.directory.join("request.json");
        std::fs::write(&file, body.to_string())?;
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--fail-with-body", "--noproxy", "*", "--request", "POST"]);
        curl.args(["--header", &format!("X-Vault-Token: {ROOT_TOKEN}"), "--data"]).arg(format!("@{}", file.display()));
        let output = curl.arg(url(path)).output()?;
        ensure!(output.status.success(), "OpenBao refused {path}: {}", String::from_utf8_lossy(&output.stdout));
        Ok(())
    }
}

fn url(path: &str) -> String {
    format!("http://127.0.0.1:{PORT}/v1/{path}")
}
