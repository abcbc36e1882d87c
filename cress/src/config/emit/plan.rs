// SPDX-License-Identifier: Apache-2.0
//! What a configuration says, validated as a whole.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use cress_domain::{Audience, Issuer};
use cress_jose::Algorithm;

use super::claims::ClaimCheck;
use super::input::{Endpoint, IdentityHeader, JwksUrl, ListenAddress};
use super::{Arguments, Protocol};

/// Most `--audience`, `--require` and `--header` each.
const REPEATS_MAX: usize = 16;
/// Where control publishes its keys.
const JWKS_PATH: &str = "/.well-known/workload-jwks.json";

pub(super) struct Plan {
    pub(super) issuer: Issuer,
    pub(super) jwks_url: JwksUrl,
    pub(super) audiences: Vec<Audience>,
    pub(super) authz: Endpoint,
    pub(super) authz_grpc: Endpoint,
    pub(super) protocol: Protocol,
    pub(super) native: bool,
    pub(super) upstream: Endpoint,
    pub(super) listen: ListenAddress,
    pub(super) checks: Vec<ClaimCheck>,
    pub(super) headers: Vec<IdentityHeader>,
    pub(super) algorithm: Algorithm,
    /// Where HAProxy's files are.
    pub(super) haproxy_dir: String,
    /// Where the file will lie, if that is known.
    pub(super) output: Option<PathBuf>,
}

impl Plan {
    pub(super) fn new(arguments: Arguments) -> anyhow::Result<Self> {
        let issuer = arguments.issuer.context("expected --issuer")?;
        ensure!(
            !arguments.audience.is_empty(),
            "expected --audience: a token that is good everywhere is good for whoever was shown it"
        );
        for (name, count) in [
            ("audience", arguments.audience.len()),
            ("require", arguments.require.len()),
            ("header", arguments.header.len()),
        ] {
            ensure!(count <= REPEATS_MAX, "expected --{name} at most {REPEATS_MAX} times, got {count}");
        }
        check_headers(&arguments.header)?;
        let jwks_url = match arguments.jwks_url {
            Some(url) => url,
            None => format!("{}{JWKS_PATH}", issuer.as_str().trim_end_matches('/'))
                .parse()
                .context("the issuer alone does not say where its keys are, give --jwks-url")?,
        };
        Ok(Self {
            issuer,
            jwks_url,
            audiences: arguments.audience,
            authz: arguments.authz,
            authz_grpc: arguments.authz_grpc,
            protocol: arguments.ext_authz,
            native: arguments.native,
            upstream: arguments.upstream,
            listen: arguments.listen,
            checks: arguments.require.iter().map(ClaimCheck::new).collect::<Result<_, _>>()?,
            headers: arguments.header,
            algorithm: arguments.algorithm,
            haproxy_dir: directory(arguments.haproxy_dir)?,
            output: arguments.output,
        })
    }

    /// Where Envoy and Istio ask.
    pub(super) const fn ext_authz(&self) -> &Endpoint {
        match self.protocol {
            Protocol::Grpc => &self.authz_grpc,
            Protocol::Http => &self.authz,
        }
    }

    pub(super) fn audience_texts(&self) -> impl Iterator<Item = &str> {
        self.audiences.iter().map(Audience::as_str)
    }

    /// The file's own path, absolute, for a program that has to be told it.
    pub(super) fn own_path(&self, default: &str) -> anyhow::Result<String> {
        let Some(path) = &self.output else { return Ok(default.to_owned()) };
        let absolute = std::path::absolute(path).context("expected a path in --output")?;
        absolute.into_os_string().into_string().ok().context("expected a path in UTF-8 in --output")
    }
}

fn check_headers(headers: &[IdentityHeader]) -> anyhow::Result<()> {
    for (index, header) in headers.iter().enumerate() {
        let before = headers.iter().take(index);
        let is_new = before.into_iter().all(|other| !other.name().eq_ignore_ascii_case(header.name()));
        ensure!(is_new, "expected each --header once, got {} twice", header.name());
    }
    Ok(())
}

/// HAProxy's words end at spaces, and its quotes at quotes: paths have neither.
fn directory(path: PathBuf) -> anyhow::Result<String> {
    let text = path.into_os_string().into_string().ok().context("expected a path in UTF-8 in --haproxy-dir")?;
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    ensure!(
        text.starts_with('/') && text.bytes().all(safe),
        "expected an absolute path of letters, digits and / . _ - in --haproxy-dir"
    );
    Ok(text.trim_end_matches('/').to_owned())
}
