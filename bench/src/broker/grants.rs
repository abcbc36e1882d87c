// SPDX-License-Identifier: Apache-2.0
//! Credentials that are computed, with tokens seen before and with new ones, against what OpenBao's login does with the same tokens.

use super::load::{self, Load, Shown};
use super::openbao::OpenBao;
use super::service::{Broker, Offer};
use super::setting::Setting;
use crate::report::{Report, Target};

/// Tokens that are new for each second of a measurement; more than anyone here can verify.
const FRESH_PER_SECOND: usize = 20_000;
/// How much faster than the peer's login, with a token seen before and with a new one.
const SEEN_TARGET: f64 = 10.0;
const FRESH_TARGET: f64 = 4.0;

pub(super) fn run(report: &mut Report, seconds: u64) -> anyhow::Result<()> {
    let mut setting = Setting::new()?;
    let known = setting.known()?;
    let enough = FRESH_PER_SECOND.saturating_mul(usize::try_from(seconds)?);

    report.section("Computed credentials with durable leases, against OpenBao's login, 16 connections");
    let peer = {
        let bao = OpenBao::start(setting.path(), &setting.issuer.public_pem())?;
        let peer = load::post(&OpenBao::login_url(), &known, Shown::InBody, seconds)?;
        show(report, "OpenBao, JWT login", peer, Target::None);
        report.figure("OpenBao, resident afterwards", mebibytes(bao.process.resident_bytes()?), "MiB", Target::None);
        peer
    };
    let broker = Broker::start(setting.path(), &[Offer::Static, Offer::R2, Offer::Jwt])?;
    for offer in [Offer::Static, Offer::R2, Offer::Jwt] {
        let url = broker.url_of(offer.name());
        let _warm = load::post(&url, &known, Shown::InHeader, 1)?;
        let seen = load::post(&url, &known, Shown::InHeader, seconds)?;
        show(report, &format!("cress, `{}`, token seen before", offer.name()), seen, Target::None);
        report.figure("/ OpenBao", seen.rate / peer.rate, "x", Target::AtLeast(SEEN_TARGET));
        let fresh = setting.fresh(enough)?;
        let first = load::post(&url, &fresh, Shown::InHeader, seconds)?;
        show(report, &format!("cress, `{}`, token seen for the first time", offer.name()), first, Target::None);
        report.figure("/ OpenBao", first.rate / peer.rate, "x", Target::AtLeast(FRESH_TARGET));
    }
    report.figure("cress, resident afterwards", mebibytes(broker.process.resident_bytes()?), "MiB", Target::None);
    Ok(())
}

/// A rate with its latencies.
pub(super) fn show(report: &mut Report, what: &str, load: Load, target: Target) {
    report.figure(what, load.rate, "/s", target);
    report.figure(&format!("{what}: median"), load.median, "ms", Target::None);
    report.figure(&format!("{what}: p99"), load.p99, "ms", Target::None);
}

pub(super) fn mebibytes(bytes: f64) -> f64 {
    bytes / 1024.0 / 1024.0
}
