// SPDX-License-Identifier: Apache-2.0
//! What a check of every request costs behind the proxies that people run, each configured by `cress config emit`: nginx
//! `auth_request`, against an answer that nginx itself makes; Envoy that asks over gRPC, against its own `jwt_authn`.

mod envoy;
mod nginx;
mod setting;

use crate::report::Report;
use setting::Setting;

pub(crate) fn run(report: &mut Report, seconds: u64) -> anyhow::Result<()> {
    let setting = Setting::start()?;
    nginx::run(report, &setting, seconds)?;
    envoy::run(report, &setting, seconds)
}
