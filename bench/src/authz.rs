// SPDX-License-Identifier: Apache-2.0
//! `/verify` with a token seen before, against an empty 204 of the same HTTP stack; and behind nginx `auth_request`.

use std::convert::Infallible;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use cress_jose::{JwkSet, SigningKey};
use cress_service::Shutdown;
use cress_service::listen::{Listener, RequestBody, Server};
use http::{Request, Response, StatusCode};
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::service::service_fn;
use serde_json::json;

use crate::cores;
use crate::imds::{Load, wrk};
use crate::processes::{Process, binary, is_ok, wait_for};
use crate::report::{Report, Target};

const AUTHZ_PORT: u16 = 33_223;
const EMPTY_PORT: u16 = 33_224;
const NGINX_PORT: u16 = 33_280;
/// How often each measurement is made.
const ROUNDS: usize = 3;
const ISSUER: &str = "https://issuer.example";
/// How long the token lives, in seconds: longer than the measurements.
const LIFE: u64 = 3_600;

pub(crate) fn run(report: &mut Report, seconds: u64) -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let token = write_issuer(directory.path())?;
    let header = format!("Authorization: Bearer {token}");
    let (verify, empty) =
        (format!("http://127.0.0.1:{AUTHZ_PORT}/verify"), format!("http://127.0.0.1:{EMPTY_PORT}/verify"));
    {
        let ours = authz(directory.path(), cores::SERVER)?;
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
    }
    // nginx has the server's core; the service shares the other one with the load.
    let _ours = authz(directory.path(), cores::LOAD)?;
    let nginx = nginx(directory.path())?;
    report.section("nginx auth_request with /verify, one core for nginx, the service beside the load");
    let mut behind = Load::default();
    for _ in 0..ROUNDS {
        behind = behind.better_of(wrk(&format!("http://127.0.0.1:{NGINX_PORT}/"), &header, seconds, &nginx)?);
    }
    report.figure("requests through nginx", behind.rate, "requests/s", Target::AtLeast(18_000.0));
    Ok(())
}

/// An issuer's keys in a file, the service's configuration, and a token.
fn write_issuer(directory: &Path) -> anyhow::Result<String> {
    let key = SigningKey::generate("bench-1".parse()?)?;
    let keys = directory.join("jwks.json");
    fs::write(&keys, serde_json::to_vec(&JwkSet::new(vec![key.public_jwk()])?)?)?;
    let configuration = format!(
        "listen = \"127.0.0.1:{AUTHZ_PORT}\"\naccess_log = \"off\"\nmetrics.listen = \"127.0.0.1:{metrics}\"\n[[issuers]]\n\
         name = \"bench\"\nissuer = \"{ISSUER}\"\njwks_file = \"{keys}\"\naudiences = [\"reports\"]\n[[rules]]\nname = \"all\"\n\
         claims = [\"salad_workload_name=rxlab-demo-jwt-authentication\"]\n",
        metrics = AUTHZ_PORT - 1,
        keys = keys.display(),
    );
    fs::write(directory.join("authz.toml"), configuration)?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
    // As long as the reference platform's.
    let id = "2c3573b6-88de-4067-821f-1af088bd9c6a";
    let claims = json!({
        "iss": ISSUER, "aud": "reports", "sub": id, "jti": id, "iat": now, "nbf": now, "exp": now + LIFE, "salad_machine_id": id,
        "salad_instance_id": id, "salad_workload_id": id, "salad_workload_name": "rxlab-demo-jwt-authentication",
        "salad_organization_id": id, "salad_organization_name": "rxlab",
    });
    Ok(key.sign(claims.to_string().as_bytes())?)
}

fn authz(directory: &Path, core: usize) -> anyhow::Result<Process> {
    let mut command = cores::tied(core, &binary()?.display().to_string());
    command.args(["authz", "--log", "error", "--config"]).arg(directory.join("authz.toml"));
    let process = Process::start(command)?;
    wait_for("the service to be ready", || is_ok(&format!("http://127.0.0.1:{AUTHZ_PORT}/readyz")))?;
    Ok(process)
}

fn nginx(directory: &Path) -> anyhow::Result<Process> {
    let configuration = format!(
        "worker_processes 1;\npid {0}/nginx.pid;\nerror_log {0}/error.log crit;\nevents {{ worker_connections 1024; }}\n\
         http {{\n  access_log off;\n  keepalive_requests 1000000000;\n  client_body_temp_path {0}/body;\n  \
         proxy_temp_path {0}/proxy;\n  fastcgi_temp_path {0}/fastcgi;\n  uwsgi_temp_path {0}/uwsgi;\n  scgi_temp_path {0}/scgi;\n  \
         upstream authz {{ server 127.0.0.1:{AUTHZ_PORT}; keepalive 64; keepalive_requests 1000000000; }}\n  \
         server {{\n    listen 127.0.0.1:{NGINX_PORT};\n    location = /_verify {{\n      internal;\n      \
         proxy_pass http://authz/verify/nginx;\n      proxy_http_version 1.1;\n      proxy_set_header Connection \"\";\n      \
         proxy_pass_request_body off;\n      proxy_set_header Content-Length \"\";\n      \
         proxy_set_header X-Original-Method $request_method;\n      proxy_set_header X-Original-Host $host;\n      \
         proxy_set_header X-Original-URI $request_uri;\n    }}\n    location / {{\n      auth_request /_verify;\n      \
         root {0}/static;\n    }}\n  }}\n}}\n",
        directory.display()
    );
    let file = directory.join("nginx.conf");
    fs::create_dir_all(directory.join("static"))?;
    fs::write(directory.join("static/index.html"), "")?;
    fs::write(&file, configuration)?;
    let mut command = cores::tied(cores::SERVER, "nginx");
    command.arg("-c").arg(&file).arg("-p").arg(directory).args(["-g", "daemon off;"]);
    let nginx = Process::start(command)?;
    wait_for("nginx to listen", || std::net::TcpStream::connect(("127.0.0.1", NGINX_PORT)).is_ok())?;
    Ok(nginx)
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
