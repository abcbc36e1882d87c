// SPDX-License-Identifier: Apache-2.0
//! The examples, run as programs of their own against a real key set server.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use cress_testkit::{RsaKey, TestIssuer, forge};
use cress_verify::{Clock, SystemClock};
use serde_json::json;

use crate::jwks_server::{Answer, JwksServer};

/// Ends with the test.
struct Example(Child);

impl Example {
    fn start(name: &str, server: &JwksServer, issuer: &TestIssuer, more: &[(&str, &str)]) -> Self {
        let mut command = Command::new(program(name));
        command.env("JWKS_URL", server.url()).env("ISSUER", issuer.issuer().as_str());
        command.env("AUDIENCE", issuer.audience().as_str()).env("LISTEN", "127.0.0.1:0").envs(more.iter().copied());
        Self(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap())
    }

    fn lines(&mut self) -> impl Iterator<Item = String> {
        BufReader::new(self.0.stdout.take().unwrap()).lines().map(Result::unwrap)
    }

    /// Where it says that it listens.
    fn url(&mut self) -> String {
        self.lines().next().unwrap().rsplit(' ').next().unwrap().to_owned()
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Cargo builds examples together with tests, beside them.
fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().unwrap().parent().unwrap().join("examples").join(name)
}

async fn ask(method: http::Method, url: &str, token: Option<&str>) -> (u16, String) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.request(method, url);
    let request = token.iter().fold(request, |request, token| request.bearer_auth(token));
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_plain_example_judges_each_line() {
    let issuer = TestIssuer::new();
    let server = JwksServer::start(Answer::keys(&issuer)).await;
    let mut example = Example::start("plain", &server, &issuer, &[]);
    let good = issuer.token(SystemClock::new().now());
    let mut input = example.0.stdin.take().unwrap();
    write!(input, "{good}\n{}\n\n", forge::alg_none(&good)).unwrap();
    drop(input);
    let lines: Vec<String> = example.lines().collect();
    let machine = issuer.identity().machine_id.to_string();
    assert!(lines[0].starts_with("good until ") && lines[0].ends_with(&machine), "{lines:?}");
    assert!(lines[1].starts_with("algorithm-not-allowed: ") && lines[2].starts_with("token-malformed: "), "{lines:?}");
    assert_eq!(lines.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tower_example_lets_good_tokens_in() {
    let issuer = TestIssuer::new();
    let server = JwksServer::start(Answer::keys(&issuer)).await;
    let mut example = Example::start("tower", &server, &issuer, &[]);
    let url = example.url();
    let good = issuer.token(SystemClock::new().now());
    let get = http::Method::GET;
    assert_eq!(ask(get.clone(), &url, Some(&good)).await, (200, issuer.identity().machine_id.to_string()));
    assert_eq!(ask(get.clone(), &url, Some(&forge::alg_none(&good))).await.0, 401);
    assert_eq!(ask(get, &url, None).await.0, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_axum_example_lets_each_issuers_tokens_in_where_they_may() {
    let (issuer, gitlab) = (TestIssuer::new(), RsaKey::generate("gitlab-1"));
    let server = JwksServer::start(Answer::keys(&issuer)).await;
    let gitlab_server = JwksServer::start(Answer::body(gitlab.jwks().to_json())).await;
    let group = issuer.identity().container_group_id.to_string();
    let settings = [
        ("CONTAINER_GROUP_ID", group.as_str()),
        ("GITLAB_PROJECT_ID", "28"),
        ("GITLAB_JWKS_URL", &gitlab_server.url()),
    ];
    let mut example = Example::start("axum", &server, &issuer, &settings);
    let url = format!("{}/results", example.url());
    let now = SystemClock::new().now();
    let job = |project: &str, protected: &str| {
        let seconds = now.unix_seconds();
        let claims = json!({
            "iss": "https://gitlab.com", "aud": issuer.audience(), "sub": "project_path:group/app", "jti": "1",
            "project_id": project, "namespace_id": "1", "ref_protected": protected, "salad_workload_id": group,
            "iat": seconds, "nbf": seconds - 5, "exp": seconds + 3_600,
        });
        gitlab.sign(claims.as_object().unwrap(), &[("typ", "JWT")])
    };
    let (worker, deployer) = (issuer.token(now), job("28", "true"));
    let other = TestIssuer::with_issuer("https://other.test").token(now);
    let (get, delete) = (http::Method::GET, http::Method::DELETE);
    for (method, token, status) in [
        (&get, Some(&worker), 200),
        (&delete, Some(&worker), 403),
        (&delete, Some(&deployer), 200),
        (&delete, Some(&job("29", "true")), 403),
        (&delete, Some(&job("28", "false")), 403),
        (&get, Some(&other), 401),
        (&get, None, 401),
    ] {
        let (got, body) = ask(method.clone(), &url, token.map(String::as_str)).await;
        assert_eq!(got, status, "{method} {body}");
    }
}
