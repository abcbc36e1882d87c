// SPDX-License-Identifier: Apache-2.0
//! `cress broker` and `cress leases`, as a user runs them, with tokens of real instances.

use std::path::{Path, PathBuf};
use std::process::Command;

use cress_tests::{Answer, Program, Stack, Up, base_port, cress, eventually, get, send};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

const AUDIENCE: &str = "https://broker.example";

/// A `cress broker` beside a `cress up`.
struct Broker {
    file: PathBuf,
    url: String,
    program: Program,
}

/// A configuration that gives an access token to the example's container group.
fn config(up: &Up, stack: &Stack, port: u16) -> String {
    let directory = up.directory();
    let policy = "@id(\"hello\") permit (principal, action == Cress::Action::\"issue\", resource) when { principal has group_name && \
                  principal.group_name == \"hello\" && principal has organization_id && principal.organization_id != \"\" };";
    std::fs::write(directory.join("hello.cedar"), policy).unwrap();
    format!(
        "data_dir = \"{data}\"\naudience = \"{AUDIENCE}\"\nlisten = \"127.0.0.1:{port}\"\nmetrics.listen = \"127.0.0.1:{metrics}\"\n\
         [issuers.fleet]\npreset = \"cress\"\nissuer = \"{issuer}\"\n[providers.tokens]\ntype = \"jwt\"\n\
         [credentials.reports]\nprovider = \"tokens\"\naudience = \"https://reports.example\"\nttl_seconds_max = 600\n\
         [policies]\nfiles = [\"{policies}\"]\n",
        data = directory.join("broker").display(),
        metrics = port + 1,
        issuer = stack.endpoints.control,
        policies = directory.join("hello.cedar").display(),
    )
}

fn start(up: &Up, stack: &Stack) -> Broker {
    let port = base_port();
    let file = up.directory().join("broker.toml");
    std::fs::write(&file, config(up, stack, port)).unwrap();
    let program = run(up, &file);
    let url = format!("http://127.0.0.1:{port}");
    eventually("the broker to be ready", || {
        get(&format!("{url}/readyz"), &[]).ok().filter(|answer| answer.status == 200)
    });
    Broker { file, url, program }
}

fn run(up: &Up, file: &Path) -> Program {
    Program::start(cress(&["broker", "--config", &text(file)]), &up.directory().join("broker.log"))
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// The token of an instance for this audience.
fn token(imds: &str, query: &str) -> String {
    let answer = get(&format!("{imds}/v1/token{query}"), &["Metadata: true"]).unwrap();
    answer.json()["jwt"].as_str().unwrap().to_owned()
}

fn for_broker(imds: &str) -> String {
    token(imds, "?audience=https%3A%2F%2Fbroker.example")
}

impl Broker {
    fn ask(&self, method: &str, path: &str, token: &str, body: &str) -> Answer {
        let bearer = format!("Authorization: Bearer {token}");
        send(method, &format!("{}{path}", self.url), &[&bearer, "Content-Type: application/json"], body).unwrap()
    }

    fn issue(&self, token: &str) -> Answer {
        self.ask("POST", "/v1/credentials/reports", token, "")
    }
}

fn printed(arguments: &[&str]) -> (Option<i32>, String) {
    let output = cress(arguments).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (output.status.code(), printed)
}

#[test]
fn up_gives_its_examples_a_credential_over_tls() {
    let up = Up::new();
    let stack = up.start(&["--instances", "1"]);
    let endpoints = &stack.endpoints;
    assert_eq!(endpoints.broker, format!("https://127.0.0.1:{}", up.base_port() + 2));
    let url = format!("{}/v1/credentials/{}", endpoints.broker, endpoints.example_credential);
    let curl = |token: &str, arguments: &[&str]| {
        let mut command = Command::new("curl");
        command.args(["--silent", "--show-error", "--noproxy", "*", "--cacert", &endpoints.broker_ca]);
        command.args(["--header", &format!("Authorization: Bearer {token}")]).args(arguments);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let good = for_broker(stack.imds(0));
    let issued = curl(&good, &["--request", "POST", &url]);
    let access_token = issued["credential"]["access_token"].as_str().unwrap();
    let parts = printed_json(&["token", "inspect", "--json"], access_token);
    let part =
        |name: &str| parts.as_array().unwrap().iter().find(|part| part["name"] == name).unwrap()["value"].clone();
    assert_eq!((part("iss"), part("typ")), (json!(endpoints.broker), json!("at+jwt")));
    let keys = curl(&good, &[&format!("{}/.well-known/jwks.json", endpoints.broker)]);
    let kid = part("kid");
    assert!(keys["keys"].as_array().unwrap().iter().any(|key| key["kid"] == kid), "{kid} in {keys}");
    // What the broker signs is for others.
    assert_eq!(curl(access_token, &["--request", "POST", &url])["code"], "issuer-mismatch");
    // A token for the organization can be replayed by each of its services.
    assert_eq!(curl(&token(stack.imds(0), ""), &["--request", "POST", &url])["code"], "audience-mismatch");
    assert!(get(&endpoints.broker_metrics, &[]).unwrap().body.contains("broker_issues_total"));
    assert!(stack.stop().status.success());
}

/// What a command prints as JSON that reads a token from standard input.
fn printed_json(arguments: &[&str], input: &str) -> Value {
    use std::io::Write;
    let mut child =
        cress(arguments).stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    serde_json::from_slice(&child.wait_with_output().unwrap().stdout).unwrap()
}

#[test]
fn it_follows_its_file_goes_on_after_a_kill_and_logs_no_secret() {
    let up = Up::new();
    let stack = up.start(&["--instances", "1"]);
    let mut broker = start(&up, &stack);
    let token = for_broker(stack.imds(0));
    let issued = broker.issue(&token);
    assert_eq!(issued.status, 201, "{issued:?}");
    let key = "Idempotency-Key: one";
    let bearer = format!("Authorization: Bearer {token}");
    let url = format!("{}/v1/credentials/reports", broker.url);
    let first = send("POST", &url, &[&bearer, key], "").unwrap();
    assert_eq!(first.json(), send("POST", &url, &[&bearer, key], "").unwrap().json());

    let written = std::fs::read_to_string(&broker.file).unwrap();
    std::fs::write(&broker.file, written.replace("credentials.reports", "credentials.others")).unwrap();
    broker.program.signal(Signal::SIGHUP);
    eventually("the new credential", || {
        (broker.ask("POST", "/v1/credentials/others", &token, "").status == 201).then_some(())
    });
    assert_eq!(broker.issue(&token).json()["code"], "credential-not-permitted");
    std::fs::write(&broker.file, written.replace("ttl_seconds_max = 600", "ttl_seconds_max = 0")).unwrap();
    eventually("the refusal", || broker.program.output().contains("is not taken").then_some(()));
    std::fs::write(&broker.file, &written).unwrap();
    eventually("the old credential", || (broker.issue(&token).status == 201).then_some(()));

    broker.program.kill();
    broker.program = run(&up, &broker.file);
    let again = eventually("the answer of before the kill", || {
        send("POST", &url, &[&bearer, key], "").ok().filter(|answer| answer.status == 201)
    });
    assert_eq!(again.json(), first.json(), "an answer outlives its process");

    let finished = broker.program.interrupt();
    assert!(finished.status.success(), "{finished:?}");
    let access_token = issued.json()["credential"]["access_token"].as_str().unwrap().to_owned();
    for secret in [&token, &access_token] {
        let signature = secret.rsplit('.').next().unwrap();
        assert!(!finished.output.contains(signature), "a token is logged");
    }
}

#[test]
fn its_operator_sees_and_ends_leases() {
    let up = Up::new();
    let stack = up.start(&["--instances", "2"]);
    let broker = start(&up, &stack);
    let leases: Vec<String> = (0..2)
        .map(|index| {
            let issued = broker.issue(&for_broker(stack.imds(index))).json();
            issued["lease_id"].as_str().unwrap().to_owned()
        })
        .collect();
    let data_dir = text(&up.directory().join("broker"));
    let operator = |arguments: &[&str]| {
        let all = [&["leases", "--data-dir", &data_dir, "--json"], arguments].concat();
        let (code, printed) = printed(&all);
        assert_eq!(code, Some(0), "{printed}");
        serde_json::from_str::<Value>(&printed).unwrap()
    };
    assert_eq!(operator(&["list"]).as_array().unwrap().len(), 2);
    let instance = stack.endpoints.instances[0].instance_id.to_string();
    let listed = operator(&["list", "--instance", &instance]);
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["lease_id"]), (1, &json!(leases[0])), "{listed}");
    assert_eq!(operator(&["show", &leases[1]])["status"], "active");
    assert_eq!(operator(&["revoke", "--instance", &instance]), json!({"leases": 1}));
    assert_eq!(operator(&["stuck"]), json!([]));
    let (code, output) = printed(&["leases", "revoke", "--data-dir", &data_dir]);
    assert!(code == Some(2) && output.contains("--instance"), "{output}");

    // The other instance's lease is not there for this one.
    let path = format!("/v1/leases/{}", leases[1]);
    let answer = broker.ask("DELETE", &path, &for_broker(stack.imds(0)), "");
    assert_eq!(answer.json()["code"], "lease-not-found");
    assert_eq!(broker.ask("DELETE", &path, &for_broker(stack.imds(1)), "").status, 204);
}

#[test]
fn mistakes_in_its_file_are_found_before_it_starts() {
    let up = Up::new();
    let stack = up.start(&["--instances", "0"]);
    let file = up.directory().join("broker.toml");
    let good = config(&up, &stack, base_port());
    let check = |from: &str, to: &str, arguments: &[&str]| {
        assert!(good.contains(from), "{from}");
        std::fs::write(&file, good.replace(from, to)).unwrap();
        printed(&[&["config", "check", "broker", "--config", &text(&file)], arguments].concat())
    };
    let (code, output) = check("", "", &["--connect"]);
    assert!(code == Some(0) && output.contains("good  providers.tokens: made by the broker itself"), "{output}");
    let (code, output) = check("hello.cedar", "hello.cedar", &[]);
    assert_eq!(code, Some(0), "{output}");
    for (from, to, words) in [
        ("type = \"jwt\"", "type = \"jwtt\"", "providers.tokens.type: expected a kind of provider, got \"jwtt\""),
        ("audience = \"https://reports.example\"", "audiense = \"x\"", "credentials.reports: "),
        ("provider = \"tokens\"", "provider = \"token\"", "credentials.reports.provider: expected the name of one of"),
        ("[policies]", "[polices]", "polices"),
        ("hello.cedar", "absent.cedar", "absent.cedar: cannot read it"),
        ("data_dir", "data_dri", "data_dri"),
    ] {
        let (code, output) = check(from, to, &[]);
        assert!(code == Some(1) && output.contains(words), "{from}: {output}");
        let (code, output) = printed(&["broker", "--config", &text(&file)]);
        assert!(code == Some(1) && output.contains(words), "{from}: {output}");
    }
    let (code, output) = printed(&["config", "check", "control", "--connect"]);
    assert!(code == Some(1) && output.contains("with the broker only"), "{output}");
}
