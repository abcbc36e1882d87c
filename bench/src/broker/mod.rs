// SPDX-License-Identifier: Apache-2.0
//! The broker against OpenBao, in the same run and with the same targets: credentials that are computed, accounts at Redis and
//! PostgreSQL, their revocation, and a million leases. Our leases are durable; the peer keeps its own in memory.

mod accounts;
mod grants;
mod load;
mod million;
mod openbao;
mod redis;
mod revocation;
mod service;
mod setting;

use crate::report::Report;

pub(crate) fn run(report: &mut Report, seconds: u64) -> anyhow::Result<()> {
    grants::run(report, seconds)?;
    accounts::run(report, seconds)?;
    revocation::run(report)?;
    million::run(report, seconds)
}
