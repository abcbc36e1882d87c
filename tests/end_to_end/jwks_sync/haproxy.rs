// SPDX-License-Identifier: Apache-2.0
//! HAProxy with the configuration of `docs/sync-a-key-set.md`, which verifies tokens by itself.

use std::process::Command;

use cress_testkit::{TestIssuer, forge, with_changes};
use cress_tests::{Program, base_port, cress, eventually, get, repository};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::load::Load;
use super::{Outputs, follow, now, once};
use crate::key_set_server::KeySetServer;

/// An id that means something to shells, paths, maps and configurations.
const HOSTILE: &str = "../../x),deny{$(id)}#%5B:y";

struct Haproxy {
    program: Program,
    port: u16,
}

impl Haproxy {
    /// With the files that are there.
    fn start(outputs: &Outputs, issuer: &TestIssuer) -> Self {
        let port = base_port();
        let own = documented()
            .replace("bind 127.0.0.1:8080", &format!("bind 127.0.0.1:{port}"))
            .replace("127.0.0.1:9000", &format!("127.0.0.1:{}", port + 1))
            .replace("/etc/haproxy/jwt", &outputs.path("").display().to_string())
            .replace("https://control.example", issuer.issuer().as_str())
            .replace("2c3573b6-88de-4067-821f-1af088bd9c6a", issuer.audience().as_str());
        let upstream = format!(
            "listen upstream\n    option httpclose\n    bind 127.0.0.1:{}\n    http-request return status 200 content-type text/plain \
             lf-string \"workload=%[req.hdr(x-workload-id)] authorization=%[req.hdr(authorization)]\"\n",
            port + 1
        );
        std::fs::write(outputs.path("haproxy.cfg"), own + &upstream).unwrap();
        let mut command = Command::new("haproxy");
        command.arg("-W").arg("-f").arg(outputs.path("haproxy.cfg")).arg("-f").arg(outputs.path("keys.cfg"));
        let haproxy = Self { program: Program::start(command, &outputs.path("haproxy.log")), port };
        eventually("HAProxy to listen", || get(&haproxy.url(), &[]).ok());
        haproxy
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// How many processes have given way to newer ones, and ended.
    fn replaced(&self) -> usize {
        self.program.output().matches("Former worker").count()
    }

    fn stop(mut self) {
        self.program.signal(Signal::SIGTERM);
        self.program.wait();
    }
}

/// The configuration in the guide.
fn documented() -> String {
    between(&guide(), "```haproxy\n", "```")
}

fn guide() -> String {
    std::fs::read_to_string(repository().join("docs/sync-a-key-set.md")).unwrap()
}

fn between(text: &str, before: &str, after: &str) -> String {
    let (_, rest) = text.split_once(before).unwrap();
    rest.split_once(after).unwrap().0.to_owned()
}

fn all(outputs: &Outputs) -> [[String; 2]; 3] {
    [("pem-dir", "keys"), ("haproxy-map", "keys.map"), ("haproxy-config", "keys.cfg")]
        .map(|(kind, name)| outputs.output(kind, name))
}

fn tokens(issuer: &TestIssuer) -> Vec<String> {
    (0..20).map(|_| issuer.token(now())).collect()
}

fn changed(issuer: &TestIssuer, changes: &Value) -> String {
    issuer.sign_claims(with_changes(issuer.claims(now()), changes))
}

/// The forger knows everything but the private key, the names of the files included.
fn bad_tokens(issuer: &TestIssuer, outputs: &Outputs) -> Vec<String> {
    let token = issuer.token(now());
    let file = outputs.path("keys/test-1.pem");
    let mut stranger = TestIssuer::with_issuer(issuer.issuer().as_str());
    let anothers_key = stranger.token(now());
    stranger.add_key("unknown");
    let seconds = now().unix_seconds();
    let mut bad = vec![
        forge::alg_none(&token),
        forge::hs256(&token, "test-1", file.display().to_string().as_bytes()),
        forge::hs256(&token, "test-1", &std::fs::read(&file).unwrap()),
        forge::with_header(&token, r#"{"alg":"ES384","kid":"test-1"}"#),
        forge::with_header(&token, r#"{"alg":"ES256"}"#),
        forge::with_header(&token, &json!({"alg": "ES256", "kid": file.display().to_string()}).to_string()),
        forge::with_signature_bit_turned(&token, 7),
        forge::with_signature(&token, &[0; 64]),
        forge::with_payload(&token, br#"{"sub":"root"}"#),
        anothers_key,
        stranger.token(now()),
        "garbage".to_owned(),
    ];
    let wrong = [
        json!({"exp": seconds - 60}),
        json!({"exp": null}),
        json!({"exp": "never"}),
        json!({"nbf": seconds + 600}),
        json!({"nbf": "yesterday"}),
        json!({"iat": null}),
        json!({"iat": seconds + 600, "exp": seconds + 900}),
        json!({"exp": seconds + 3_700}),
        json!({"iss": "https://issuer.test/"}),
        json!({"iss": null}),
        json!({"aud": "elsewhere"}),
        json!({"aud": null}),
    ];
    bad.extend(wrong.iter().map(|changes| changed(issuer, changes)));
    bad
}

#[test]
fn the_guide_shows_what_config_emit_writes() {
    let command = between(&guide(), "```sh\ncress config emit ", "```").replace('\\', "");
    let words: Vec<&str> = ["config", "emit"].into_iter().chain(command.split_whitespace()).collect();
    let output = cress(&words).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let emitted = String::from_utf8(output.stdout).unwrap();
    let lines = |text: &str| text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    let emitted: Vec<String> = lines(&emitted).into_iter().skip_while(|line| line != "global").collect();
    assert_eq!(lines(&documented()), emitted);
}

#[test]
fn haproxy_accepts_good_tokens_alone() {
    let (mut issuer, outputs) = (TestIssuer::new(), Outputs::new());
    let first = issuer.token(now());
    let bad = {
        std::fs::write(outputs.path("set.json"), issuer.jwks_json()).unwrap();
        issuer.add_key(HOSTILE);
        std::fs::write(outputs.path("set.json"), issuer.jwks_json()).unwrap();
        let (code, _, errors) = once(&outputs.path("set.json").display().to_string(), &all(&outputs), &[]);
        assert_eq!(code, Some(0), "{errors}");
        let signer = TestIssuer::new();
        [bad_tokens(&issuer, &outputs), vec![signer.token(now())]].concat()
    };
    let haproxy = Haproxy::start(&outputs, &issuer);
    let ask = |headers: &[&str]| get(&haproxy.url(), headers).unwrap();
    let bearer = |token: &str| format!("Authorization: Bearer {token}");
    for good in [&first, &issuer.token(now())] {
        let answer = ask(&[&bearer(good), "X-Workload-Id: root"]);
        assert_eq!(answer.status, 200, "{answer:?}");
        let workload = issuer.identity().container_group_id;
        assert_eq!(answer.body, format!("workload={workload} authorization="));
    }
    for bad in bad {
        let answer = ask(&[&bearer(&bad)]);
        assert_eq!(answer.status, 401, "{bad}");
        assert!(answer.header("WWW-Authenticate").is_some_and(|value| value.starts_with("Bearer")), "{answer:?}");
    }
    let twice = [bearer(&first), bearer(&first)];
    for headers in [&[][..], &["Authorization: Basic eDp5"], &[twice[0].as_str(), twice[1].as_str()]] {
        assert_eq!(ask(headers).status, 401, "{headers:?}");
    }
    haproxy.stop();
}

#[test]
fn two_rotations_under_load_refuse_no_good_request_and_pass_no_bad_one() {
    let (mut issuer, outputs) = (TestIssuer::new(), Outputs::new());
    let first = tokens(&issuer);
    issuer.add_key(HOSTILE);
    let server = KeySetServer::start(&issuer.jwks_json());
    assert_eq!(once(&server.url(), &all(&outputs), &[]).0, Some(0));
    let haproxy = Haproxy::start(&outputs, &issuer);
    let reload = format!("kill -USR2 {}", haproxy.program.id());
    let mut sync = follow(&server.url(), &all(&outputs), &["--reload", &reload], &outputs.path("log"));

    let mut bad = bad_tokens(&issuer, &outputs);
    let load = Load::start(haproxy.port, &first, &bad);
    let go_on = || {
        let until = load.answered() + 3_000;
        eventually("three thousand answers", || (load.answered() >= until).then_some(()));
    };
    go_on();

    // The second key has been public since before, as a week is in life.
    let second = tokens(&issuer);
    load.send(&[first.as_slice(), &second].concat(), &bad);
    go_on();
    load.send(&second, &bad);
    issuer.add_key("test-3");
    issuer.drop_key("test-1");
    server.publish(&issuer.jwks_json());
    eventually("the first reload", || (haproxy.replaced() == 1).then_some(()));
    bad.extend(first);

    let third = tokens(&issuer);
    load.send(&[second.as_slice(), &third].concat(), &bad);
    go_on();
    load.send(&third, &bad);
    issuer.drop_key(HOSTILE);
    server.publish(&issuer.jwks_json());
    eventually("the second reload", || (haproxy.replaced() == 2).then_some(()));
    bad.extend(second);
    load.send(&third, &bad);
    go_on();

    let outcome = load.finish();
    println!("{} answers over {} connections", outcome.answered, outcome.connections);
    assert!(outcome.failures.is_empty(), "{} of {outcome:#?}", outcome.failures.len());
    assert!(sync.interrupt().status.success(), "{}", sync.output());
    assert_eq!(outputs.list("keys"), [".cress-jwks-sync", "test-3.pem"]);
    haproxy.stop();
}
