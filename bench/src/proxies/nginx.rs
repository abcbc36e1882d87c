// SPDX-License-Identifier: Apache-2.0
//! nginx `auth_request` before a service whose answers never change, with a token seen before.

use super::setting::{AUTHZ_PORT, Setting};
use crate::cores;
use crate::report::{Report, Target};
use crate::wrk::{Load, wrk};

const PORT: u16 = 10_546;
/// The same nginx, but that it asks its peer.
const PEER_PORT: u16 = 10_547;
/// An nginx that permits everything with an empty answer.
const EMPTY_PORT: u16 = 10_548;
/// How often each measurement is made.
const ROUNDS: usize = 3;

pub(super) fn run(report: &mut Report, setting: &Setting, seconds: u64) -> anyhow::Result<()> {
    let alone = "one core for nginx, the other for what it asks, the service behind and the load";
    measure(report, setting, seconds, alone, cores::SERVER, cores::LOAD)?;
    let beside = "one core for what nginx asks, the other for nginx, the service behind and the load";
    measure(report, setting, seconds, beside, cores::LOAD, cores::SERVER)
}

fn measure(
    report: &mut Report,
    setting: &Setting,
    seconds: u64,
    layout: &str,
    nginx_core: usize,
    asked_core: usize,
) -> anyhow::Result<()> {
    let empty = format!("server {{\n  listen 127.0.0.1:{EMPTY_PORT};\n  location / {{ return 204; }}\n}}\n");
    let _empty = setting.nginx("empty", &empty, EMPTY_PORT, asked_core)?;
    let _authz = setting.authz(asked_core)?;
    let front = |name, port, asked| {
        let servers = setting.emit(&["nginx"], port, asked)?;
        setting.nginx(name, &servers, port, nginx_core)
    };
    let (peer, ours) = (front("peer", PEER_PORT, EMPTY_PORT)?, front("ours", PORT, AUTHZ_PORT)?);
    report.section(&format!("nginx auth_request as `cress config emit` writes it, {layout}"));
    let (mut theirs, mut cress) = (Load::default(), Load::default());
    for _ in 0..ROUNDS {
        let url = |port| format!("http://127.0.0.1:{port}/");
        theirs = theirs.better_of(wrk(&url(PEER_PORT), &setting.header, seconds, &peer)?);
        cress = cress.better_of(wrk(&url(PORT), &setting.header, seconds, &ours)?);
    }
    report.figure("asking an nginx that answers with an empty 204", theirs.rate, "requests/s", Target::None);
    report.figure("asking cress authz, token seen before", cress.rate, "requests/s", Target::AtLeast(18_000.0));
    report.figure("cress authz / empty 204", cress.rate / theirs.rate, "x", Target::None);
    Ok(())
}
