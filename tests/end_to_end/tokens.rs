// SPDX-License-Identifier: Apache-2.0
//! What is in a token, and what the command line says about it.

use std::collections::HashSet;
use std::io::Write;
use std::process::Stdio;

use cress_tests::{Control, Up, cress, eventually, get, get_token};
use serde_json::{Value, json};

/// Runs `cress token ...` with this on standard input.
fn token_command(arguments: &[&str], input: &str) -> (Option<i32>, String) {
    let mut command = cress(&[&["token"], arguments].concat());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap())
}

pub(crate) fn claims(jwks: &str, issuer: &str, token: &str) -> Value {
    let (code, said) =
        token_command(&["verify", "--jwks", jwks, "--issuer", issuer, "--any-audience", "--json"], token);
    assert_eq!(code, Some(0), "{said}");
    serde_json::from_str::<Value>(&said).unwrap()
}

#[test]
fn a_token_says_what_the_platforms_do_and_the_instance() {
    let up = Up::new();
    let stack = up.start(&[]);
    let (jwks, issuer) = (&stack.endpoints.jwks, &stack.endpoints.control);
    let verdict = claims(jwks, issuer, &get_token(stack.imds(0)));
    let claims = &verdict["claims"];
    let names: Vec<&str> = claims.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected = vec![
        "sub",
        "jti",
        "salad_machine_id",
        "salad_instance_id",
        "salad_workload_id",
        "salad_workload_name",
        "salad_organization_id",
        "salad_organization_name",
        "aud",
        "exp",
        "iss",
        "iat",
        "nbf",
    ];
    let mut sorted = names.clone();
    sorted.sort_unstable();
    expected.sort_unstable();
    assert_eq!(sorted, expected);
    let instance = &stack.endpoints.instances[0];
    assert_eq!(claims["salad_instance_id"], json!(instance.instance_id));
    assert_eq!(claims["sub"], json!(instance.machine_id));
    assert_eq!(claims["salad_machine_id"], claims["sub"]);
    assert_eq!(claims["salad_workload_name"], "hello");
    assert_eq!(claims["aud"], claims["salad_organization_id"]);
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 300);
    assert_eq!(claims["nbf"], claims["iat"]);
    assert!(verdict["kid"].as_str().unwrap().starts_with("salad-workload-20"), "{verdict}");
}

#[test]
fn each_instance_and_audience_has_its_own_token() {
    let up = Up::new();
    let stack = up.start(&["--instances", "3"]);
    let default = |index: usize| get_token(stack.imds(index));
    let ids: HashSet<Value> = (0..3)
        .map(|index| claims(&stack.endpoints.jwks, &stack.endpoints.control, &default(index))["claims"]["jti"].clone())
        .collect();
    assert_eq!(ids.len(), 3);
    assert_eq!(default(0), default(0), "a token is cached");

    let ask =
        |audience: &str| get(&format!("{}/v1/token?audience={audience}", stack.imds(0)), &["Metadata: true"]).unwrap();
    let allowed = ask("https%3A%2F%2Fservice.example");
    assert_eq!(allowed.status, 200, "{allowed:?}");
    let token = allowed.json()["jwt"].as_str().unwrap().to_owned();
    let said = claims(&stack.endpoints.jwks, &stack.endpoints.control, &token);
    assert_eq!(said["claims"]["aud"], "https://service.example");
    let refused = ask("https%3A%2F%2Fother.example");
    assert_eq!(refused.status, 403, "{refused:?}");
    assert_eq!(refused.header("content-type"), Some("application/problem+json"));
}

#[test]
fn the_command_line_explains_tokens() {
    let up = Up::new();
    let stack = up.start(&["--instances", "1"]);
    let output = cress(&["token", "get", "--imds", stack.imds(0)]).output().unwrap();
    assert!(output.status.success());
    let token = String::from_utf8(output.stdout).unwrap().trim().to_owned();

    let (code, said) = token_command(&["inspect"], &token);
    assert_eq!(code, Some(0));
    for expected in ["salad_instance_id", "when the token expires", "in 4 min", "Nothing of this was checked"] {
        assert!(said.contains(expected), "{said}");
    }

    let jwks = stack.endpoints.jwks.clone();
    let issuer = stack.endpoints.control.clone();
    let verify =
        |rest: &[&str], token: &str| token_command(&[&["verify", "--jwks", &jwks, "--issuer"], rest].concat(), token);
    let (code, said) = verify(&[&issuer, "--any-audience", "--claim", "salad_workload_name=hello"], &token);
    assert_eq!(code, Some(0), "{said}");
    let tampered = format!("{}A{}", &token[..token.len() - 20], &token[token.len() - 19..]);
    for (rest, token, code_name) in [
        (vec!["https://other.example", "--any-audience"], token.as_str(), "issuer-mismatch"),
        (vec![&issuer, "--audience", "someone-else"], token.as_str(), "audience-mismatch"),
        (vec![&issuer, "--any-audience", "--claim", "salad_workload_name=other"], token.as_str(), "claim-rule-failed"),
        (vec![&issuer, "--any-audience", "--algorithm", "RS256"], token.as_str(), "algorithm-not-allowed"),
        (vec![&issuer, "--any-audience"], tampered.as_str(), "signature-invalid"),
        (vec![&issuer, "--any-audience"], "not.a.token", "token-malformed"),
    ] {
        let (code, said) = verify(&rest, token);
        assert_eq!(code, Some(1), "{rest:?}: {said}");
        assert!(said.contains(code_name) && said.contains("remedy: "), "{code_name}: {said}");
    }
}

#[test]
fn a_group_adds_claims_and_shortens_the_life() {
    let control = Control::start();
    let node = control.start_node(&[]);
    let definition = json!({
        "replicas": 1,
        "command": ["sleep", "600"],
        "token_ttl_seconds": 60,
        "extra_claims": {"team": "vision", "cost-centre": 42},
    });
    control.create_group("worker", &definition);
    let imds = node.imds(0);
    let token = eventually("a token", || {
        let answer = get(&format!("{imds}/v1/token"), &["Metadata: true"]).ok()?;
        (answer.status == 200).then(|| answer.json()["jwt"].as_str().unwrap().to_owned())
    });
    let jwks = format!("{}/.well-known/workload-jwks.json", control.url());
    let claims = &claims(&jwks, &control.url(), &token)["claims"];
    assert_eq!((&claims["team"], &claims["cost-centre"]), (&json!("vision"), &json!(42)));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 60);
}
