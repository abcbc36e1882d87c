// SPDX-License-Identifier: Apache-2.0
//! Ports: free, ours, or taken, and by whom.

use std::fs;
use std::net::{SocketAddr, TcpListener};

use cress_service::plain_words;

use super::files::{Holder, program};
use super::report::Report;

/// A listener that a role opens.
#[derive(Debug, Clone, Copy)]
pub(super) struct Port {
    pub(super) address: SocketAddr,
    /// The setting that says so.
    pub(super) setting: &'static str,
}

/// Of a role that runs, the port must be its own; of one that does not, free.
pub(super) fn check(report: &mut Report, port: Port, holder: Option<Holder>) {
    let Port { address, setting } = port;
    if address.port() == 0 {
        return;
    }
    match (TcpListener::bind(address), holder) {
        (Ok(_free), None) => report.ok("ports", format!("{address} ({setting}) is free")),
        (Ok(_free), Some(_)) => {
            let message = format!("nobody listens on {address} ({setting}), though the role runs");
            report.problem(
                "ports",
                message,
                "it was started with other settings, or is starting or stopping: see its log",
            );
        }
        (Err(error), None) if error.kind() == std::io::ErrorKind::AddrInUse => {
            let message = format!("{address} ({setting}) is taken by {}", taken_by(address.port()));
            report.problem("ports", message, format!("stop that program, or choose another {setting}"));
        }
        (Err(error), Some(own)) if error.kind() == std::io::ErrorKind::AddrInUse => ours(report, port, own),
        (Err(error), _) => {
            let message = format!("cannot listen on {address} ({setting}): {}", plain_words(&error));
            report.problem("ports", message, format!("choose another {setting}"));
        }
    }
}

fn ours(report: &mut Report, Port { address, setting }: Port, own: Holder) {
    match owner(address.port()) {
        Some(id) if id != own && own != 0 => {
            let message =
                format!("{address} ({setting}) is held by {}, not by the role, which runs", taken_by(address.port()));
            report.problem("ports", message, "stop that program, or choose other ports");
        }
        _ => report.ok("ports", format!("the role listens on {address} ({setting})")),
    }
}

/// Who listens on a port, for people.
pub(super) fn taken_by(port: u16) -> String {
    owner(port).map_or_else(
        || "another program (root can see which)".to_owned(),
        |id| format!("process {id} ({})", program(id)),
    )
}

/// The process that listens on a TCP port, if it is to be seen from here.
fn owner(port: u16) -> Option<u32> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| fs::read_to_string(path).unwrap_or_default());
    let inode = tables.iter().flat_map(|table| table.lines().skip(1)).find_map(|line| listening(line, port))?;
    let wanted = format!("socket:[{inode}]");
    let processes = fs::read_dir("/proc").ok()?.flatten();
    processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).find(|id| holds(*id, &wanted))
}

/// The inode of a listening socket (state 0A), from a line of proc(5)'s net/tcp.
fn listening(line: &str, port: u16) -> Option<&str> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
    let its = u16::from_str_radix(local.rsplit(':').next()?, 16).ok()?;
    (its == port && *state == "0A").then_some(*inode)
}

fn holds(process: u32, socket: &str) -> bool {
    let files = fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
    files.filter_map(|file| fs::read_link(file.path()).ok()).any(|target| target.to_str() == Some(socket))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_listens_is_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        assert_eq!(owner(listener.local_addr().unwrap().port()), Some(std::process::id()));
        let line = "   0: 0100007F:20E4 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4242 1";
        assert_eq!((listening(line, 0x20e4), listening(line, 1)), (Some("4242"), None));
    }
}
