// SPDX-License-Identifier: Apache-2.0
//! `cress admin keys`.

use clap::Subcommand;
use cress_api::admin::SigningKey;
use cress_domain::KeyId;

use super::{Session, word};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List all, with their times
    List,
    /// Switch to the next key now, if it has been public for its lead time
    Rotate,
    /// Revoke a key at once, in an emergency: what it signed is refused as soon as verifiers have the new set
    Revoke {
        /// The key id
        kid: KeyId,
    },
}

pub(super) async fn run(session: &Session, command: &Command) -> anyhow::Result<()> {
    let client = &session.client;
    match command {
        Command::List => {
            let headings = ["KEY ID", "STATE", "SIGNS FROM", "SIGNS UNTIL", "PUBLISHED UNTIL", "ENCRYPTED WITH"];
            session.list(&client.keys().await?, headings, row)
        }
        Command::Rotate => {
            client.rotate_keys().await?;
            session.done(|| "the next key signs from now on".to_owned())
        }
        Command::Revoke { kid } => {
            client.revoke_key(kid).await?;
            session.done(|| format!("key {kid} is revoked; the next one signs from now on"))
        }
    }
}

fn row(key: &SigningKey) -> [String; 6] {
    [
        key.kid.to_string(),
        word(&key.state),
        key.signs_from.clone(),
        key.signs_until.clone(),
        key.published_until.clone(),
        key.key_encryption_key.clone(),
    ]
}
