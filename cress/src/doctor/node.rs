// SPDX-License-Identifier: Apache-2.0
//! Everything about a node.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use cress_domain::{Clock, Secret};
use cress_node::Config;
use cress_service::plain_words;
use cress_service::tls::Identity;
use serde::Deserialize;

use super::certificates::{self, Renewal};
use super::ports::{self, Port};
use super::report::Report;
use super::{files, machine, reach};

const MEMBERSHIP_FILE: &str = "membership.json";
const KEY_FILE: &str = "node-key.pem";
/// The port of URLs that name none.
const HTTPS_PORT: u16 = 443;
/// Descriptors that an instance may take, with its metadata service.
const DESCRIPTORS_OF_INSTANCE: u64 = 64;
const RENEWAL: Renewal = Renewal {
    days: 0,
    remedy: "start the node, which renews it with its key; if control refuses, invite it anew: cress admin nodes invite",
};

/// As much of the file as is looked at.
#[derive(Deserialize)]
struct Membership {
    machine_id: String,
    chain_pem: String,
    authorities_pem: String,
}

/// Looks at everything. `config` may lack control's URL, where only the directory is known.
pub(super) async fn examine(report: &mut Report, config: &Config, clock: &Arc<dyn Clock>) {
    let knows_control = !config.control.url.is_empty();
    if knows_control && let Err(error) = config.check() {
        report.failure("config", error);
        return;
    }
    match knows_control {
        true => report.ok("config", "the configuration is good"),
        false => report.warning("config", "control's URL is not known", "name the node's settings with --config"),
    }
    let holder = files::data_dir(report, &config.data_dir, clock.as_ref());
    files::free_disk(report, &config.data_dir);
    machine::descriptors(report, holder, u64::from(config.capacity).saturating_mul(DESCRIPTORS_OF_INSTANCE));
    machine::namespaces(report);
    machine::time_service(report);
    let membership = membership(report, config, clock);
    ports::check(report, Port { address: config.metrics.listen, setting: "metrics.listen" }, holder);
    if holder.is_none() {
        instance_ports(report, config);
    }
    if let (true, Some(membership)) = (knows_control, membership) {
        control(report, config, &membership, clock).await;
    }
}

fn membership(report: &mut Report, config: &Config, clock: &Arc<dyn Clock>) -> Option<Membership> {
    let path = config.data_dir.join(MEMBERSHIP_FILE);
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            join_token(report, config);
            return None;
        }
        Err(error) => {
            report.failure("membership", format!("cannot read {}: {}", path.display(), plain_words(&error)));
            return None;
        }
    };
    let Ok(membership) = serde_json::from_slice::<Membership>(&text) else {
        let message = format!("{} cannot be read as the node's membership", path.display());
        report.problem(
            "membership",
            message,
            "restore it, or remove it and invite the node anew: cress admin nodes invite",
        );
        return None;
    };
    report.ok("membership", format!("the node is {}", membership.machine_id));
    own_certificate(report, &config.data_dir.join(KEY_FILE), &membership, clock);
    match certificates::end_of(&membership.authorities_pem) {
        Some(end) => certificates::life(report, "ca", "control's certificate authority", end, clock.now(), RENEWAL),
        None => report.problem(
            "ca",
            "the membership names no certificate authority",
            "invite the node anew: cress admin nodes invite",
        ),
    }
    Some(membership)
}

fn own_certificate(report: &mut Report, key_file: &Path, membership: &Membership, clock: &Arc<dyn Clock>) {
    files::owners_alone(report, "certificate.key_mode", key_file, "the node's key");
    let Ok(key) = std::fs::read(key_file).map(Secret::new) else { return };
    let Some(end) = certificates::end_of(&membership.chain_pem) else {
        report.problem(
            "certificate",
            "the membership has no certificate",
            "invite the node anew: cress admin nodes invite",
        );
        return;
    };
    certificates::life(report, "certificate", "the node's certificate", end, clock.now(), RENEWAL);
    if end <= clock.now() {
        return;
    }
    match Identity::none().replace_pem(membership.chain_pem.as_bytes(), &key, clock.as_ref()) {
        Ok(()) => report.ok("certificate.key", "the node's key belongs to its certificate"),
        Err(error) => report.problem(
            "certificate.key",
            error.to_string(),
            "restore both from one backup, or invite the node anew",
        ),
    }
}

fn join_token(report: &mut Report, config: &Config) {
    let file = config.join_token_file.as_ref();
    let has_token = config.join_token.is_some() || file.is_some_and(|file| file.exists());
    match has_token {
        true => report.ok("membership", "the node is no member yet: its next start uses the join token"),
        false => report.problem(
            "membership",
            "the node is no member of a fleet, and there is no join token",
            "make one with `cress admin nodes invite` and name its file with join_token_file",
        ),
    }
    if let Some(file) = file.filter(|file| file.exists() && files::readable_by_others(file)) {
        files::owners_alone(report, "join_token.mode", file, "the join token");
    }
}

/// Each instance takes the lowest port that is free, so taken ones are no problem while enough are left.
fn instance_ports(report: &mut Report, config: &Config) {
    let first = config.imds.base_port;
    let address = |offset: u32| {
        let port = u16::try_from(u32::from(first).saturating_add(offset)).ok()?;
        Some(SocketAddr::new(config.imds.listen_address, port))
    };
    let taken: Vec<u16> = (0..config.capacity)
        .filter_map(address)
        .filter(|address| std::net::TcpListener::bind(address).is_err())
        .map(|address| address.port())
        .collect();
    match taken.first() {
        None => report.ok("ports", format!("the ports of instances are free, from {first} on")),
        Some(port) => report.warning(
            "ports",
            format!("of the ports of instances {} are taken, {port} by {}", taken.len(), ports::taken_by(*port)),
            "instances take the next that are free; choose another imds.base_port for one range",
        ),
    }
}

async fn control(report: &mut Report, config: &Config, membership: &Membership, clock: &Arc<dyn Clock>) {
    let url = &config.control.url;
    let authority = url.trim_start_matches("https://").trim_end_matches('/');
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().unwrap_or(HTTPS_PORT)),
        _ => (authority, HTTPS_PORT),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let pem = membership.authorities_pem.as_bytes();
    match reach::node_api(host, port, pem, Arc::clone(clock)).await {
        Ok(()) => {
            report.ok("reach.control", format!("control answers at {url}, with a certificate of the fleet's authority"))
        }
        Err(error) => report.problem(
            "reach.control",
            format!("cannot use control at {url}: {error}"),
            "check that control runs, control.url, firewalls between, and both clocks",
        ),
    }
}
