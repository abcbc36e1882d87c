// SPDX-License-Identifier: Apache-2.0
//! `/verify` with a token seen before, against an empty 204 of the same HTTP stack.

use std::convert::Infallible;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use cress_service::Shutdown;
use cress_service::listen::{Listener, RequestBody, Server};
use http::{Request, Response, StatusCode};
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::service::service_fn;

use crate::cores;
use crate::issuer::{AUDIENCE, ISSUER, Issuer, REQUIRED};
use crate::processes::{Process, binary, is_ok, wait_for};
use crate::report::{Report, Target};
use crate::wrk::{Load, wrk};

const AUTHZ_PORT: u16 = 33_223;
const EMPTY_PORT: u16 = 33_224;
/// How often each measurement is made.
const ROUNDS: usize = 3;

pub(crate) fn run(report: &mut Report, seconds: u64) -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let issuer = Issuer::new()?;
    configure(directory.path(), &issuer)?;
    let header = issuer.header()?;
    let (verify, empty) =
        (format!("http://127.0.0.1:{AUTHZ_PORT}/verify"), format!("http://127.0.0.1:{EMPTY_PORT}/verify"));
    let ours = authz(directory.path())?;
    let peer = empty_server_process()?;
    report.section("/verify with a token seen before, one core for the server, 32 connections kept alive");
    let (mut theirs, mut cress) = (Load::default(), Load::default());
    for _ in 0..ROUNDS {
        theirs = theirs.better_of(wrk(&empty, &header, seconds, &peer)?);
        cress = cress.better_of(wrk(&verify, &header, seconds, &ours)?);
    }
    report.figure("an empty 204 of the same stack", theirs.rate, "requests/s", Target::None);
    report.figure("/verify", cress.rate, "requests/s", Target::None);
    report.figure("/verify / empty 204", cress.rate / theirs.rate, "x", Target::AtLeast(0.8));
    report.figure(
        "/verify / empty 204, by processor time",
        cress.rate_of_cpu / theirs.rate_of_cpu,
        "x",
        Target::AtLeast(0.8),
    );
    Ok(())
}

/// An issuer's keys in a file, and the service's configuration.
fn configure(directory: &Path, issuer: &Issuer) -> anyhow::Result<()> {
    let keys = directory.join("jwks.json");
    fs::write(&keys, issuer.jwks()?)?;
    let configuration = format!(
        "listen = \"127.0.0.1:{AUTHZ_PORT}\"\naccess_log = \"off\"\nmetrics.listen = \"127.0.0.1:{metrics}\"\n[[issuers]]\n\
         name = \"bench\"\nissuer = \"{ISSUER}\"\njwks_file = \"{keys}\"\naudiences = [\"{AUDIENCE}\"]\n[[rules]]\nname = \"all\"\n\
         claims = [\"{REQUIRED}\"]\n",
        metrics = AUTHZ_PORT - 1,
        keys = keys.display(),
    );
    Ok(fs::write(directory.join("authz.toml"), configuration)?)
}

fn authz(directory: &Path) -> anyhow::Result<Process> {
    let mut command = cores::tied(cores::SERVER, &binary()?.display().to_string());
    command.args(["authz", "--log", "error", "--config"]).arg(directory.join("authz.toml"));
    let process = Process::start(command)?;
    wait_for("the service to be ready", || is_ok(&format!("http://127.0.0.1:{AUTHZ_PORT}/readyz")))?;
    Ok(process)
}

fn empty_server_process() -> anyhow::Result<Process> {
    let program = std::env::current_exe().context("the path of this program")?;
    let mut command = cores::tied(cores::SERVER, &program.display().to_string());
    command.args(["--serve-empty", &EMPTY_PORT.to_string()]);
    let process = Process::start(command)?;
    wait_for("the empty server to listen", || std::net::TcpStream::connect(("127.0.0.1", EMPTY_PORT)).is_ok())?;
    Ok(process)
}

/// Answers every request with an empty 204, on the listener and within the limits that the service has.
pub(crate) fn serve_empty(port: u16) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let listener = Listener::tcp(([127, 0, 0, 1], port).into(), "--serve-empty").await?;
        let shutdown = Shutdown::on_signals(Duration::from_secs(1))?;
        let answer = |_: Request<RequestBody>| async {
            let mut response = Response::new(Empty::<Bytes>::new());
            *response.status_mut() = StatusCode::NO_CONTENT;
            Ok::<_, Infallible>(response)
        };
        Server::new(listener).serve_with(|_| service_fn(answer), &shutdown).await;
        Ok(())
    })
}
