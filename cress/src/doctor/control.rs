// SPDX-License-Identifier: Apache-2.0
//! Everything about a control.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use cress_control::Config;
use cress_domain::Clock;
use cress_jose::JwkSet;
use cress_keyring::RingInspection;

use super::files::Holder;
use super::ports::{self, Port};
use super::report::Report;
use super::{certificates, files, keys, machine, reach, store};

const JWKS_PATH: &str = "/.well-known/workload-jwks.json";

/// Where a running control is reached; nothing if it listens on a port that only it knows.
#[derive(Debug, Clone, Default)]
pub(super) struct Addresses {
    pub(super) public_url: Option<String>,
    pub(super) node_api: Option<SocketAddr>,
    pub(super) ports: Vec<Port>,
}

impl Addresses {
    /// As the configuration has them.
    pub(super) fn of(config: &Config) -> Self {
        let scheme = if config.tls.is_some() { "https" } else { "http" };
        let listen = config.listen;
        let public_url = config.public_url.as_ref().map(|url| url.as_str().to_owned());
        let by_address = (listen.port() != 0).then(|| format!("{scheme}://{listen}"));
        let port = |address, setting| Port { address, setting };
        Self {
            public_url: public_url.or(by_address),
            node_api: Some(config.node_api.listen).filter(|address| address.port() != 0),
            ports: vec![
                port(listen, "listen"),
                port(config.node_api.listen, "node_api.listen"),
                port(config.metrics.listen, "metrics.listen"),
            ],
        }
    }
}

/// Looks at everything; gives the process that runs, if one does.
pub(super) async fn examine(
    report: &mut Report,
    config: &Config,
    addresses: &Addresses,
    clock: &Arc<dyn Clock>,
) -> Option<Holder> {
    if let Err(error) = config.check() {
        report.failure("config", error);
        return None;
    }
    report.ok("config", "the configuration is good");
    let holder = files::data_dir(report, &config.data_dir, clock.as_ref());
    files::free_disk(report, &config.data_dir);
    let connections = u64::from(config.limits.connections_max) + u64::from(config.node_api.limits.connections_max);
    machine::descriptors(report, holder, connections);
    let ring = state(report, config, clock, holder.is_some()).await;
    if let Some(tls) = &config.tls {
        certificates::files(report, tls, host(addresses).as_deref(), clock);
    }
    for port in &addresses.ports {
        ports::check(report, *port, holder);
    }
    machine::time_service(report);
    if holder.is_some() {
        reachable(report, config, addresses, ring.as_ref(), clock).await;
    }
    holder
}

/// What is in the store, and the keys that open it.
async fn state(report: &mut Report, config: &Config, clock: &Arc<dyn Clock>, runs: bool) -> Option<RingInspection> {
    let encryption = keys::encryption(report, config);
    let inspection = store::check(report, config, clock.as_ref()).await?;
    let ring = keys::signing(report, config, &inspection, encryption.as_ref(), clock.now(), runs).await;
    let authorities = keys::authorities(report, &inspection, encryption.as_ref(), clock.now()).await;
    let certificates: Vec<_> = authorities.into_iter().map(|authority| authority.certificate_der).collect();
    let file = config.ca_file();
    if !certificates.is_empty() && !certificates::file_holds(&file, &certificates) {
        let message = format!("{} does not hold the certificate authorities of the store", file.display());
        report.warning("ca.file", message, "start control, which writes the file anew");
    }
    inspection.close().await;
    ring
}

/// The name by which clients reach control.
fn host(addresses: &Addresses) -> Option<String> {
    let url = addresses.public_url.as_ref()?;
    let rest = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or(rest);
    match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().map(str::to_owned),
        None => authority.split(':').next().map(str::to_owned),
    }
}

async fn reachable(
    report: &mut Report,
    config: &Config,
    addresses: &Addresses,
    ring: Option<&RingInspection>,
    clock: &Arc<dyn Clock>,
) {
    if let Some(url) = &addresses.public_url {
        public(report, url, ring, clock.as_ref()).await;
    }
    if let Some(address) = addresses.node_api {
        node_api(report, config, address, clock).await;
    }
}

async fn public(report: &mut Report, url: &str, ring: Option<&RingInspection>, clock: &dyn Clock) {
    const OUTSIDE: &str = "check public_url, its DNS name, the proxy in front, and control's log";
    match reach::get(&format!("{url}/readyz")).await {
        Ok(answer) if answer.status == 200 => {
            report.ok("reach.public", format!("control answers at {url} and is ready"));
            reach::clocks(report, url, answer.date, clock.now());
        }
        Ok(answer) => {
            let why: String = String::from_utf8_lossy(&answer.body).chars().take(200).collect();
            report.problem(
                "reach.public",
                format!("control at {url} is not ready ({}): {why}", answer.status),
                OUTSIDE,
            );
        }
        Err(error) => report.problem("reach.public", format!("cannot reach {url}: {error}"), OUTSIDE),
    }
    match reach::get(&format!("{url}{JWKS_PATH}")).await {
        Ok(answer) => match JwkSet::parse(&answer.body) {
            Ok(set) => published(report, url, &set, ring),
            Err(error) => {
                report.problem("reach.jwks", format!("what {url}{JWKS_PATH} serves is no key set: {error}"), OUTSIDE)
            }
        },
        Err(error) => report.problem("reach.jwks", format!("cannot reach {url}{JWKS_PATH}: {error}"), OUTSIDE),
    }
}

/// What is published must hold the key that signs.
fn published(report: &mut Report, url: &str, set: &JwkSet, ring: Option<&RingInspection>) {
    let signing = ring.and_then(RingInspection::active).map(|key| &key.summary.kid);
    let published = |kid: &cress_domain::KeyId| set.keys().iter().any(|key| key.kid() == Some(kid));
    match signing {
        Some(kid) if !published(kid) => report.problem(
            "reach.jwks",
            format!("the key set at {url} has not the key that signs, {kid}"),
            "another control answers there, or a cache in front keeps the set for too long",
        ),
        _ => report.ok("reach.jwks", format!("the key set at {url} has {} keys", set.keys().len())),
    }
}

async fn node_api(report: &mut Report, config: &Config, address: SocketAddr, clock: &Arc<dyn Clock>) {
    let Ok(authorities) = std::fs::read(config.ca_file()) else { return };
    let listens_everywhere = address.ip().is_unspecified();
    let by_name = config.node_api.names.first().cloned();
    let local = if listens_everywhere { IpAddr::from([127, 0, 0, 1]) } else { address.ip() };
    let host = by_name.unwrap_or_else(|| local.to_string());
    match reach::node_api(&host, address.port(), &authorities, Arc::clone(clock)).await {
        Ok(()) => report
            .ok("reach.node_api", format!("the node API answers at {host}:{} with a good certificate", address.port())),
        Err(error) => report.problem(
            "reach.node_api",
            format!("the node API cannot be used at {host}:{}: {error}", address.port()),
            "check node_api.listen, node_api.names and firewalls between nodes and control",
        ),
    }
}
