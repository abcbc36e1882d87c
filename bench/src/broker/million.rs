// SPDX-License-Identifier: Apache-2.0
//! A million live leases: memory, a start, and whether grants are slower than with a thousand.

use std::time::Instant;

use super::grants::mebibytes;
use super::load::{self, Shown};
use super::service::{Broker, Offer};
use super::setting::Setting;
use crate::report::{Report, Target};

const LEASES: f64 = 1_000_000.0;
/// At most so many seconds of load at a time.
const BATCH_SECONDS: u64 = 10;

pub(super) fn run(report: &mut Report, seconds: u64) -> anyhow::Result<()> {
    let setting = Setting::new()?;
    let known = setting.known()?;
    let mut broker = Broker::start(setting.path(), &[Offer::R2])?;
    let url = broker.url_of("r2");

    report.section("A million live leases");
    let few = load::post(&url, &known, Shown::InHeader, seconds)?;
    report.figure("grants at the start", few.rate, "/s", Target::None);
    #[expect(clippy::cast_precision_loss, reason = "seconds")]
    let mut made = few.rate * seconds as f64;
    while made < LEASES {
        #[expect(clippy::cast_precision_loss, reason = "seconds")]
        let batch = load::post(&url, &known, Shown::InHeader, BATCH_SECONDS)?.rate * BATCH_SECONDS as f64;
        made += batch;
    }
    report.figure("live leases", made, "", Target::AtLeast(LEASES));
    report.figure("resident", mebibytes(broker.process.resident_bytes()?), "MiB", Target::Below(150.0));
    let started = Instant::now();
    broker.start_again()?;
    report.figure("start, until ready", started.elapsed().as_secs_f64(), "s", Target::Below(2.0));
    let _warm = load::post(&url, &known, Shown::InHeader, 1)?;
    let many = load::post(&url, &known, Shown::InHeader, seconds)?;
    report.figure("grants with a million", many.rate, "/s", Target::None);
    report.figure("with a million / at the start", many.rate / few.rate, "x", Target::AtLeast(0.95));
    report.figure("resident after the start", mebibytes(broker.process.resident_bytes()?), "MiB", Target::Below(150.0));
    Ok(())
}
