// SPDX-License-Identifier: Apache-2.0
//! `cress authz` and `cress policy`, as a user runs them, with tokens of real instances.

use std::path::{Path, PathBuf};

use cress_tests::{Program, Stack, Up, base_port, cress, eventually, get, get_token};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

/// A `cress authz` beside a `cress up`.
struct Authz {
    file: PathBuf,
    url: String,
    program: Program,
}

/// The configuration with these rules, in TOML.
fn config(stack: &Stack, port: u16, rules: &str) -> String {
    format!(
        "listen = \"127.0.0.1:{port}\"\naccess_log = \"all\"\n[metrics]\nlisten = \"127.0.0.1:{metrics}\"\n\
         [[issuers]]\nname = \"control\"\npreset = \"cress\"\nissuer = \"{issuer}\"\nany_audience = true\n{rules}",
        metrics = port + 1,
        issuer = stack.endpoints.control,
    )
}

fn start(up: &Up, stack: &Stack, rules: &str) -> Authz {
    let port = base_port();
    let file = up.directory().join("authz.toml");
    std::fs::write(&file, config(stack, port, rules)).unwrap();
    let program = Program::start(cress(&["authz", "--config", &text(&file)]), &up.directory().join("authz.log"));
    let url = format!("http://127.0.0.1:{port}");
    eventually("authz to be ready", || get(&format!("{url}/readyz"), &[]).ok().filter(|answer| answer.status == 200));
    Authz { file, url, program }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn status(url: &str, path: &str, token: &str) -> u16 {
    let (uri, bearer) = (format!("X-Original-URI: {path}"), format!("Authorization: Bearer {token}"));
    get(&format!("{url}/verify"), &[&uri, &bearer]).unwrap().status
}

#[test]
fn up_lets_the_examples_tokens_pass() {
    let up = Up::new();
    let stack = up.start(&["--instances", "1"]);
    assert_eq!(stack.endpoints.authz, format!("http://127.0.0.1:{}", up.base_port() + 3));
    let verify = format!("{}/verify", stack.endpoints.authz);
    let token = get_token(stack.imds(0));
    let answer = get(&verify, &[&format!("Authorization: Bearer {token}")]).unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, ""), "{answer:?}");
    let instance = stack.endpoints.instances[0].instance_id.to_string();
    assert_eq!(answer.header("x-cress-instance"), Some(instance.as_str()));
    let refused = get(&verify, &[]).unwrap();
    assert_eq!((refused.status, refused.header("www-authenticate")), (401, Some("Bearer realm=\"workloads\"")));
    assert!(get(&stack.endpoints.authz_metrics, &[]).unwrap().body.contains("authz_decisions_total"));
    let output = stack.stop().output;
    assert!(output.contains("/verify"), "{output}");
}

#[test]
fn rules_change_while_it_runs_and_no_token_is_logged() {
    let up = Up::new();
    let stack = up.start(&["--instances", "1"]);
    let token = get_token(stack.imds(0));
    let mut authz = start(
        &up,
        &stack,
        "[[rules]]\nname = \"hello\"\npath = \"/hello\"\nclaims = [\"salad_workload_name=hello\"]\n",
    );
    assert_eq!((status(&authz.url, "/hello/x", &token), status(&authz.url, "/other", &token)), (200, 403));

    let written = std::fs::read_to_string(&authz.file).unwrap();
    std::fs::write(&authz.file, written.replace("/hello", "/other")).unwrap();
    authz.program.signal(Signal::SIGHUP);
    eventually("the new rules", || (status(&authz.url, "/other", &token) == 200).then_some(()));
    assert_eq!(status(&authz.url, "/hello", &token), 403);

    std::fs::write(&authz.file, "listen = 5").unwrap();
    eventually("the refusal", || authz.program.output().contains("is not taken").then_some(()));
    assert_eq!(status(&authz.url, "/other", &token), 200);

    let finished = authz.program.interrupt();
    assert!(finished.status.success(), "{finished:?}");
    assert!(finished.output.contains("permitted") && finished.output.contains("no-rule"), "{}", finished.output);
    let signature = token.rsplit('.').next().unwrap();
    assert!(!finished.output.contains(signature), "a token is logged");
}

#[test]
fn policies_are_checked_explained_and_tested() {
    let up = Up::new();
    let stack = up.start(&["--instances", "1"]);
    let directory = up.directory();
    let policies = directory.join("reports.cedar");
    let permit = |condition: &str| {
        let action = "action == Cress::Action::\"access\"";
        std::fs::write(
            &policies,
            format!("@id(\"reports\") permit (principal, {action}, resource) when {{ {condition} }};"),
        )
        .unwrap();
    };
    permit("principal has group_name && principal.group_name == \"hello\" && context.path like \"/reports/*\"");
    let file = directory.join("authz.toml");
    let rules = format!("[[rules]]\nname = \"reports\"\npolicy_file = \"{}\"\n", policies.display());
    std::fs::write(&file, config(&stack, base_port(), &rules)).unwrap();
    let run = |arguments: &[&str]| {
        let output = cress(arguments).output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        (output.status.code(), printed)
    };
    let file = text(&file);

    let (code, output) = run(&["policy", "check", "--config", &file]);
    assert!(code == Some(0) && output.contains("a name that tenants choose, alone"), "{output}");
    assert_eq!(run(&["policy", "check", "--strict", "--config", &file]).0, Some(1));

    let token = directory.join("token");
    std::fs::write(&token, get_token(stack.imds(0))).unwrap();
    let explain = |path: &str| {
        let request = ["--method", "GET", "--host", "api.example", "--path", path, "--token", &text(&token), "--json"]
            .map(str::to_owned);
        let mut arguments = vec!["policy", "explain", "--config", &file];
        arguments.extend(request.iter().map(String::as_str));
        let (code, output) = run(&arguments);
        (code, serde_json::from_str::<Value>(&output).unwrap())
    };
    let (code, explained) = explain("/reports/7");
    assert_eq!((code, &explained["policies"]), (Some(0), &json!(["reports"])), "{explained}");
    let (code, explained) = explain("/other");
    assert_eq!((code, &explained["reason"]), (Some(1), &json!("policy-permits-not")), "{explained}");

    let claims = json!({"iss": stack.endpoints.control, "exp": 1_999_999_999, "salad_workload_name": "hello"});
    let case = |path: &str, outcome: &str| {
        let request = json!({"method": "GET", "host": "api.example", "path": path});
        json!({"name": path, "claims": claims, "request": request, "expect": {"outcome": outcome}})
    };
    let cases = directory.join("cases.json");
    std::fs::write(&cases, json!([case("/reports/7", "permitted"), case("/other", "refused")]).to_string()).unwrap();
    let (code, output) = run(&["policy", "test", "--config", &file, &text(&cases)]);
    assert!(code == Some(0) && output.contains("2 of 2"), "{output}");
    std::fs::write(&cases, json!([case("/other", "permitted")]).to_string()).unwrap();
    let (code, output) = run(&["policy", "test", "--config", &file, &text(&cases)]);
    assert!(code == Some(1) && output.contains("expected the outcome Permitted, got Refused"), "{output}");

    permit("principal.group == \"hello\"");
    let (code, output) = run(&["config", "check", "authz", "--config", &file]);
    assert!(code == Some(1) && output.contains("fit the schema"), "{output}");
}
