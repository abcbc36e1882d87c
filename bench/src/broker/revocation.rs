// SPDX-License-Identifier: Apache-2.0
//! How long it takes until all accounts of a credential are gone from the target, from the operator's command on.

use std::time::{Duration, Instant};

use super::accounts::{redis_target, target_server};
use super::load::{self, Shown};
use super::openbao::OpenBao;
use super::redis::Redis;
use super::service::{Broker, Offer};
use super::setting::Setting;
use crate::processes::wait_for;
use crate::report::{Report, Target};

const REDIS_LEASES: usize = 17_000;
const POSTGRES_LEASES: usize = 5_000;
/// How long the peer is watched: it would take an hour.
const WATCHED: Duration = Duration::from_secs(20);
/// The account of the broker itself, and Redis's own.
const REDIS_OWN: usize = 1;

pub(super) fn run(report: &mut Report) -> anyhow::Result<()> {
    let setting = Setting::new()?;
    let known = setting.known()?;

    report.section("Revocation of all leases of a credential");
    {
        let redis = Redis::start()?;
        let bao = OpenBao::start(setting.path(), &setting.issuer.public_pem())?;
        let (url, token) = (bao.add(&redis_target(&redis))?, bao.root_token_file()?);
        while redis.accounts()? < REDIS_LEASES {
            load::get(&url, &token, 1)?;
        }
        let before = redis.accounts()?;
        let started = Instant::now();
        bao.revoke_all("redis")?;
        std::thread::sleep(WATCHED);
        let gone = before.saturating_sub(redis.accounts()?);
        report.figure("OpenBao, Redis accounts ended", per_second(gone, started), "/s", Target::None);
    }
    {
        let redis = Redis::start()?;
        let broker = Broker::start(setting.path(), &[Offer::Redis(redis.port)])?;
        while redis.accounts()? < REDIS_LEASES {
            load::post(&broker.url_of("redis"), &known, Shown::InHeader, 1)?;
        }
        let count = redis.accounts()? - REDIS_OWN;
        let started = Instant::now();
        broker.revoke_all("redis")?;
        wait_for("Redis to have no account left", || redis.accounts().is_ok_and(|left| left <= REDIS_OWN))?;
        report.figure("cress, Redis accounts ended", per_second(count, started), "/s", Target::None);
        #[expect(clippy::cast_precision_loss, reason = "thousands")]
        let scaled = started.elapsed().as_secs_f64() * REDIS_LEASES as f64 / count as f64;
        report.figure("cress, 17,000 Redis accounts", scaled, "s", Target::Below(10.0));
    }
    let server = target_server();
    let broker = Broker::start(setting.path(), &[Offer::Postgres(server.port())])?;
    let accounts = || -> usize {
        server
            .sql("postgres", "SELECT count(*) FROM pg_roles WHERE starts_with(rolname, 'cress_')")
            .trim()
            .parse()
            .unwrap_or(usize::MAX)
    };
    while accounts() < POSTGRES_LEASES {
        load::post(&broker.url_of("postgres"), &known, Shown::InHeader, 1)?;
    }
    let count = accounts();
    let started = Instant::now();
    broker.revoke_all("postgres")?;
    wait_for("PostgreSQL to have no account left", || accounts() == 0)?;
    report.figure("cress, PostgreSQL accounts ended", per_second(count, started), "/s", Target::None);
    #[expect(clippy::cast_precision_loss, reason = "thousands")]
    let scaled = started.elapsed().as_secs_f64() * POSTGRES_LEASES as f64 / count as f64;
    report.figure("cress, 5,000 PostgreSQL accounts", scaled, "s", Target::Below(60.0));
    Ok(())
}

fn per_second(count: usize, started: Instant) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "thousands")]
    let count = count as f64;
    count / started.elapsed().as_secs_f64()
}
