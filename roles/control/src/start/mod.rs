// SPDX-License-Identifier: Apache-2.0
//! Control's start: check, lock, listen, open, and only then serve. Whatever fails before the end leaves nothing running.

mod error;
mod key_encryption;
mod listeners;
mod run;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use cress_domain::{Clock, Issuer};
use cress_keyring::KeyRing;
use cress_service::data_dir::DataDir;
use cress_service::tls::FileIdentity;
use cress_store::control::ControlStore;
use cress_store::keyring::KeyRingStore;
use cress_store::{Database, DatabaseOptions, DatabaseUrl};

use crate::admin::TokenShape;
use crate::clock_trust::ClockTrust;
use crate::config::{Config, ConfigError, KID_TIME_BYTES};
use crate::kek::{KeyEncryption, KeyEncryptionParts, ReplicaName};
use crate::metrics::Counters;
use crate::node_api::{NodeSide, NodeSideParts, NodeSideSettings};
use crate::ports::Ports;
use crate::publish::JWKS_PATH;
use listeners::Listeners;

pub use error::StartError;
pub(crate) use key_encryption::own_key_path;

/// The certificate authorities that nodes trust, in the data directory.
pub(crate) const CA_FILE: &str = "ca.pem";

/// Where a running control is to be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// Base URL of the public API.
    pub public_url: String,
    /// URL of the key set.
    pub jwks_url: String,
    /// Where the public API listens.
    pub public: SocketAddr,
    /// Where the node protocol listens.
    pub node_api: SocketAddr,
    /// URL of the node protocol, for nodes.
    pub node_api_url: String,
    /// Where the metrics are served, at `/metrics`.
    pub metrics: SocketAddr,
    /// The socket of the admin API.
    pub admin_socket: PathBuf,
    /// The certificate authorities that nodes trust, PEM.
    pub ca_file: PathBuf,
    /// Who signs.
    pub issuer: Issuer,
}

/// What is opened before anything is served.
struct Opened {
    data_dir: Arc<DataDir>,
    database: Database,
    store: ControlStore,
    key_encryption: KeyEncryption,
    ring: KeyRing,
    node_side: NodeSide,
    token_shape: TokenShape,
    counters: Counters,
}

/// Starts control, and returns when every listener accepts. It runs until `ports.shutdown` asks to stop; its drain waits for all of
/// it. A part that fails for good asks to stop by itself.
///
/// # Errors
/// [`StartError`]: one sentence that says what to do.
pub async fn start(config: Config, ports: Ports) -> Result<Started, StartError> {
    config.check()?;
    let certificate = load_certificate(&config, &ports)?;
    let data_dir = Arc::new(DataDir::open(&config.data_dir)?);
    let listeners = Listeners::open(&config, &data_dir).await?;
    let addresses = listeners.addresses(&config)?;
    let opened = open(&config, data_dir, addresses.issuer.clone(), &ports).await?;
    let started = Started {
        jwks_url: format!("{}{JWKS_PATH}", addresses.public_url),
        public_url: addresses.public_url,
        public: addresses.public,
        node_api: addresses.node_api,
        node_api_url: addresses.node_api_url,
        metrics: addresses.metrics,
        admin_socket: opened.data_dir.file(cress_api::admin::SOCKET_FILE),
        ca_file: opened.data_dir.file(CA_FILE),
        issuer: addresses.issuer,
    };
    run::serve(&config, &started, opened, listeners, certificate, &ports)?;
    Ok(started)
}

/// Where control's database is, with its password, and how it is used. Reads the password.
///
/// # Errors
/// [`StartError`]: one sentence that says what to do.
pub fn database_of(config: &Config) -> Result<(DatabaseUrl, DatabaseOptions), StartError> {
    let url = config.store.location(&config.data_dir).map_err(ConfigError::from)?;
    let options = config.store.options(&url);
    match &config.store.password_from {
        None => Ok((url, options)),
        Some(source) => Ok((url.with_password(source.load().map_err(StartError::StorePassword)?), options)),
    }
}

fn load_certificate(config: &Config, ports: &Ports) -> Result<Option<FileIdentity>, StartError> {
    let load = |files| FileIdentity::load(files, Arc::clone(&ports.clock));
    Ok(config.tls.clone().map(load).transpose()?)
}

/// Before anything is done by a clock that is wrong.
async fn check_clock(config: &Config, database: &Database, clock: &Arc<dyn Clock>) -> Result<(), StartError> {
    let trust = ClockTrust::new(Arc::clone(clock));
    trust.compare(database, config.store.clock_apart_max()).await?;
    Ok(trust.check()?)
}

async fn open(config: &Config, data_dir: Arc<DataDir>, issuer: Issuer, ports: &Ports) -> Result<Opened, StartError> {
    let (clock, random, counters) = (Arc::clone(&ports.clock), Arc::clone(&ports.random), Counters::default());
    let (url, options) = database_of(config)?;
    let (keys, origin) = key_encryption::load(&config.key_encryption, data_dir.path(), &url)?;
    let keys = Arc::new(keys);
    let database = Database::open_with(&url, options).await?;
    check_clock(config, &database, &clock).await?;
    let store = ControlStore::open(&database).await?;
    let settings = config.schedule.settings(&config.kid_prefix);
    let ring_store = KeyRingStore::open(&database).await?;
    let ring = KeyRing::open(ring_store.clone(), Arc::clone(&keys), settings, Arc::clone(&clock)).await?;
    let name = ReplicaName::take(&data_dir, random.as_ref())?;
    let key_encryption = KeyEncryption::new(KeyEncryptionParts {
        keys: Arc::clone(&keys),
        origin,
        ring: ring.clone(),
        rings: ring_store,
        store: store.clone(),
        replica: name.now.clone(),
        clock: Arc::clone(&clock),
    });
    key_encryption.introduce(&name, &data_dir).await?;
    let parts = NodeSideParts {
        store: store.clone(),
        ring: ring.clone(),
        keys: Arc::clone(&keys),
        clock,
        random,
        counters: counters.clone(),
    };
    let token_shape = TokenShape { issuer: issuer.clone(), kid_bytes: config.kid_prefix.len() + KID_TIME_BYTES };
    let names = listeners::node_api_names(&config.node_api);
    let limits = config.node_api.limits.of_listener();
    let settings = NodeSideSettings {
        limits,
        rotation: config.node_api.authorities.settings(),
        ..NodeSideSettings::new(issuer, names)
    };
    let node_side = NodeSide::open(parts, settings).await?;
    token_shape.check_stored(&node_side.fleet().groups())?;
    data_dir.write(CA_FILE, node_side.ca().authorities_pem().as_bytes())?;
    Ok(Opened { data_dir, database, store, key_encryption, ring, node_side, token_shape, counters })
}
