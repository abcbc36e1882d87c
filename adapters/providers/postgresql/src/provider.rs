// SPDX-License-Identifier: Apache-2.0
//! The provider's promises, kept by the calls beside it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use cress_domain::{AccountName, DeploymentId, Random, Secret, Timestamp};
use cress_provider::{
    Capability, Credential, FieldValue, Finding, Footprint, Grant, Issued, Operation, Ports, Provider, ProviderError,
    ProviderErrorKind, Renewal, Revocation, Settings, SettingsError,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::config::{Access, Server};
use crate::ending::Ending;
use crate::error::Failure;
use crate::findings;
use crate::late::Late;
use crate::pool::Pool;
use crate::quote::Name;
use crate::refusals::Verdict;
use crate::{scram, statements as sql};

/// How long a group role that was found fit is taken for fit, and one that was not for unfit.
const VERDICT_AGE_MAX: Duration = Duration::from_secs(60);

/// One PostgreSQL server.
#[derive(Debug, Clone)]
pub(crate) struct Postgresql(Arc<Shared>);

struct Shared {
    pool: Pool,
    random: Arc<dyn Random>,
    /// The group roles of its credentials.
    groups: Mutex<BTreeSet<Name>>,
    late: Late,
}

impl Postgresql {
    pub(crate) fn new(server: Server, ports: &Ports) -> Self {
        let pool = Pool::new(server, Arc::clone(&ports.clock), Arc::clone(&ports.secrets));
        Self(Arc::new(Shared {
            pool,
            random: Arc::clone(&ports.random),
            groups: Mutex::default(),
            late: Late::default(),
        }))
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.pool.fmt(formatter)
    }
}

impl Shared {
    async fn end(&self, account: &AccountName) -> Result<(), Failure> {
        self.end_late_sessions().await?;
        let groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(role) = (Ending { pool: &self.pool, groups: &groups, account }).run().await? {
            self.late.remember(self.pool.clock().monotonic(), role);
        }
        Ok(())
    }

    /// Looks once more at the roles that were removed a moment ago.
    async fn end_late_sessions(&self) -> Result<(), Failure> {
        let now = self.pool.clock().monotonic();
        let due = self.late.take_due(now);
        if due.is_empty() {
            return Ok(());
        }
        let looked = async { self.pool.take().await?.run(sql::end_sessions_of(&due)).await };
        let outcome = looked.await;
        if outcome.is_err() {
            due.iter().for_each(|role| self.late.remember(now, *role));
        }
        outcome
    }

    async fn accounts(&self, deployment: DeploymentId) -> Result<Vec<AccountName>, Failure> {
        let mut session = self.pool.take().await?;
        let rows = session.rows(sql::accounts(deployment)).await?;
        let names = rows.iter().map(|row| row.text(0)).collect::<Result<Vec<_>, _>>()?;
        // Somebody else may have made a role whose name only begins like ours.
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }

    async fn extend(&self, account: &AccountName, until: Timestamp) -> Result<(), Failure> {
        self.pool.take().await?.run(sql::extend(account, until)).await
    }
}

#[async_trait]
impl Provider for Postgresql {
    fn kind(&self) -> &'static str {
        crate::KIND
    }

    fn capability(&self) -> Capability {
        Capability { revocation: Revocation::Immediate, renewal: Renewal::Extends, footprint: Footprint::Account }
    }

    fn credential(&self, settings: &Settings) -> Result<Arc<dyn Credential>, SettingsError> {
        let access = Access::read(settings, self.0.pool.server())?;
        self.0.groups.lock().unwrap_or_else(PoisonError::into_inner).insert(access.group.clone());
        Ok(Arc::new(GroupMembership { server: Arc::clone(&self.0), access, verdict: Judged::default() }))
    }

    async fn check(&self) -> Result<Vec<Finding>, ProviderError> {
        findings::of_server(&self.0.pool).await.map_err(|failure| failure.into_error(Operation::Check))
    }

    async fn extend(&self, account: &AccountName, expires_at: Timestamp) -> Result<(), ProviderError> {
        self.0.extend(account, expires_at).await.map_err(|failure| {
            if failure.is_missing_role() {
                let message = format!("there is no role {account}");
                return ProviderError::new(ProviderErrorKind::Gone, Operation::Extend, message);
            }
            failure.into_error(Operation::Extend)
        })
    }

    async fn revoke(&self, account: &AccountName) -> Result<(), ProviderError> {
        self.0.end(account).await.map_err(|failure| failure.into_error(Operation::Revoke))
    }

    async fn accounts(&self, deployment: DeploymentId) -> Result<Vec<AccountName>, ProviderError> {
        self.0.accounts(deployment).await.map_err(|failure| failure.into_error(Operation::List))
    }

    async fn maintain(&self) -> Result<(), ProviderError> {
        self.0.end_late_sessions().await.map_err(|failure| failure.into_error(Operation::Maintain))
    }
}

/// Roles that are members of one group role.
#[derive(Debug)]
struct GroupMembership {
    server: Arc<Shared>,
    access: Access,
    verdict: Judged,
}

/// What was found of the group role, and when; whoever comes while it is looked at waits.
type Judged = tokio::sync::Mutex<Option<(Duration, Verdict)>>;

#[async_trait]
impl Credential for GroupMembership {
    async fn issue(&self, grant: &Grant) -> Result<Issued, ProviderError> {
        if let Some(name) = grant.parameters.keys().next() {
            let message = format!("expected no parameters, got {name:?}");
            return Err(ProviderError::new(ProviderErrorKind::Parameter, Operation::Issue, message));
        }
        self.make(grant).await.map_err(|failure| failure.into_error(Operation::Issue))
    }

    async fn check(&self) -> Result<Vec<Finding>, ProviderError> {
        // Whatever is found counts at once.
        *self.verdict.lock().await = None;
        let mut number = [0; 8];
        self.server.random.fill(&mut number);
        let checking = async {
            let probe = findings::probe(u64::from_be_bytes(number))?;
            findings::of_access(&self.server.pool, &self.access, &probe).await
        };
        checking.await.map_err(|failure: Failure| failure.into_error(Operation::Check))
    }
}

impl GroupMembership {
    async fn make(&self, grant: &Grant) -> Result<Issued, Failure> {
        self.refuse_unfit_group().await?;
        let password = scram::draw_password(self.server.random.as_ref());
        let verifier = self.verifier(&password).await?;
        let statements = sql::create(&grant.account, &self.access, &verifier, grant.expires_at);
        let made = self.run(statements.clone()).await;
        match made {
            // An earlier life of the broker made it, with a password that nobody knows any more.
            Err(failure) if failure.is_taken_name() => {
                self.server.end(&grant.account).await?;
                self.run(statements).await?;
            }
            made => made?,
        }
        Ok(self.issued(&grant.account, &password))
    }

    async fn run(&self, statements: String) -> Result<(), Failure> {
        let made = self.server.pool.take().await?.run(statements).await;
        if made.as_ref().is_err_and(Failure::is_missing_role) {
            *self.verdict.lock().await = None;
        }
        made
    }

    /// Away from the runtime's threads: it takes as long as the iterations are many.
    async fn verifier(&self, password: &Secret<String>) -> Result<String, Failure> {
        let salt = scram::draw_salt(self.server.random.as_ref());
        let (password, iterations) = (password.clone(), self.access.scram_iterations);
        let computing = tokio::task::spawn_blocking(move || scram::verifier(&password, &salt, iterations));
        computing.await.map_err(|error| Failure::Unexpected(error.to_string()))
    }

    /// An operator may have given the group rights that no leased role may have since it was last looked at.
    async fn refuse_unfit_group(&self) -> Result<(), Failure> {
        let mut judged = self.verdict.lock().await;
        let now = self.server.pool.clock().monotonic();
        let fresh = judged.as_ref().filter(|(at, _)| now.saturating_sub(*at) < VERDICT_AGE_MAX);
        let verdict = match fresh {
            Some((_, verdict)) => verdict,
            None => {
                let verdict = findings::verdict(&mut self.server.pool.take().await?, &self.access.group).await?;
                &judged.insert((now, verdict)).1
            }
        };
        verdict.refused.first().map_or(Ok(()), |refusal| Err(Failure::Unfit(refusal.clone())))
    }

    fn issued(&self, account: &AccountName, password: &Secret<String>) -> Issued {
        let access = &self.access;
        Issued::new([
            ("username", FieldValue::Text(account.to_string())),
            ("password", FieldValue::Secret(password.clone())),
            ("host", FieldValue::Text(access.host.clone())),
            ("port", FieldValue::Number(access.port.into())),
            ("database", FieldValue::Text(access.database.to_string())),
            ("sslmode", FieldValue::Text(access.sslmode.to_string())),
            ("url", FieldValue::Secret(url(access, account, password))),
        ])
    }
}

/// A connection URI: <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS>.
fn url(access: &Access, account: &AccountName, password: &Secret<String>) -> Secret<String> {
    let host = if access.host.contains(':') { format!("[{}]", access.host) } else { access.host.clone() };
    Secret::new(format!(
        "postgresql://{account}:{}@{host}:{}/{}?sslmode={}",
        password.expose(),
        access.port,
        utf8_percent_encode(access.database.as_str(), NON_ALPHANUMERIC),
        access.sslmode
    ))
}
