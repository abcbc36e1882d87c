// SPDX-License-Identifier: Apache-2.0
//! Settings from the environment.

use std::env;

use anyhow::{Context, bail};
use cress_verify::{AudienceRule, ClaimRule, Issuer};

pub(crate) struct Settings {
    pub(crate) jwks_url: String,
    pub(crate) issuer: Issuer,
    pub(crate) audiences: AudienceRule,
    /// What the claims must say.
    pub(crate) permitted: ClaimRule,
    pub(crate) listen: String,
}

pub(crate) fn from_environment() -> anyhow::Result<Settings> {
    let (host, port) = (optional("HOST", "127.0.0.1"), optional("PORT", "8500"));
    Ok(Settings {
        jwks_url: required("JWKS_URL")?,
        issuer: required("ISSUER")?.parse().context("ISSUER")?,
        audiences: AudienceRule::OneOf(vec![required("AUDIENCE")?.parse().context("AUDIENCE")?]),
        permitted: permitted(&required("CONTAINER_GROUP_ID")?)?,
        listen: format!("{host}:{port}"),
    })
}

/// Only tokens of this group. The id, not the name: names are chosen by whoever makes the group.
pub(crate) fn permitted(container_group_id: &str) -> anyhow::Result<ClaimRule> {
    format!("salad_workload_id={container_group_id}").parse().context("CONTAINER_GROUP_ID")
}

fn required(name: &str) -> anyhow::Result<String> {
    match env::var(name) {
        Ok(value) if !value.is_empty() => Ok(value),
        _ => bail!("{name} is not set; README.md lists what is needed"),
    }
}

fn optional(name: &str, default: &str) -> String {
    env::var(name).ok().filter(|value| !value.is_empty()).unwrap_or_else(|| default.to_owned())
}
