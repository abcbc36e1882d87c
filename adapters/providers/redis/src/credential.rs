// SPDX-License-Identifier: Apache-2.0
//! One credential: an account with the rules of its settings.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cress_domain::{Hex, Random, Secret};
use cress_provider::{
    Credential, FieldValue, Finding, Grant, Issued, Operation, ProviderError, ProviderErrorKind, Settings,
    SettingsError,
};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::address::Address;
use crate::check;
use crate::config::{Config, TopologyKind};
use crate::error::all_of;
use crate::limits::PASSWORD_BYTES;
use crate::nodes::{Member, Members, on_each};
use crate::provider::Inner;
use crate::rules::Rules;
use crate::topology::Need;
use crate::wire;

/// One credential.
pub(crate) struct AclCredential {
    redis: Arc<Inner>,
    rules: Rules,
}

/// Its settings.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CredentialConfig {
    rules: Vec<String>,
}

impl AclCredential {
    pub(crate) fn new(redis: Arc<Inner>, settings: &Settings) -> Result<Self, SettingsError> {
        let config: CredentialConfig = settings.read()?;
        let rules = Rules::parse(&config.rules).map_err(|reason| SettingsError::new(format!("rules: {reason}")))?;
        Ok(Self { redis, rules })
    }

    /// What ACL SETUSER is told: the hash of the password, since commands are seen in MONITOR and in the slow log.
    fn rules(&self, grant: &Grant, password: &Secret<String>) -> Result<Vec<String>, ProviderError> {
        let filled = self.rules.fill(&grant.subject, &grant.parameters);
        let filled =
            filled.map_err(|reason| ProviderError::new(ProviderErrorKind::Parameter, Operation::Issue, reason))?;
        let hash = digest(&SHA256, password.expose().as_bytes());
        let lets_in = ["on".to_owned(), format!("#{}", Hex(hash.as_ref()))];
        Ok(lets_in.into_iter().chain(filled).collect())
    }

    async fn make(&self, grant: &Grant, rules: &[String], members: &Members) -> Result<(), ProviderError> {
        let _call = self.redis.locks.call(&grant.account).await;
        let outcomes = on_each(members.iter(), &wire::set_user(&grant.account.to_string(), rules)).await;
        let mut made: Vec<&Member> = Vec::new();
        let (mut left_out, mut failed) = (Vec::new(), Vec::new());
        for (member, outcome) in outcomes {
            match outcome {
                Ok(_) => made.push(member),
                Err(error) if member.need == Need::CanFollow && error.is_away() => {
                    member.node.unsettle();
                    left_out.push(error);
                }
                Err(error) => failed.push(error),
            }
        }
        self.redis.save_soon(made.iter().copied());
        if !failed.is_empty() || !left_out.is_empty() {
            self.redis.nodes.doubt();
        }
        if made.is_empty() {
            failed.append(&mut left_out);
        }
        if failed.is_empty() { Ok(()) } else { Err(all_of(&failed, Operation::Issue)) }
    }
}

#[async_trait]
impl Credential for AclCredential {
    async fn issue(&self, grant: &Grant) -> Result<Issued, ProviderError> {
        let password = new_password(&*self.redis.ports.random);
        let rules = self.rules(grant, &password)?;
        let members = self.redis.members(Operation::Issue).await?;
        let made = self.make(grant, &rules, &members).await;
        self.redis.noticed(grant.account.deployment(), &members);
        made?;
        Ok(issued(&self.redis.config, &grant.account.to_string(), password))
    }

    async fn check(&self) -> Result<Vec<Finding>, ProviderError> {
        check::credential(&self.redis, &self.rules).await
    }
}

/// 256 random bits: as good as any key, so a fast hash of it is safe to show to servers.
fn new_password(random: &dyn Random) -> Secret<String> {
    let mut bytes = Zeroizing::new([0; PASSWORD_BYTES]);
    random.fill(bytes.as_mut());
    Secret::new(URL_SAFE_NO_PAD.encode(bytes.as_ref()))
}

/// What the workload gets: how to log in, and where.
fn issued(config: &Config, username: &str, password: Secret<String>) -> Issued {
    let text = |text: &str| FieldValue::Text(text.to_owned());
    let mut issued = Issued::new([
        ("username", text(username)),
        ("topology", text(topology(config.topology))),
        ("tls", text(if config.tls.is_some() { "true" } else { "false" })),
    ]);
    if config.topology == TopologyKind::Sentinel {
        issued.fields.insert("sentinels".to_owned(), text(&joined(&config.sentinels)));
        issued.fields.insert("master".to_owned(), text(config.master.as_deref().unwrap_or_default()));
    } else {
        issued.fields.insert("nodes".to_owned(), text(&joined(&config.nodes)));
    }
    let first = if config.topology == TopologyKind::Sentinel { None } else { config.nodes.first() };
    if let Some(endpoint) = config.endpoint.as_ref().or(first) {
        let scheme = if config.tls.is_some() { "rediss" } else { "redis" };
        // Neither a name nor a password has a character that means anything in a URL.
        let url = format!("{scheme}://{username}:{}@{endpoint}", password.expose());
        issued.fields.insert("url".to_owned(), FieldValue::Secret(Secret::new(url)));
        issued.fields.insert("host".to_owned(), text(&endpoint.host));
        issued.fields.insert("port".to_owned(), FieldValue::Number(u32::from(endpoint.port)));
    }
    issued.fields.insert("password".to_owned(), FieldValue::Secret(password));
    issued
}

fn joined(addresses: &[Address]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

const fn topology(kind: TopologyKind) -> &'static str {
    match kind {
        TopologyKind::Standalone => "standalone",
        TopologyKind::Sentinel => "sentinel",
        TopologyKind::Cluster => "cluster",
    }
}

impl fmt::Debug for AclCredential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AclCredential").field("rules", &self.rules).finish_non_exhaustive()
    }
}
