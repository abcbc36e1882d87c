// SPDX-License-Identifier: Apache-2.0
//! What is around a broker: records that can be verified, policies that can be explained, and no trace of its memory.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use cress_tests::{Faults, Stack, Up, cress, eventually, get, program, send};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn run(arguments: &[&str], file: &Path) -> Output {
    cress(arguments).env("CRESS_BROKER_CONFIG", file).output().unwrap()
}

/// A broker that gives out nothing, in the directory and at the ports of what is not started.
struct Bare {
    config: PathBuf,
    url: String,
    process: Child,
}

impl Bare {
    fn start(up: &Up) -> Self {
        let directory = up.directory();
        std::fs::write(directory.join("jwks.json"), r#"{"keys":[]}"#).unwrap();
        std::fs::write(directory.join("p.cedar"), "forbid (principal, action, resource);").unwrap();
        let port = up.base_port();
        let config = directory.join("broker.toml");
        let settings = format!(
            "data_dir = {data:?}\naudience = \"https://broker.example\"\nlisten = \"127.0.0.1:{port}\"\nmetrics.listen = \"127.0.0.1:{metrics}\"\n\
             [issuers.one]\nissuer = \"https://issuer.example\"\njwks_file = {jwks:?}\n[policies]\nfiles = [{policies:?}]\n\
             [audit]\nsinks = [\"store\", \"file:{log}\"]\n",
            data = directory.join("data"),
            metrics = port + 1,
            jwks = directory.join("jwks.json"),
            policies = directory.join("p.cedar"),
            log = directory.join("audit.log").display(),
        );
        std::fs::write(&config, settings).unwrap();
        let mut shell = Command::new("sh");
        // In its own directory, where a core dump would be, if the kernel puts it there.
        shell.args(["-c", "ulimit -c unlimited && exec \"$0\" broker --log error --config \"$1\""]);
        shell.arg(program("cress")).arg(&config).current_dir(directory).stdin(Stdio::null());
        shell.env(Faults::VARIABLE, Faults::in_directory(&directory.join("faults")).directory());
        let process = shell.spawn().unwrap();
        let url = format!("http://127.0.0.1:{port}");
        eventually("the broker", || get(&format!("{url}/healthz"), &[]).ok());
        Self { config, url, process }
    }

    fn signal(&mut self, signal: Signal) -> std::process::ExitStatus {
        kill(Pid::from_raw(self.process.id().try_into().unwrap()), signal).unwrap();
        self.process.wait().unwrap()
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _gone = self.process.wait();
    }
}

/// It would hold what the broker has in memory.
#[test]
fn a_broker_that_is_aborted_leaves_no_core_dump() {
    let up = Up::new();
    let status = Bare::start(&up).signal(Signal::SIGABRT);
    assert_eq!((status.signal(), status.core_dumped()), (Some(6), false));
}

#[test]
fn records_outlive_a_kill_are_verified_and_hold_no_token() {
    let up = Up::new();
    let [log, keys, token] = ["audit.log", "keys.json", "token"].map(|name| up.directory().join(name));
    let shown = |path: &PathBuf| path.display().to_string();
    let mut broker = Bare::start(&up);
    let refused =
        send("POST", &format!("{}/v1/credentials/any", broker.url), &["Authorization: Bearer a.bad.token"], "");
    assert_eq!(refused.unwrap().status, 401);
    eventually("the record", || std::fs::read_to_string(&log).unwrap().contains("token.check").then_some(()));
    broker.signal(Signal::SIGKILL);
    let mut broker = Bare::start(&up);

    let output = run(&["audit", "keys"], &broker.config);
    assert!(output.status.success(), "{}", text(&output.stderr));
    std::fs::write(&keys, &output.stdout).unwrap();
    for place in [vec!["--store"], vec!["--file", &shown(&log)]] {
        let arguments = [vec!["audit", "verify", "--json"], place].concat();
        let output = run(&[arguments.clone(), vec!["--key", &shown(&keys)]].concat(), &broker.config);
        let report: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
        assert_eq!((output.status.code(), &report["intact"]), (Some(0), &json!(true)), "{report}");
        // The next start vouches for what was killed.
        assert_eq!((&report["chains"][0]["ended"], &report["chains"][0]["unanchored"]), (&json!(false), &json!(0)));
        assert_eq!(run(&arguments, &broker.config).status.code(), Some(3), "nobody vouches for it without a key");
    }
    assert!(broker.signal(Signal::SIGTERM).success());

    // The token is found by its hash alone.
    std::fs::write(&token, "a.bad.token").unwrap();
    let hash = text(&run(&["audit", "hash", "--kind", "token", &shown(&token)], &broker.config).stdout);
    let records = std::fs::read_to_string(&log).unwrap();
    assert!(records.contains(hash.trim()) && !records.contains("a.bad.token"), "{hash} {records}");

    std::fs::write(&log, records.replace("token-malformed", "token-misformed")).unwrap();
    let output = run(&["audit", "verify", "--file", &shown(&log), "--key", &shown(&keys)], &broker.config);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("WRONG: "), "{}", text(&output.stdout));

    let kid = text(&run(&["audit", "rotate-key"], &broker.config).stdout);
    let known = text(&run(&["audit", "keys"], &broker.config).stdout);
    assert!(known.contains(kid.split(' ').next().unwrap()), "{kid} {known}");
}

/// Into one sink or both, a batch or a part of one: what is left is whole, and the next start goes on from it.
#[test]
fn records_are_whole_wherever_the_process_is_killed() {
    const POINTS: usize = 7;
    let up = Up::new();
    let faults = Faults::in_directory(&up.directory().join("faults"));
    let mut passed = Vec::new();
    for point in 1..=POINTS {
        let mut broker = Bare::start(&up);
        faults.kill_at(point);
        let status = eventually("the end", || {
            // It may be gone before it answers.
            let _lost =
                send("POST", &format!("{}/v1/credentials/any", broker.url), &["Authorization: Bearer a.bad.token"], "");
            broker.process.try_wait().unwrap()
        });
        assert_eq!(status.signal(), Some(9), "at point {point}");
        passed.extend(faults.passed());
    }
    // What comes first, the store or the file, is not the same each time.
    assert!(passed.iter().any(|point| point.ends_with("audit records are written")), "{passed:?}");
    let broker = Bare::start(&up);
    let keys = up.directory().join("keys.json");
    std::fs::write(&keys, run(&["audit", "keys"], &broker.config).stdout).unwrap();
    let (log, keys) = (up.directory().join("audit.log").display().to_string(), keys.display().to_string());
    for place in [vec!["--store"], vec!["--file", &log]] {
        let arguments = [vec!["audit", "verify", "--json", "--key", &keys], place].concat();
        let output = run(&arguments, &broker.config);
        let report: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
        assert_eq!((output.status.code(), &report["intact"]), (Some(0), &json!(true)), "{report}");
        assert_eq!(report["chains"].as_array().unwrap().len(), POINTS + 1);
    }
}

#[test]
fn what_the_broker_will_not_do_has_another_code_than_what_it_cannot_do_now() {
    let up = Up::new();
    let broker = Bare::start(&up);
    let token = up.directory().join("token");
    std::fs::write(&token, "a.bad.token").unwrap();
    let token = token.display().to_string();
    let all = |url: &'static str| vec!["any", "--token", token.as_str(), "--wait", "0", "--broker", url];
    let own = vec!["any", "--token", token.as_str(), "--broker", broker.url.as_str()];
    for (arguments, code, expected) in [
        (own.clone(), 1, "token"),
        ([own.clone(), vec!["-o", "env", "-o", "json"]].concat(), 1, "expected one of"),
        ([own, vec!["-o", "yaml"]].concat(), 2, "NAME=FILE"),
        (all("http://10.0.0.1"), 1, "in the clear"),
        (all("http://127.0.0.1:1"), 3, "cannot reach the broker"),
        (
            vec!["any", "--broker", "http://127.0.0.1:1", "--imds", "http://127.0.0.1:1"],
            3,
            "cannot reach the metadata service",
        ),
    ] {
        let output = cress(&[vec!["credential", "get"], arguments.clone()].concat()).output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(expected) && !said.contains("a.bad.token"), "{arguments:?}: {said}");
        assert!(output.stdout.is_empty());
    }
}

/// Settings of a broker that accepts the organization's tokens, with a policy for one group.
fn settings(up: &Up, stack: &Stack, group: &str) -> PathBuf {
    let policies = up.directory().join("policies.cedar");
    let permit = format!(
        "@id(\"one-group\") permit (principal, action == Cress::Action::\"issue\", resource == Cress::Credential::\"example\")\n\
         when {{ principal has group_id && principal.group_id == \"{group}\" && context.ttl_seconds <= 600 }};"
    );
    std::fs::write(&policies, permit).unwrap();
    let file = up.directory().join("broker.toml");
    let config = format!(
        "data_dir = {data:?}\naudience = {audience:?}\n[issuers.control]\npreset = \"cress\"\nissuer = {issuer:?}\njwks_url = {jwks:?}\naccept_organization_audience = true\n\
         [providers.tokens]\ntype = \"jwt\"\n[credentials.example]\nprovider = \"tokens\"\naudience = \"https://reports.example\"\n\
         ttl_seconds_default = 300\n[policies]\nfiles = [{policies:?}]\n",
        data = up.directory().join("broker"),
        audience = "https://broker.example",
        issuer = stack.endpoints.control,
        jwks = stack.endpoints.jwks,
    );
    std::fs::write(&file, config).unwrap();
    file
}

#[test]
fn policies_are_explained_tried_and_asked_who_can() {
    let up = Up::new();
    let stack = up.start(&["--instances", "1"]);
    let list = ["groups", "list", "--organization", "example", "--project", "default"];
    let groups = cress(&["admin", "--json", "--socket", &stack.endpoints.admin_socket]).args(list).output().unwrap();
    let groups: Value = serde_json::from_slice(&groups.stdout).unwrap();
    let group = groups[0]["id"].as_str().unwrap();
    let file = settings(&up, &stack, group);
    let path = file.to_str().unwrap();

    let token = cress(&["token", "get", "--imds", stack.imds(0)]).output().unwrap();
    let token_file = up.directory().join("token");
    std::fs::write(&token_file, &token.stdout).unwrap();
    let explain = |more: &[&str]| {
        let arguments = ["policy", "explain", "--json", "--broker", path, "--credential", "example", "--token"];
        let output = cress(&arguments).arg(&token_file).args(more).output().unwrap();
        let answer: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
        (output.status.code(), answer["reason"].as_str().unwrap().to_owned(), answer["policies"].clone())
    };
    assert_eq!(explain(&[]), (Some(0), "permitted".to_owned(), json!(["one-group"])));
    assert_eq!(explain(&["--ttl", "601"]), (Some(1), "policy-permits-not".to_owned(), json!([])));
    assert_eq!(explain(&["--parameter", "a=b"]).1, "parameter-refused");

    let claims = json!({"iss": stack.endpoints.control, "aud": "https://broker.example", "exp": 1_999_999_999, "salad_workload_id": group});
    let cases = json!([
        {"name": "the group", "claims": claims, "issue": {"credential": "example"}, "expect": {"outcome": "permitted", "policies": ["one-group"]}},
        {"name": "wrongly expected", "claims": claims, "issue": {"credential": "example", "ttl_seconds": 900}, "expect": {"outcome": "permitted"}},
    ]);
    let corpus = up.directory().join("cases.json");
    std::fs::write(&corpus, cases.to_string()).unwrap();
    let output = cress(&["policy", "test", "--broker", path]).arg(&corpus).output().unwrap();
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("\"wrongly expected\"") && said.contains("1 of 2 cases"), "{said}");

    let samples = up.directory().join("identities.json");
    std::fs::write(&samples, json!([{"name": "a stranger", "claims": {"iss": "https://other.example"}}]).to_string())
        .unwrap();
    let arguments =
        ["policy", "who-can", "example", "--broker", path, "--socket", &stack.endpoints.admin_socket, "--identities"];
    let output = cress(&arguments).arg(&samples).output().unwrap();
    let (said, note) = (text(&output.stdout), text(&output.stderr));
    assert!(
        output.status.success() && said.contains(": by one-group\n") && said.contains("1 of 2 can"),
        "{said} {note}"
    );
    assert!(note.contains("1 container groups that control knows and 1 identities of a file"), "{note}");
}

/// `cress credential get` as an instance of this stack would run it.
fn credential_get(stack: &Stack, arguments: &[&str]) -> Output {
    let endpoints = &stack.endpoints;
    let mut command = cress(&["credential", "get"]);
    command.args(arguments).env("CRESS_IMDS_URL", stack.imds(0)).env("CRESS_CREDENTIAL_BROKER", &endpoints.broker);
    command.env("CRESS_CREDENTIAL_CA", &endpoints.broker_ca);
    command.env("CRESS_CREDENTIAL_AUDIENCE", &endpoints.broker_audience).output().unwrap()
}

#[test]
fn an_instance_has_a_credential_in_every_form() {
    let up = Up::new();
    let stack = up.start(&["--instances", "1"]);
    let name = stack.endpoints.example_credential.as_str();
    let output = credential_get(&stack, &[name]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["credential"]["access_token"].as_str().unwrap().split('.').count(), 3);

    let output = credential_get(&stack, &[name, "-o", "env"]);
    let script = format!("{}\nprintf %s \"$EXAMPLE_ACCESS_TOKEN\"", text(&output.stdout));
    let had = Command::new("sh").args(["-c", &script]).output().unwrap();
    assert_eq!(text(&had.stdout).split('.').count(), 3);

    let file = up.directory().join("access-token");
    let output = credential_get(&stack, &[name, "-o", &format!("access_token={}", file.display()), "--ttl", "60"]);
    assert!(output.status.success() && output.stdout.is_empty(), "{}", text(&output.stderr));
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    for arguments in [
        vec!["another"],
        vec![name, "--ttl", "100000000"],
        vec![name, "--parameter", "a=b"],
        vec![name, "--audience", "https://other.example"],
        vec![name, "-o", "password=/nowhere/password"],
    ] {
        let output = credential_get(&stack, &arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", text(&output.stderr));
        assert!(output.stdout.is_empty());
    }
}
