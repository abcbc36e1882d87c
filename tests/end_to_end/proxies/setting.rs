// SPDX-License-Identifier: Apache-2.0
//! An issuer, a service, and a proxy between its clients and it, by one way of checking.

use std::process::Command;

use cress_testkit::TestIssuer;
use cress_tests::{
    Answer, Echo, Echoed, Program, Proxy, ProxyFiles, ProxyKind, base_port, cress, eventually, get, send_target,
};
use tempfile::TempDir;

use crate::key_set_server::KeySetServer;

/// A way in which a token can be checked in front of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Nginx,
    Haproxy,
    Traefik,
    Caddy,
    EnvoyHttp,
    EnvoyGrpc,
    EnvoyNative,
    HaproxyNative,
}

impl Way {
    pub(super) const fn kind(self) -> ProxyKind {
        match self {
            Self::Nginx => ProxyKind::Nginx,
            Self::Haproxy | Self::HaproxyNative => ProxyKind::Haproxy,
            Self::Traefik => ProxyKind::Traefik,
            Self::Caddy => ProxyKind::Caddy,
            Self::EnvoyHttp | Self::EnvoyGrpc | Self::EnvoyNative => ProxyKind::Envoy,
        }
    }

    /// Whether the proxy checks by itself.
    pub(super) const fn is_native(self) -> bool {
        matches!(self, Self::EnvoyNative | Self::HaproxyNative)
    }

    /// What `cress config emit` is told.
    const fn target(self) -> &'static [&'static str] {
        match self {
            Self::Nginx => &["nginx"],
            Self::Haproxy => &["haproxy"],
            Self::HaproxyNative => &["haproxy", "--native"],
            Self::Traefik => &["traefik"],
            Self::Caddy => &["caddy"],
            Self::EnvoyHttp => &["envoy", "--ext-authz", "http"],
            Self::EnvoyGrpc => &["envoy", "--ext-authz", "grpc"],
            Self::EnvoyNative => &["envoy", "--native"],
        }
    }
}

/// Everything that runs. Fields are ended in this order.
pub(super) struct Setting {
    _proxy: Proxy,
    _authz: Option<Program>,
    _service: Echo,
    pub(super) keys: KeySetServer,
    _files: ProxyFiles,
    pub(super) port: u16,
    _directory: TempDir,
}

impl Setting {
    /// With these rules about claims.
    pub(super) fn start(way: Way, issuer: &TestIssuer, rules: &[&str]) -> Self {
        Self::start_changed(way, issuer, rules, |text, _| text)
    }

    /// The same, with what is written for the proxy at this port changed.
    pub(super) fn start_changed(
        way: Way,
        issuer: &TestIssuer,
        rules: &[&str],
        change: impl FnOnce(String, u16) -> String,
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let keys = KeySetServer::start(&issuer.jwks_json());
        let (service, files, port) = (Echo::start(), ProxyFiles::new(way.kind()), base_port());
        let mut common = vec![
            format!("--issuer={}", issuer.issuer()),
            format!("--jwks-url={}", keys.url()),
            format!("--audience={}", issuer.audience()),
            format!("--authz=http://127.0.0.1:{}", port + 1),
            format!("--authz-grpc=http://127.0.0.1:{}", port + 4),
            format!("--upstream={}", service.url()),
            format!("--listen=127.0.0.1:{port}"),
            format!("--haproxy-dir={}", files.path().display()),
        ];
        common.extend(rules.iter().map(|rule| format!("--require={rule}")));
        emit(way.target(), &common, &files.configuration());
        let text = std::fs::read_to_string(files.configuration()).unwrap();
        std::fs::write(files.configuration(), change(text, port)).unwrap();
        let authz = (!way.is_native()).then(|| {
            let file = directory.path().join("authz.toml");
            emit(&["authz", "--ext-authz", "grpc"], &common, &file);
            let text = std::fs::read_to_string(&file).unwrap();
            // Nobody may go there.
            let rule = "[[rules]]\nname = \"admin\"\npath = \"/admin\"\naccess = \"deny\"\n\n[[rules]]";
            std::fs::write(&file, text.replacen("[[rules]]", rule, 1)).unwrap();
            let file = file.display().to_string();
            let metrics = format!("127.0.0.1:{}", port + 2);
            let command = cress(&["authz", "--config", &file, "--metrics-listen", &metrics]);
            let program = Program::start(command, &directory.path().join("authz.log"));
            let ready = format!("http://127.0.0.1:{}/readyz", port + 1);
            eventually("cress authz", || {
                get(&ready, &[]).ok().filter(|answer| answer.status == 200).or_else(|| {
                    assert!(!program.output().contains("error:"), "{}", program.output());
                    None
                })
            });
            program
        });
        if way == Way::Haproxy {
            emit(&["haproxy-lua"], &[], &files.path().join("cress-verify.lua"));
        }
        if way == Way::HaproxyNative {
            sync_keys(&keys, &files);
        }
        files.check();
        let proxy = files.start(port, port + 3);
        let setting =
            Self { _proxy: proxy, _authz: authz, _service: service, keys, _files: files, port, _directory: directory };
        eventually("the proxy to refuse with a reason", || setting.ask(&[]).ok().filter(|answer| answer.status == 401));
        setting
    }

    pub(super) fn ask(&self, headers: &[&str]) -> std::io::Result<Answer> {
        self.send("GET", "/", headers)
    }

    pub(super) fn send(&self, method: &str, target: &str, headers: &[&str]) -> std::io::Result<Answer> {
        send_target(&format!("127.0.0.1:{}", self.port), method, target, headers, "")
    }
}

/// What reached the service, if the answer is its.
pub(super) fn echoed(answer: &Answer) -> Option<Echoed> {
    (answer.status == 200).then(|| serde_json::from_str(&answer.body).unwrap())
}

/// `cress config emit`, into a file.
pub(super) fn emit(target: &[&str], options: &[String], file: &std::path::Path) {
    let file = file.display().to_string();
    let mut all = vec!["config", "emit"];
    all.extend(target);
    all.extend(options.iter().map(String::as_str));
    all.extend(["--output", &file]);
    run(cress(&all));
}

/// The files that HAProxy reads, once.
fn sync_keys(keys: &KeySetServer, files: &ProxyFiles) {
    let directory = files.path().join("jwt");
    std::fs::create_dir_all(&directory).unwrap();
    let output = |kind: &str, name: &str| format!("{kind}:{}", directory.join(name).display());
    let outputs = [output("pem-dir", "keys"), output("haproxy-map", "keys.map"), output("haproxy-config", "keys.cfg")];
    let mut all = vec!["jwks", "sync", "--once", "--jwks"];
    let url = keys.url();
    all.push(&url);
    for output in &outputs {
        all.extend(["--output", output]);
    }
    run(cress(&all));
}

fn run(mut command: Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
