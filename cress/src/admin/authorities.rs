// SPDX-License-Identifier: Apache-2.0
//! `cress admin ca`.

use clap::Subcommand;
use cress_api::admin::Authority;

use super::{Session, or_dash, word};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List all, with their times
    List,
    /// Make another authority: nodes are told of it at once, it signs after the lead time, and the one before ends after the overlap
    #[command(after_help = "\
Example:
  cress admin ca rotate
  cress admin ca list

Nothing else is to be done: nodes follow by themselves, also those that are off for now. Repeated before the new authority signs, it
changes nothing.")]
    Rotate,
    /// Trust an authority no more, at once: the emergency that its private key is known to others
    #[command(after_help = "\
Example:
  cress admin ca rotate
  cress admin ca retire 5d41402abc4b2a76b9719d911017c592...

The other authority signs at once. Nodes get certificates by it on the proof of their keys; join tokens made before are of no use any
more.")]
    Retire {
        /// SHA-256 of its certificate, as `list` shows it
        fingerprint: String,
    },
}

pub(super) async fn run(session: &Session, command: &Command) -> anyhow::Result<()> {
    let client = &session.client;
    match command {
        Command::List => list(session, &client.authorities().await?),
        Command::Rotate => list(session, &client.rotate_authorities().await?),
        Command::Retire { fingerprint } => {
            client.retire_authority(fingerprint).await?;
            session.done(|| format!("certificate authority {fingerprint} is trusted no more"))
        }
    }
}

fn list(session: &Session, authorities: &[Authority]) -> anyhow::Result<()> {
    session.list(authorities, ["FINGERPRINT", "STATE", "SIGNS FROM", "TRUSTED UNTIL", "ENDS"], row)
}

fn row(authority: &Authority) -> [String; 5] {
    [
        authority.fingerprint.clone(),
        word(&authority.state),
        authority.signs_from.clone(),
        or_dash(authority.retires_at.as_ref()),
        authority.not_after.clone(),
    ]
}
