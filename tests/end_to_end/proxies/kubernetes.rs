// SPDX-License-Identifier: Apache-2.0
//! What `cress config emit kubernetes` writes, read and applied by the code of kube-apiserver (`tests/kubernetes`). A cluster is not run.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cress_testkit::{TestIssuer, with_changes};
use cress_tests::{cress, repository};
use serde_json::{Value, json};

use crate::jwks_sync::now;
use crate::key_set_server::KeySetServer;

/// Nothing where Go is not installed, or its modules cannot be had.
fn build(directory: &Path) -> Option<PathBuf> {
    let program = directory.join("kubernetes-check");
    let mut go = Command::new("go");
    go.args(["build", "-o"]).arg(&program).arg(".").current_dir(repository().join("tests/kubernetes"));
    let output = go.env("CGO_ENABLED", "0").output().ok()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!errors.contains("main.go"), "{errors}");
    output.status.success().then_some(program)
}

/// The verdict on each token, or why the configuration is refused.
fn check(program: &Path, configuration: &Path, jwks: &str, tokens: &[String]) -> Result<Vec<Value>, String> {
    let mut command = Command::new(program);
    command.arg(configuration).arg(jwks).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let _refused = child.stdin.take().unwrap().write_all(tokens.join("\n").as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    match output.status.success() {
        true => Ok(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()),
        false => Err(String::from_utf8(output.stderr).unwrap()),
    }
}

fn emit(issuer: &TestIssuer, rules: &[&str], file: &Path) {
    let mut options = vec![format!("--issuer={}", issuer.issuer()), format!("--audience={}", issuer.audience())];
    options.extend(rules.iter().map(|rule| format!("--require={rule}")));
    let file = file.display().to_string();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let output = cress(&[&["config", "emit", "kubernetes", "--output", &file], options.as_slice()].concat()).output();
    assert!(output.unwrap().status.success());
}

#[test]
fn kube_apiserver_takes_the_configuration_and_the_tokens_that_it_means() {
    let directory = tempfile::tempdir().unwrap();
    let Some(program) = build(directory.path()) else {
        eprintln!("SKIPPED: Go is not installed or its modules cannot be had; nothing is said about Kubernetes");
        return;
    };
    let (issuer, file) = (TestIssuer::new(), directory.path().join("authentication.yaml"));
    let keys = KeySetServer::start(&issuer.jwks_json());
    let claims = issuer.claims(now());
    let user = format!("cress:{}", claims["salad_instance_id"].as_str().unwrap());
    let changed = |changes: Value| issuer.sign_claims(with_changes(issuer.claims(now()), &changes));
    let seconds = now().unix_seconds();
    let machine = format!("cress:{}", claims["sub"].as_str().unwrap());
    let cases = [
        ("a good one", issuer.token(now()), Some(&user)),
        ("without an instance", changed(json!({"salad_instance_id": null})), Some(&machine)),
        ("a list of names", changed(json!({"salad_workload_name": ["other", "demo"]})), Some(&user)),
        ("a list of audiences", changed(json!({"aud": ["elsewhere", issuer.audience()]})), Some(&user)),
        ("quotes", changed(json!({"salad_workload_name": "it's \"own\""})), Some(&user)),
        ("another workload", changed(json!({"salad_workload_name": "other"})), None),
        ("a list of others", changed(json!({"salad_workload_name": ["other"]})), None),
        ("a number", changed(json!({"salad_workload_name": 3})), None),
        ("an object", changed(json!({"salad_workload_name": {"demo": "demo"}})), None),
        ("no name", changed(json!({"salad_workload_name": null})), None),
        ("another audience", changed(json!({"aud": "elsewhere"})), None),
        ("expired", changed(json!({"exp": seconds - 90, "iat": seconds - 400, "nbf": seconds - 400})), None),
        ("a long life", changed(json!({"exp": seconds + 4_000})), None),
        ("no time of issue", changed(json!({"iat": null})), None),
        ("another's key", TestIssuer::with_issuer(issuer.issuer().as_str()).token(now()), None),
        ("another issuer", TestIssuer::with_issuer("https://other.test").token(now()), None),
        ("unsigned", cress_testkit::forge::alg_none(&issuer.token(now())), None),
    ];
    emit(&issuer, &["salad_workload_name=demo|it's \"own\"|a\\\\b", "sub"], &file);
    let tokens = cases.each_ref().map(|(_, token, _)| token.clone());
    let verdicts = check(&program, &file, &keys.url(), &tokens).unwrap();
    assert_eq!(verdicts.len(), cases.len());
    let groups = json!([format!("cress:workload:{}", claims["salad_workload_id"].as_str().unwrap())]);
    for ((name, _, expected), verdict) in cases.iter().zip(&verdicts) {
        match expected {
            Some(user) => {
                assert_eq!((&verdict["user"], &verdict["groups"]), (&json!(user), &groups), "{name}: {verdict}")
            }
            None => assert!(verdict["error"].is_string() && verdict["user"].is_null(), "{name}: {verdict}"),
        }
    }
    // The check itself finds what is wrong.
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replacen("expression: \"claims.exp", "expression: \"claim.exp", 1)).unwrap();
    let refused = check(&program, &file, &keys.url(), &[]).unwrap_err();
    assert!(refused.contains("claimValidationRules"), "{refused}");
}
