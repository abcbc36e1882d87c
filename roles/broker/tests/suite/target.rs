// SPDX-License-Identifier: Apache-2.0
//! A system outside that credentials are made for, in memory: it makes accounts, ends them, and can be told to misbehave.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use cress_broker::ProviderBuilder;
use cress_domain::{AccountName, DeploymentId, Secret, Timestamp};
use cress_provider::{
    Capability, Credential, FieldValue, Finding, Footprint, Grant, Issued, Operation, Provider, ProviderError, Renewal,
    Revocation, Settings, SettingsError,
};
use serde::Deserialize;

/// What the test sees of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Target(Arc<Mutex<State>>);

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) accounts: BTreeSet<AccountName>,
    pub(crate) is_away: bool,
    pub(crate) refuses: bool,
    pub(crate) grants: Vec<Grant>,
    pub(crate) built: usize,
}

#[derive(Debug)]
struct System(Target, Footprint);

#[derive(Debug)]
struct Account(Target);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProviderSettings {
    #[serde(default)]
    #[expect(dead_code, reason = "tests change it to have the provider built anew")]
    note: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CredentialSettings {}

impl Target {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// The kinds `memory`, which makes accounts, and `computed`, which leaves nothing.
    pub(crate) fn builder(&self) -> ProviderBuilder {
        let target = self.clone();
        Arc::new(move |kind, settings, _| {
            let footprint = match kind {
                "memory" => Footprint::Account,
                "computed" => Footprint::Nothing,
                _ => return None,
            };
            target.state().built += 1;
            let build = |_: ProviderSettings| Arc::new(System(target.clone(), footprint)) as Arc<dyn Provider>;
            Some(settings.read::<ProviderSettings>().map(build))
        })
    }
}

#[async_trait]
impl Provider for System {
    fn kind(&self) -> &'static str {
        "memory"
    }

    fn capability(&self) -> Capability {
        let (revocation, renewal) = match self.1 {
            Footprint::Account => (Revocation::Immediate, Renewal::Extends),
            Footprint::Nothing => (Revocation::AtExpiry, Renewal::AskAgain),
        };
        Capability { revocation, renewal, footprint: self.1 }
    }

    fn credential(&self, settings: &Settings) -> Result<Arc<dyn Credential>, SettingsError> {
        let CredentialSettings {} = settings.read()?;
        Ok(Arc::new(Account(self.0.clone())))
    }

    async fn check(&self) -> Result<Vec<Finding>, ProviderError> {
        Ok(vec![Finding::Good("it answers".to_owned())])
    }

    async fn extend(&self, account: &AccountName, _: Timestamp) -> Result<(), ProviderError> {
        if self.0.state().accounts.contains(account) {
            return Ok(());
        }
        Err(ProviderError::new(cress_provider::ProviderErrorKind::Gone, Operation::Extend, "no such account"))
    }

    async fn revoke(&self, account: &AccountName) -> Result<(), ProviderError> {
        let mut state = self.0.state();
        if state.is_away {
            return Err(ProviderError::unavailable(Operation::Revoke, "it is away"));
        }
        state.accounts.remove(account);
        Ok(())
    }

    async fn accounts(&self, deployment: DeploymentId) -> Result<Vec<AccountName>, ProviderError> {
        let state = self.0.state();
        Ok(state.accounts.iter().filter(|account| account.deployment() == deployment).copied().collect())
    }
}

#[async_trait]
impl Credential for Account {
    async fn issue(&self, grant: &Grant) -> Result<Issued, ProviderError> {
        let mut state = self.0.state();
        if state.is_away {
            return Err(ProviderError::unavailable(Operation::Issue, "10.1.2.3 does not answer"));
        }
        if state.refuses {
            return Err(ProviderError::refused(Operation::Issue, "the role admin_of_everything is missing"));
        }
        state.accounts.insert(grant.account);
        state.grants.push(grant.clone());
        Ok(Issued::new([
            ("username", FieldValue::Text(grant.account.to_string())),
            ("password", FieldValue::Secret(Secret::new(format!("secret of {}", grant.lease)))),
            ("port", FieldValue::Number(6379)),
        ]))
    }

    async fn check(&self) -> Result<Vec<Finding>, ProviderError> {
        Ok(Vec::new())
    }
}
