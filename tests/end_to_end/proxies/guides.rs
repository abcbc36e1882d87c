// SPDX-License-Identifier: Apache-2.0
//! The commands of the guides in `docs/proxies`, run as they stand there but for ports, paths and the issuer.

use std::process::Command;

use cress_testkit::TestIssuer;
use cress_tests::{Echo, Program, ProxyFiles, ProxyKind, base_port, cress, eventually, get, program, repository};

use crate::jwks_sync::now;
use crate::key_set_server::KeySetServer;

const AUDIENCE: &str = "2c3573b6-88de-4067-821f-1af088bd9c6a";

#[test]
fn the_guides_work_as_they_are_written() {
    let issuer = TestIssuer::new();
    let (keys, service, directory) =
        (KeySetServer::start(&issuer.jwks_json()), Echo::start(), tempfile::tempdir().unwrap());
    let authz = base_port();
    let here = |text: &str| {
        let issuer_here =
            format!("--issuer {} --jwks-url {} --authz http://127.0.0.1:{authz}", issuer.issuer(), keys.url());
        text.replace("--issuer https://control.example", &issuer_here)
            .replace("https://control.example/.well-known/workload-jwks.json", &keys.url())
            .replace("salad_workload_name=worker", "salad_workload_name=demo")
            .replace(AUDIENCE, issuer.audience().as_str())
            .replace("http://127.0.0.1:9000", &service.url())
    };

    shell(&here(&emits("README.md").join("\n")), directory.path());
    let file = directory.path().join("authz.toml").display().to_string();
    let metrics = format!("127.0.0.1:{}", authz + 1);
    let command = cress(&["authz", "--config", &file, "--metrics-listen", &metrics]);
    let _authz = Program::start(command, &directory.path().join("authz.log"));
    let ready = format!("http://127.0.0.1:{authz}/readyz");
    eventually("cress authz", || get(&ready, &[]).ok().filter(|answer| answer.status == 200));

    for (guide, kind, place) in [
        ("nginx.md", ProxyKind::Nginx, "/etc/nginx/conf.d/service.conf"),
        ("haproxy.md", ProxyKind::Haproxy, "/etc/haproxy"),
        ("envoy.md", ProxyKind::Envoy, ""),
        ("traefik.md", ProxyKind::Traefik, "/etc/traefik/traefik.yaml"),
        ("caddy.md", ProxyKind::Caddy, "/etc/caddy/Caddyfile"),
    ] {
        let (files, port) = (ProxyFiles::new(kind), base_port());
        let to = if kind == ProxyKind::Haproxy { files.path().to_owned() } else { files.configuration() };
        let with_place =
            |text: String| if place.is_empty() { text } else { text.replace(place, &to.display().to_string()) };
        let text = with_place(here(&emits(guide).join("\n"))).replace("127.0.0.1:8080", &format!("127.0.0.1:{port}"));
        shell(
            &text.replace(
                "config emit haproxy ",
                &format!("config emit haproxy --haproxy-dir {} ", files.path().display()),
            ),
            files.path(),
        );
        files.check();
        let proxy = files.start(port, port + 1);
        let bearer = format!("Authorization: Bearer {}", issuer.token(now()));
        for (headers, status) in [(&[][..], 401), (&[bearer.as_str()], 200)] {
            eventually(guide, || get(&proxy.url(), headers).ok().filter(|answer| answer.status == status));
        }
    }
}

/// The commands that write configurations, up to the section about a proxy that checks by itself.
fn emits(guide: &str) -> Vec<String> {
    let text = std::fs::read_to_string(repository().join("docs/proxies").join(guide)).unwrap();
    let text = text.split("## By itself").next().unwrap();
    let blocks = text.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let lines = blocks.flat_map(|block| block.replace("\\\n", " ").lines().map(str::to_owned).collect::<Vec<_>>());
    lines.filter(|line| line.starts_with("cress config emit")).collect()
}

fn shell(script: &str, directory: &std::path::Path) {
    let mut command = Command::new("sh");
    let path = program("cress").parent().unwrap().display().to_string();
    command.args(["-euc", script]).current_dir(directory).env("PATH", format!("{path}:/usr/bin:/bin"));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
}
