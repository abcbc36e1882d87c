// SPDX-License-Identifier: Apache-2.0
//! `cress audit keys`, `cress audit rotate-key`, `cress audit reseal-keys` and `cress audit hash`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use cress_broker::audit::Hashed;
use cress_broker::{Config, Records};
use cress_domain::Secret;
use cress_service::SystemClock;
use cress_service::config::{Sources, load};

use crate::config::read_limited;
use crate::token::read_token;
use crate::{output, runtime};

/// Largest secret that is hashed, in bytes.
const SECRET_BYTES_MAX: u64 = 64 << 10;

/// Whose records.
#[derive(Debug, Args)]
pub(super) struct Broker {
    /// TOML file of the broker
    #[arg(long, value_name = "FILE", env = "CRESS_BROKER_CONFIG")]
    config: PathBuf,
}

/// Print the public keys that vouch for records, as a key set.
///
/// Keep them where nobody who may write the records can change them.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  cress audit keys --config /etc/cress/broker.toml > audit-keys.json")]
pub(crate) struct Keys {
    #[command(flatten)]
    broker: Broker,
}

/// Make another signing key. Each broker signs with it from its next start on; the old one signs no more, and still vouches for what it has
/// signed.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  cress audit rotate-key --config /etc/cress/broker.toml && cress audit keys --config /etc/cress/broker.toml > audit-keys.json")]
pub(crate) struct RotateKey {
    #[command(flatten)]
    broker: Broker,
}

/// Seal the keys of the records anew under the key-encryption key that seals now, so that a former one can go.
///
/// Every broker on the store must have the new key-encryption key by then, since it needs it at its next start.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  cress audit reseal-keys --config /etc/cress/broker.toml        after key_encryption.active was changed")]
pub(crate) struct ResealKeys {
    #[command(flatten)]
    broker: Broker,
}

/// Print a token or secret as the records have it, to find which lease it was given out with.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  cress audit hash --config broker.toml --kind secret leaked-password.txt | xargs -I{} grep {} /var/log/cress/audit.log")]
pub(crate) struct Hash {
    #[command(flatten)]
    broker: Broker,
    /// What it is
    #[arg(long, value_enum)]
    kind: Kind,
    /// File with it; - for standard input. A newline at its end does not count
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    /// A workload's token
    Token,
    /// A secret that was given out
    Secret,
}

/// The broker's settings.
pub(super) fn config(file: &Path) -> anyhow::Result<Config> {
    Ok(load(&Sources::new("broker").file(Some(file)).environment(std::env::vars_os()))?)
}

pub(super) fn keys(arguments: &Keys) -> anyhow::Result<ExitCode> {
    let config = config(&arguments.broker.config)?;
    let keys = runtime::of_command()?.block_on(async { Records::open(&config).await?.public_keys().await })?;
    output::line(keys.to_json())?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn rotate_key(arguments: &RotateKey) -> anyhow::Result<ExitCode> {
    let config = config(&arguments.broker.config)?;
    let clock = SystemClock::new();
    let kid = runtime::of_command()?.block_on(async { Records::open(&config).await?.rotate_key(&clock).await })?;
    output::line(format!("{kid} signs from the next start of each broker on; keep its public half: cress audit keys"))?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn reseal_keys(arguments: &ResealKeys) -> anyhow::Result<ExitCode> {
    let config = config(&arguments.broker.config)?;
    let count = runtime::of_command()?.block_on(async { Records::open(&config).await?.reseal_keys().await })?;
    output::line(match count {
        0 => "the keys of the records are sealed with the key-encryption key that seals now already".to_owned(),
        _ => format!("sealed {count} keys of the records anew"),
    })?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn hash(arguments: &Hash) -> anyhow::Result<ExitCode> {
    let config = config(&arguments.broker.config)?;
    let (kind, secret) = match arguments.kind {
        Kind::Token => (Hashed::Token, read_token(&arguments.file)?),
        Kind::Secret => {
            let text = Secret::new(read_limited(&arguments.file, SECRET_BYTES_MAX)?);
            (Hashed::Secret, Secret::new(text.expose().trim_end_matches(['\r', '\n']).to_owned()))
        }
    };
    let hash = runtime::of_command()?
        .block_on(async { Records::open(&config).await?.hash(kind, secret.expose().as_bytes()).await })?;
    output::line(hash)?;
    Ok(ExitCode::SUCCESS)
}
