// SPDX-License-Identifier: Apache-2.0
//! `cress config emit`: working configurations for the proxies that people run. What a user gives is validated here and quoted for
//! each format; nothing of it may ever become configuration of its own.

mod authz;
mod caddy;
mod claims;
mod envoy;
mod haproxy;
mod input;
mod istio;
mod kubernetes;
mod nginx;
mod plan;
mod quoted;
mod template;
mod traefik;

use std::path::{Path, PathBuf};

use anyhow::ensure;
use clap::{Args, ValueEnum};
use cress_domain::{Audience, Issuer};
use cress_jose::Algorithm;
use cress_service::data_dir::publish_atomically;
use cress_token::ClaimRule;

use self::input::{Endpoint, IdentityHeader, JwksUrl, ListenAddress};
use self::plan::Plan;
use crate::output;

/// Write a working configuration for a proxy that lets only requests with a good token through.
///
/// Without --native the proxy asks `cress authz`, which has the issuer, the audience and the rules in its own configuration. With
/// --native the proxy checks tokens by itself. Either way it passes on who asks in headers of its own, and drops those that a
/// client sent. Read the comments in what is written: they say what holds and what does not.
#[derive(Debug, Args)]
#[command(after_help = "\
Targets:
  authz        authz.toml of `cress authz` itself, for the proxies that ask it
  nginx        a file for /etc/nginx/conf.d, with auth_request
  haproxy      haproxy.cfg, with an action in Lua; with --native with jwt_verify and files of `cress jwks sync`
  haproxy-lua  that action: /etc/haproxy/cress-verify.lua
  envoy        envoy.yaml, with ext_authz; with --native with jwt_authn and rbac
  traefik      traefik.yaml, with forwardAuth
  caddy        Caddyfile, with forward_auth
  istio        an AuthorizationPolicy for ext_authz; with --native a RequestAuthentication and an AuthorizationPolicy
  kubernetes   an AuthenticationConfiguration of kube-apiserver

Examples:
  cress config emit authz --issuer https://control.example --audience shop --output /etc/cress/authz.toml
  cress config emit nginx --issuer https://control.example --audience shop --output /etc/nginx/conf.d/shop.conf
  cress config emit envoy --native --issuer https://control.example --audience shop --require salad_workload_name=worker
  cress config emit haproxy-lua --output /etc/haproxy/cress-verify.lua")]
pub(crate) struct Arguments {
    /// What to configure
    target: Target,
    /// The issuer that tokens must name
    #[arg(long, value_name = "URL")]
    issuer: Option<Issuer>,
    /// The issuer's key set [default: the issuer and /.well-known/workload-jwks.json]
    #[arg(long, value_name = "URL")]
    jwks_url: Option<JwksUrl>,
    /// An audience that tokens may be for; can be repeated
    #[arg(long)]
    audience: Vec<Audience>,
    /// Where `cress authz` is
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8423")]
    authz: Endpoint,
    /// Where `cress authz` answers over gRPC, with --ext-authz grpc
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8424")]
    authz_grpc: Endpoint,
    /// How Envoy and Istio ask `cress authz`
    #[arg(long, value_name = "PROTOCOL", default_value = "http")]
    ext_authz: Protocol,
    /// Let the proxy check tokens by itself
    #[arg(long)]
    native: bool,
    /// The service behind the proxy
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9000")]
    upstream: Endpoint,
    /// Where the proxy listens
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: ListenAddress,
    /// What a claim must say, as NAME, NAME=VALUE or NAME=VALUE|VALUE, for authz and with --native; can be repeated
    #[arg(long, value_name = "RULE")]
    require: Vec<ClaimRule>,
    /// A header that tells the service a claim; can be repeated
    #[arg(long, value_name = "NAME=CLAIM", default_values = HEADERS_DEFAULT)]
    header: Vec<IdentityHeader>,
    /// The algorithm that HAProxy checks with; the others go by the key
    #[arg(long, default_value = "ES256")]
    algorithm: Algorithm,
    /// Directory with the files that HAProxy reads
    #[arg(long, value_name = "DIR", default_value = "/etc/haproxy")]
    haproxy_dir: PathBuf,
    /// Write to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// What `cress authz` hands out unless it is told otherwise.
const HEADERS_DEFAULT: [&str; 7] = [
    "X-Cress-Issuer=iss",
    "X-Cress-Subject=sub",
    "X-Cress-Instance=salad_instance_id",
    "X-Cress-Machine=salad_machine_id",
    "X-Cress-Workload=salad_workload_id",
    "X-Cress-Workload-Name=salad_workload_name",
    "X-Cress-Organization=salad_organization_id",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Target {
    Authz,
    Nginx,
    Haproxy,
    HaproxyLua,
    Envoy,
    Traefik,
    Caddy,
    Istio,
    Kubernetes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Protocol {
    Grpc,
    Http,
}

pub(crate) fn run(arguments: Arguments) -> anyhow::Result<()> {
    let output = arguments.output.clone();
    let text = if arguments.target == Target::HaproxyLua {
        haproxy::LUA.to_owned()
    } else {
        let target = arguments.target;
        render(target, &Plan::new(arguments)?)?
    };
    match output {
        None => output::line(text.trim_end()),
        Some(path) => write(&path, &text),
    }
}

fn render(target: Target, plan: &Plan) -> anyhow::Result<String> {
    match target {
        Target::Authz => authz::render(plan),
        Target::Nginx => nginx::render(plan),
        Target::Haproxy => haproxy::render(plan),
        Target::HaproxyLua => Ok(haproxy::LUA.to_owned()),
        Target::Envoy => envoy::render(plan),
        Target::Traefik => traefik::render(plan),
        Target::Caddy => caddy::render(plan),
        Target::Istio => istio::render(plan),
        Target::Kubernetes => kubernetes::render(plan),
    }
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let replaceable = path.symlink_metadata().map_or(true, |metadata| metadata.is_file());
    ensure!(replaceable, "expected a file or nothing at {}", path.display());
    Ok(publish_atomically(path, text.as_bytes())?)
}
