// SPDX-License-Identifier: Apache-2.0
//! The machine: file descriptors, rights for network namespaces, and whether the clock is kept right.

use std::path::Path;

use nix::sys::resource::{Resource, getrlimit};

use super::files::Holder;
use super::report::Report;

/// Descriptors beside those of connections: files, database, runtime.
const DESCRIPTORS_BESIDE: u64 = 256;
/// A running process that uses more than this share (in percent) of its descriptors is close to the end.
const DESCRIPTORS_USED_PERCENT_MAX: u64 = 80;
/// Capabilities that making network namespaces takes (capabilities(7)).
const RIGHTS: [(u32, &str); 2] = [(12, "CAP_NET_ADMIN"), (21, "CAP_SYS_ADMIN")];

/// Whether there are descriptors enough for so many connections.
pub(super) fn descriptors(report: &mut Report, holder: Option<Holder>, connections_max: u64) {
    const RAISE: &str = "raise LimitNOFILE= of its systemd unit (or ulimit -n)";
    let running = holder.filter(|id| *id != 0).and_then(of_process);
    let Some(limit) = running.map(|(_, limit)| limit).or_else(own_limit) else { return };
    let wanted = connections_max.saturating_add(DESCRIPTORS_BESIDE);
    match running {
        Some((used, limit)) if used.saturating_mul(100) > limit.saturating_mul(DESCRIPTORS_USED_PERCENT_MAX) => {
            report.problem("descriptors", format!("{used} of {limit} file descriptors are in use"), RAISE);
        }
        _ if limit < wanted => {
            let message =
                format!("{limit} file descriptors are allowed; all connections that may be open take {wanted}");
            report.warning("descriptors", message, format!("{RAISE}, or lower connections_max"));
        }
        Some((used, limit)) => report.ok("descriptors", format!("{used} of {limit} file descriptors are in use")),
        None => report.ok("descriptors", format!("{limit} file descriptors are allowed")),
    }
}

fn own_limit() -> Option<u64> {
    getrlimit(Resource::RLIMIT_NOFILE).ok().map(|(soft, _)| soft)
}

/// How many descriptors a process has open, and may have.
fn of_process(id: u32) -> Option<(u64, u64)> {
    let used = std::fs::read_dir(format!("/proc/{id}/fd")).ok()?.count();
    let limits = std::fs::read_to_string(format!("/proc/{id}/limits")).ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    Some((u64::try_from(used).ok()?, line.split_whitespace().next()?.parse().ok()?))
}

/// Whether instances can get network namespaces of their own.
pub(super) fn namespaces(report: &mut Report) {
    const ELSE: &str = "without them instances get loopback ports, which every local user can reach; run the node as root, or grant them";
    let Some(effective) = effective_capabilities() else {
        report.warning("namespaces", "cannot read which capabilities this user has", ELSE);
        return;
    };
    let missing: Vec<&str> =
        RIGHTS.iter().filter(|(bit, _)| effective >> bit & 1 == 0).map(|(_, name)| *name).collect();
    if !Path::new("/proc/self/ns/net").exists() {
        report.problem("namespaces", "this kernel has no network namespaces", "do without --network-namespaces");
    } else if missing.is_empty() {
        report.ok("namespaces", "this user may make network namespaces, for 169.254.169.254 in each instance");
    } else {
        let message = format!("this user lacks {} for --network-namespaces", missing.join(" and "));
        report.warning("namespaces", message, ELSE);
    }
}

fn effective_capabilities() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

/// Whether something keeps the clock right, as far as files tell.
pub(super) fn time_service(report: &mut Report) {
    let is_there = |path: &str| Path::new(path).exists();
    if is_there("/run/systemd/timesync/synchronized") {
        report.ok("clock.service", "systemd-timesyncd has set the clock by a time server");
    } else if is_there("/run/chrony") || is_there("/var/run/chrony") {
        report.ok("clock.service", "chrony keeps the clock; `chronyc tracking` tells by how much it is off");
    } else if is_there("/run/systemd/timesync") {
        report.warning(
            "clock.service",
            "systemd-timesyncd runs but has reached no time server yet",
            "see `timedatectl timesync-status`",
        );
    } else {
        report.ok(
            "clock.service",
            "neither systemd-timesyncd nor chrony is to be seen here; the host may keep the clock",
        );
    }
}
