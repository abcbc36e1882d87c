// SPDX-License-Identifier: Apache-2.0
//! What is opened before anything is served: the store, the records, the keys, the lease engine.

use std::sync::Arc;

use cress_domain::{Clock, Issuer};
use cress_provider::Ports as ProviderPorts;
use cress_service::Shutdown;
use cress_service::data_dir::DataDir;
use cress_service::metrics::Metrics;
use cress_store::audit::AuditStore;
use cress_store::broker::BrokerStore;
use cress_store::{Database, DatabaseOptions, DatabaseUrl};

use super::{Ports, RootSecrets, StartError, key_encryption};
use crate::audit::{self, Audit, AuditPorts, Record, What, Who};
use crate::config::Config;
use crate::lease::{self, Event, Events, Leases};
use crate::metrics::BrokerMetrics;
use crate::secrets::Secrets;
use crate::signer::Signer;

/// What is opened.
pub(super) struct Opened {
    pub(super) database: Database,
    pub(super) leases: Leases,
    pub(super) audit: Audit,
    pub(super) signer: Signer,
    pub(super) secrets: Secrets,
    pub(super) metrics: BrokerMetrics,
}

impl Opened {
    pub(super) async fn open(
        config: &Config,
        data_dir: &DataDir,
        issuer: &Issuer,
        ports: &Ports,
        tasks: &Shutdown,
    ) -> Result<Self, StartError> {
        let (clock, random) = (Arc::clone(&ports.clock), Arc::clone(&ports.random));
        let (url, options) = database_of(config)?;
        let keys = Arc::new(key_encryption::load(&config.key_encryption, data_dir.path(), &url)?);
        let database = Database::open_with(&url, options).await?;
        let store = BrokerStore::open(&database).await?;
        let deployment = store.deployment_id(random.as_ref()).await?;
        let audit = AuditPorts {
            store: AuditStore::open(&database).await?,
            keys: Arc::clone(&keys),
            deployment,
            version: env!("CARGO_PKG_VERSION"),
            clock: Arc::clone(&clock),
            random: Arc::clone(&random),
            shutdown: tasks.clone(),
        };
        let audit = Audit::start(&config.audit, audit).await?;
        let signer = Signer::open(&database, &keys, issuer.clone(), Arc::clone(&clock)).await?;
        let secrets = Secrets::new(store.clone(), Arc::clone(&keys), Arc::clone(&clock));
        let leases = Leases::open(lease::Parts {
            store,
            clock: Arc::clone(&clock),
            random,
            keys,
            targets: lease::Targets::default(),
            events: Arc::new(Recorded { audit: audit.clone(), clock }),
            settings: lease::Settings::default(),
        });
        Ok(Self { leases: leases.await?, database, audit, signer, secrets, metrics: BrokerMetrics::default() })
    }

    /// What providers may ask for.
    pub(super) fn provider_ports(&self, ports: &Ports) -> ProviderPorts {
        ProviderPorts {
            clock: Arc::clone(&ports.clock),
            random: Arc::clone(&ports.random),
            secrets: Arc::new(RootSecrets),
            signer: Arc::new(self.signer.clone()),
            stored: Arc::new(self.secrets.clone()),
        }
    }

    pub(super) fn spawn(&self, tasks: &Shutdown) {
        let (leases, stop) = (self.leases.clone(), tasks.clone());
        tasks.spawn_vital("keep leases", async move { leases.run(stop).await });
        self.signer.spawn(tasks);
    }

    pub(super) fn register(&self, metrics: &Metrics) {
        metrics.register(|registry| self.leases.register(registry));
        self.audit.register(metrics);
    }
}

/// Where the broker's database is, with its password, and how it is used. Reads the password.
pub(super) fn database_of(config: &Config) -> Result<(DatabaseUrl, DatabaseOptions), StartError> {
    let url = config.store.location(&config.data_dir)?;
    let options = config.store.options(&url);
    match &config.store.password_from {
        None => Ok((url, options)),
        Some(source) => Ok((url.with_password(source.load().map_err(StartError::StorePassword)?), options)),
    }
}

/// What the lease engine does by itself goes into the records. It waits for nobody.
struct Recorded {
    audit: Audit,
    clock: Arc<dyn Clock>,
}

impl Events for Recorded {
    fn happened(&self, event: Event) {
        let (what, failure) = match event {
            Event::Ended { lease, provider } => {
                (What { lease: Some(lease), provider: Some(provider), ..What::default() }, None)
            }
            Event::NotEnded { lease, provider, error } => {
                let what = What { lease: Some(lease), provider: Some(provider), ..What::default() };
                (what, Some(("not-ended", error)))
            }
            Event::StrayRemoved { account, provider } => {
                let name = Some(format!("account without a lease: {account}"));
                (What { provider: Some(provider), name, ..What::default() }, None)
            }
            Event::StraysHeld { provider, reason } => {
                (What { provider: Some(provider), ..What::default() }, Some(("strays-held", reason)))
            }
        };
        let now = self.clock.now();
        let record = match failure {
            None => Record::done(now, audit::Event::Gone, Who::Broker, what),
            Some((code, detail)) => {
                Record::failed(now, audit::Event::Gone, Who::Broker, what, audit::Reason::new(code, detail))
            }
        };
        self.audit.note(&record);
    }
}
