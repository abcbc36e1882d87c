// SPDX-License-Identifier: Apache-2.0
//! `cress admin kek`.

use clap::Subcommand;
use cress_api::admin::{KeyEncryptionKeyUse, RotateKeyEncryptionKeys};

use super::Session;
use crate::output::{self, Format};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List all, with what is sealed under each and which replicas lack it
    List,
    /// Read their sources anew, without a restart
    Reload,
    /// Seal every private key anew with the active key-encryption key
    #[command(after_help = "\
Examples:
  cress admin kek rotate --new     with the key that control made: another is made, used, and the old one removed
  cress admin kek rotate           with keys of your own, after these steps:
    1. put the new key after the old one into the sources of every replica, and `cress admin kek reload` each
    2. put the new key before the old one, and `cress admin kek reload` each
    3. cress admin kek rotate      once, on any replica
    4. remove the old key where `cress admin kek list` says that it may go, and `cress admin kek reload` each

It may be run again at any time, also after it was cut off, and does what is left. Tokens are signed meanwhile as ever.")]
    Rotate {
        /// Make a new key first, in control's own file; for a control without key_encryption.keys
        #[arg(long)]
        new: bool,
    },
}

pub(super) async fn run(session: &Session, command: &Command) -> anyhow::Result<()> {
    let client = &session.client;
    match command {
        Command::List => list(session, &client.key_encryption_keys().await?),
        Command::Reload => {
            client.reload_key_encryption_keys().await?;
            session.done(|| "the sources of key-encryption keys were read anew".to_owned())
        }
        Command::Rotate { new } => {
            let done = client.rotate_key_encryption_keys(RotateKeyEncryptionKeys { make_new: *new }).await?;
            match session.format {
                Format::Json => output::json(&done),
                Format::Human => {
                    output::line(format!("{} private keys were sealed anew", done.resealed))?;
                    done.keys.iter().filter(|key| !key.active).try_for_each(|key| output::line(verdict(key)))
                }
            }
        }
    }
}

fn list(session: &Session, keys: &[KeyEncryptionKeyUse]) -> anyhow::Result<()> {
    let headings = ["KEY-ENCRYPTION KEY", "ACTIVE", "SEALS", "SEALED WITH BY", "LACKING AT", "MAY BE REMOVED"];
    session.list(keys, headings, |key| {
        [
            key.id.clone(),
            yes_or_no(key.active),
            key.seals.to_string(),
            replicas(&key.sealing),
            replicas(&key.lacking),
            yes_or_no(key.removable),
        ]
    })
}

/// Whether a key that is no longer active may go, and if not, what is in its way.
fn verdict(key: &KeyEncryptionKeyUse) -> String {
    let id = &key.id;
    if key.removable {
        return format!("{id} may be removed from the sources of every replica: nothing is sealed under it any more");
    }
    if !key.sealing.is_empty() {
        let replicas = replicas(&key.sealing);
        return format!(
            "{id} must stay: these replicas still seal with it: {replicas}; make the new key theirs, reload, and rotate again"
        );
    }
    format!("{id} must stay: {} private keys are sealed under it", key.seals)
}

fn replicas(names: &[String]) -> String {
    if names.is_empty() { "-".to_owned() } else { names.join(", ") }
}

fn yes_or_no(value: bool) -> String {
    if value { "yes" } else { "no" }.to_owned()
}
