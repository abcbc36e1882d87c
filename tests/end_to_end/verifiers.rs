// SPDX-License-Identifier: Apache-2.0
//! Tokens checked by libraries that are not ours.

use std::io::Write;
use std::process::{Command, Stdio};

use cress_tests::{Stack, Up, cress, get_token, node_modules, python_a6, repository};
use serde_json::Value;

fn verify(mut command: Command, token: &str) -> Result<Value, String> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(token.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    if output.status.success() {
        Ok(serde_json::from_slice(&output.stdout).unwrap())
    } else {
        Err(String::from_utf8(output.stderr).unwrap().trim().to_owned())
    }
}

fn organization(stack: &Stack) -> String {
    let output = cress(&["admin", "--json", "--socket", &stack.endpoints.admin_socket, "organizations", "list"]);
    let mut output = output;
    let organizations: Value = serde_json::from_slice(&output.output().unwrap().stdout).unwrap();
    organizations[0]["id"].as_str().unwrap().to_owned()
}

fn check(command: impl Fn(&str, &str, &str) -> Command, audience_error: &str) {
    let up = Up::new();
    let stack = up.start(&["--instances", "1"]);
    let token = get_token(stack.imds(0));
    let audience = organization(&stack);
    let (jwks, issuer) = (&stack.endpoints.jwks, &stack.endpoints.control);
    let claims = verify(command(jwks, issuer, &audience), &token).unwrap();
    assert_eq!(claims["salad_workload_name"], "hello");
    assert_eq!(verify(command(jwks, issuer, "someone-else"), &token).unwrap_err(), audience_error);
}

#[test]
fn pyjwt_verifies_tokens() {
    let script = repository().join("tests/end_to_end/clients/verify.py");
    check(
        |jwks, issuer, audience| {
            let mut command = Command::new(python_a6());
            command.arg(&script).args([jwks, issuer, audience]);
            command
        },
        "InvalidAudienceError",
    );
}

#[test]
fn npm_jose_verifies_tokens() {
    let script = repository().join("tests/end_to_end/clients/verify.mjs");
    check(
        |jwks, issuer, audience| {
            let mut command = Command::new("node");
            command.arg(&script).arg(node_modules()).args([jwks, issuer, audience]);
            command
        },
        "ERR_JWT_CLAIM_VALIDATION_FAILED",
    );
}
