// SPDX-License-Identifier: Apache-2.0
//! An emergency under load: the signing key is revoked while instances fetch tokens and verifiers of three kinds check them. Nothing good is
//! refused, and what the revoked key signed is refused by whoever has fetched the key set anew.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use cress_tests::{Program, Replica, base_port, eventually, get, node_modules, program, python_a6, repository, send};
use serde_json::json;

const LOOKS: usize = 40;

/// A verifier that follows the key set.
enum Follower {
    Lines { name: &'static str, child: Child, input: ChildStdin, answers: BufReader<ChildStdout> },
    Service { _program: Program, results: String },
}

impl Follower {
    fn lines(name: &'static str, mut command: Command, arguments: &[&str]) -> Self {
        let mut child = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, answers) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self::Lines { name, child, input, answers }
    }

    /// The example service, which verifies with `cress-verify`.
    fn service(control: &Replica, issuer: &str, audience: &str, group: &str) -> Self {
        let port = base_port();
        let mut command = Command::new(program("cress-example-service"));
        command.env("JWKS_URL", control.jwks_url()).env("ISSUER", issuer).env("AUDIENCE", audience);
        command.env("CONTAINER_GROUP_ID", group).env("PORT", port.to_string());
        let program = Program::start(command, &control.directory().join("service.log"));
        let url = format!("http://127.0.0.1:{port}");
        eventually("the service", || get(&format!("{url}/healthz"), &[]).ok());
        Self::Service { _program: program, results: format!("{url}/results") }
    }

    fn name(&self) -> &str {
        match self {
            Self::Lines { name, .. } => name,
            Self::Service { .. } => "cress-verify",
        }
    }

    /// Whether it takes the token; else why not.
    fn check(&mut self, token: &str) -> Result<(), String> {
        match self {
            Self::Lines { input, answers, .. } => {
                writeln!(input, "{token}").unwrap();
                let mut answer = String::new();
                answers.read_line(&mut answer).unwrap();
                if answer.trim() == "ok" { Ok(()) } else { Err(answer) }
            }
            Self::Service { results, .. } => {
                let bearer = format!("Authorization: Bearer {token}");
                let answer = send("POST", results, &["Content-Type: application/json", &bearer], "{}").unwrap();
                if answer.status == 401 { Err(answer.body) } else { Ok(()) }
            }
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        if let Self::Lines { child, .. } = self {
            let _gone = child.kill();
            let _gone = child.wait();
        }
    }
}

#[test]
fn an_emergency_under_load_refuses_nothing_good_and_ends_what_the_key_signed() {
    let directory = tempfile::tempdir().unwrap();
    let mut control = Replica::new(directory.path(), base_port());
    control.set("CRESS_CONTROL_SCHEDULE__JWKS_CACHE_SECONDS", "1");
    control.start();
    let node = directory.path().join("node");
    std::fs::create_dir(&node).unwrap();
    let invitation = control.admin(&["nodes", "invite"]);
    std::fs::write(node.join("join-token"), invitation["join_token"].as_str().unwrap()).unwrap();
    let imds = base_port();
    let _node = control.start_node_at(&node, imds, &[]);
    let group = control.create_group("worker", &json!({"replicas": 1, "command": ["sleep", "600"]})).unwrap();
    let token_url = format!("http://127.0.0.1:{imds}/v1/token");
    let token = || {
        let answer = get(&token_url, &["Metadata: true"]).ok().filter(|answer| answer.status == 200)?;
        answer.json()["jwt"].as_str().map(str::to_owned)
    };
    let stolen = eventually("a token", token);

    let (issuer, jwks) = (control.url(), control.jwks_url());
    let audience = control.list("organizations").unwrap()[0]["id"].as_str().unwrap().to_owned();
    let scripts = repository().join("tests/end_to_end/clients");
    let mut python = Command::new(python_a6());
    python.arg(scripts.join("follow.py"));
    let mut node_js = Command::new("node");
    node_js.arg(scripts.join("follow.mjs")).arg(node_modules());
    let arguments = [jwks.as_str(), issuer.as_str(), audience.as_str()];
    let mut followers = [
        Follower::lines("PyJWT", python, &arguments),
        Follower::lines("jose", node_js, &arguments),
        Follower::service(&control, &issuer, &audience, group["id"].as_str().unwrap()),
    ];

    // Before, during and after: every token that the instance is given is taken by every verifier, but for the revoked key's.
    let active = control.published()[0].clone();
    for look in 0..LOOKS {
        if look == LOOKS / 2 {
            control.admin(&["keys", "revoke", &active]);
        }
        let Some(given) = token() else { panic!("an instance is left without a token") };
        for follower in &mut followers {
            let checked = follower.check(&given);
            let revoked = look >= LOOKS / 2 && given == stolen;
            assert!(checked.is_ok() || revoked, "{} refuses a good token: {checked:?}", follower.name());
        }
    }
    eventually("the instance to be given another key's token", || token().filter(|given| *given != stolen));
    for follower in &mut followers {
        let name = follower.name().to_owned();
        eventually(&format!("{name} to refuse the revoked key's token"), || follower.check(&stolen).err());
        assert!(follower.check(&stolen).is_err(), "{name}");
        let given = token().unwrap();
        assert!(given != stolen && follower.check(&given).is_ok(), "{name}");
    }
    assert!(!control.published().contains(&active));
}
