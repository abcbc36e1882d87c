// SPDX-License-Identifier: Apache-2.0
//! Accounts at Redis and PostgreSQL: made by us, by OpenBao, and for PostgreSQL by pgbench with the statements alone.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context;
use cress_testkit::postgres::{Postgres, Version};
use serde_json::json;

use super::grants::show;
use super::load::{self, Shown};
use super::openbao::{self, OpenBao};
use super::redis::Redis;
use super::service::{Broker, Offer};
use super::setting::Setting;
use crate::report::{Report, Target};

/// How much faster than the peer.
const PEER_TARGET: f64 = 3.0;
/// Which share of what the server can do.
const PGBENCH_TARGET: f64 = 0.7;
/// The load's connections, for pgbench as for wrk.
const CLIENTS: &str = "16";
/// A verifier of 4,096 iterations, as we send one: the server hashes nothing but an empty password against it.
const VERIFIER: &str = "SCRAM-SHA-256$4096:QmFzZTY0U2FsdDEyMzQ1Ng==$Qp8jkZHrz0fGtpJ4hV4XHQZ1wXyzWt3qXQkJm0q9S4Y=:m3qz8t6Yb5sJY4mV7o3r9cQ1yq0p8k2s7d6f5g4h3jE=";

pub(super) fn run(report: &mut Report, seconds: u64) -> anyhow::Result<()> {
    let setting = Setting::new()?;
    let known = setting.known()?;
    let pem = setting.issuer.public_pem();

    report.section("Accounts at Redis, 16 connections");
    let peer = {
        let redis = Redis::start()?;
        let bao = OpenBao::start(setting.path(), &pem)?;
        let url = bao.add(&redis_target(&redis))?;
        load::get(&url, &bao.root_token_file()?, seconds)?
    };
    show(report, "OpenBao", peer, Target::None);
    {
        let redis = Redis::start()?;
        let broker = Broker::start(setting.path(), &[Offer::Redis(redis.port)])?;
        let ours = load::post(&broker.url_of("redis"), &known, Shown::InHeader, seconds)?;
        show(report, "cress", ours, Target::None);
        report.figure("cress / OpenBao", ours.rate / peer.rate, "x", Target::AtLeast(PEER_TARGET));
    }

    report.section("Accounts at PostgreSQL 15, 16 connections, SCRAM with 4,096 iterations");
    let peer = {
        let server = target_server();
        let bao = OpenBao::start(setting.path(), &pem)?;
        let url = bao.add(&postgres_target(&server))?;
        load::get(&url, &bao.root_token_file()?, seconds)?
    };
    show(report, "OpenBao", peer, Target::None);
    let bare = pgbench(setting.path(), &target_server(), seconds)?;
    report.figure("pgbench with the statements alone", bare, "/s", Target::None);
    let server = target_server();
    let broker = Broker::start(setting.path(), &[Offer::Postgres(server.port())])?;
    let ours = load::post(&broker.url_of("postgres"), &known, Shown::InHeader, seconds)?;
    show(report, "cress", ours, Target::None);
    report.figure("cress / OpenBao", ours.rate / peer.rate, "x", Target::AtLeast(PEER_TARGET));
    report.figure("cress / pgbench", ours.rate / bare, "x", Target::AtLeast(PGBENCH_TARGET));
    Ok(())
}

pub(super) fn redis_target(redis: &Redis) -> openbao::Target<'static> {
    openbao::Target {
        name: "redis",
        connection: json!({
            "plugin_name": "valkey-database-plugin", "host": "127.0.0.1", "port": redis.port, "username": "default",
            "password": redis.password, "allowed_roles": "*",
        }),
        creation_statements: r#"["~app:*", "+@read", "+@write"]"#,
    }
}

pub(super) fn postgres_target(server: &Postgres) -> openbao::Target<'static> {
    let url =
        format!("postgresql://{{{{username}}}}:{{{{password}}}}@127.0.0.1:{}/postgres?sslmode=disable", server.port());
    openbao::Target {
        name: "postgres",
        connection: json!({
            "plugin_name": "postgresql-database-plugin", "connection_url": url, "username": "broker", "password": "bench",
            "max_open_connections": 16, "max_idle_connections": 16, "allowed_roles": "*", "password_authentication": "scram-sha-256",
        }),
        creation_statements: r#"CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}' IN ROLE app_rw; ALTER ROLE "{{name}}" SET ROLE app_rw;"#,
    }
}

/// A server with a group role and a broker's role that may make members of it.
pub(super) fn target_server() -> Postgres {
    let server = Postgres::start_with(Version::V15, crate::stores::DURABLE);
    server.sql(
        "postgres",
        "CREATE ROLE app_rw; CREATE ROLE broker LOGIN CREATEROLE PASSWORD 'bench'; GRANT app_rw TO broker WITH ADMIN OPTION; \
         GRANT pg_signal_backend TO broker",
    );
    server
}

/// What the server does with the same statements and nothing else.
fn pgbench(directory: &Path, server: &Postgres, seconds: u64) -> anyhow::Result<f64> {
    let script = directory.join("roles.sql");
    let statements = format!(
        "\\set n random(1, 9000000000000000)\nBEGIN; CREATE ROLE bench_:n LOGIN PASSWORD '{VERIFIER}' VALID UNTIL '2099-01-01' IN ROLE app_rw; \
         ALTER ROLE bench_:n SET ROLE app_rw; COMMIT;\n"
    );
    fs::write(&script, statements)?;
    let mut pgbench = Command::new("/usr/lib/postgresql/15/bin/pgbench");
    pgbench
        .args(["--no-vacuum", "--client", CLIENTS, "--jobs", "1", "--time", &seconds.to_string(), "--file"])
        .arg(&script);
    pgbench.args(["--host", "127.0.0.1", "--port", &server.port().to_string(), "--username", "broker", "postgres"]);
    let output = pgbench.env("PGPASSWORD", "bench").output().context("pgbench")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("tps = "))
        .with_context(|| format!("pgbench said: {text} {}", String::from_utf8_lossy(&output.stderr)))?;
    Ok(line.split(' ').next().unwrap_or_default().parse()?)
}
