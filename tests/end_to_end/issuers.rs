// SPDX-License-Identifier: Apache-2.0
//! `cress token verify`, `cress jwks sync` and `cress authz` with an issuer alone, or with a preset: they find the keys, and ask of tokens
//! what is known of them.

use std::io::Write;
use std::process::Stdio;

use cress_testkit::{RsaKey, TestIssuer};
use cress_tests::{Program, base_port, cress, eventually, get};
use serde_json::{Map, Value, json};

use crate::jwks_sync::now;
use crate::key_set_server::KeySetServer;

/// An issuer with keys at one server, and a document about them at another, whose address is its name.
struct Discovered {
    issuer: TestIssuer,
    document: KeySetServer,
    keys: KeySetServer,
}

impl Discovered {
    fn start() -> Self {
        let document = KeySetServer::start("{}");
        let issuer = TestIssuer::with_issuer(document.url().trim_end_matches("/jwks.json"));
        let keys = KeySetServer::start(&issuer.jwks_json());
        let started = Self { issuer, document, keys };
        started.tell(&started.keys.url());
        started
    }

    fn name(&self) -> String {
        self.issuer.issuer().to_string()
    }

    fn tell(&self, jwks_uri: &str) {
        self.document.publish(&json!({"issuer": self.name(), "jwks_uri": jwks_uri}).to_string());
    }
}

/// Exit code, and the verdict.
fn verify(options: &[&str], token: &str) -> (Option<i32>, Value, String) {
    let mut command = cress(&[&["token", "verify", "--json"], options].concat());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(token.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let verdict = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output.status.code(), verdict, String::from_utf8(output.stderr).unwrap())
}

#[test]
fn an_issuer_alone_is_enough_to_verify_a_token() {
    let there = Discovered::start();
    let (name, token) = (there.name(), there.issuer.token(now()));
    let issuer = ["--issuer", name.as_str(), "--any-audience"];
    let (code, verdict, errors) = verify(&issuer, &token);
    assert_eq!((code, &verdict["valid"]), (Some(0), &json!(true)), "{verdict} {errors}");
    let (code, verdict, _) = verify(&issuer, &TestIssuer::with_issuer(&name).token(now()));
    assert_eq!((code, &verdict["code"]), (Some(1), &json!("signature-invalid")), "{verdict}");
    for (jwks_uri, expected) in [
        ("http://keys.example/", "jwks_uri: expected an https URL"),
        ("ftp://127.0.0.1/", "jwks_uri: expected an https URL"),
    ] {
        there.tell(jwks_uri);
        let (code, verdict, _) = verify(&issuer, &token);
        assert_eq!((code, &verdict["code"]), (Some(1), &json!("keys-unavailable")), "{verdict}");
        assert!(verdict["reason"].as_str().unwrap().contains(expected), "{verdict}");
    }
    let (code, _, errors) = verify(&["--issuer", "http://issuer.example", "--any-audience"], &token);
    assert!(code == Some(1) && errors.contains("without --jwks: expected an https issuer"), "{errors}");
}

#[test]
fn what_is_asked_of_a_token_can_be_said_by_flags() {
    let there = Discovered::start();
    let (name, url) = (there.name(), there.keys.url());
    let rsa = RsaKey::generate("rsa-1");
    let set = json!({"keys": [rsa.jwk()]}).to_string();
    let rsa_keys = KeySetServer::start(&set);
    let (good, late) = (there.issuer.token(now()), json!({"exp": now().unix_seconds() - 60}));
    let late = there.issuer.sign_claims(cress_testkit::with_changes(there.issuer.claims(now()), &late));
    let with_rsa = rsa.sign(&there.issuer.claims(now()), &[("typ", "JWT")]);
    let rsa_url = rsa_keys.url();
    for (jwks, token, options, expected) in [
        (&url, &good, &[][..], "valid"),
        (&url, &good, &["--claim", "salad_workload_name=demo"], "valid"),
        (&url, &good, &["--require", "salad_workload_name=demo|other"], "valid"),
        (&url, &good, &["--claim", "salad_workload_name^=de", "--claim", "sub"], "valid"),
        (&url, &good, &["--claim", "salad_workload_name=other"], "claim-rule-failed"),
        (&url, &good, &["--algorithm", "RS256"], "algorithm-not-allowed"),
        (&rsa_url, &with_rsa, &[], "algorithm-not-allowed"),
        (&rsa_url, &with_rsa, &["--algorithm", "ES256", "--algorithm", "RS256"], "valid"),
        (&url, &late, &[], "expired"),
        (&url, &late, &["--leeway-seconds", "120"], "valid"),
    ] {
        let all = [&["--issuer", &name, "--jwks", jwks, "--any-audience"], options].concat();
        let (code, verdict, errors) = verify(&all, token);
        let got = if verdict["valid"] == true { "valid" } else { verdict["code"].as_str().unwrap_or(&errors) };
        assert_eq!((got, code), (expected, Some(i32::from(expected != "valid"))), "{options:?} {verdict} {errors}");
    }
    for (options, expected) in [
        (&["--issuer", &name, "--any-audience", "--leeway-seconds", "301"][..], "300"),
        (&["--issuer", &name, "--any-audience", "--audience", "x"], "cannot be used with"),
        (&["--issuer", &name], "--audience"),
        (&["--any-audience"], "--issuer"),
        (&["--preset", "kubernetes", "--any-audience"], "expected an issuer with the preset kubernetes"),
        (&["--preset", "github", "--any-audience"], "expected one of the presets"),
    ] {
        let (code, _, errors) = verify(options, &good);
        assert!(code != Some(0) && errors.contains(expected), "{options:?}: {errors}");
    }
}

#[test]
fn a_preset_knows_where_keys_are_and_what_tokens_have() {
    let key = RsaKey::generate("gitlab-1");
    let server = KeySetServer::start(&json!({"keys": [key.jwk()]}).to_string());
    let name = server.url().trim_end_matches("/jwks.json").to_owned();
    let seconds = now().unix_seconds();
    let claims = json!({
        "iss": name, "aud": "https://deploy.example", "sub": "project_path:group/app:ref_type:branch:ref:main", "jti": "1",
        "namespace_id": "1", "project_id": "28", "iat": seconds, "nbf": seconds, "exp": seconds + 600,
    });
    let sign = |claims: &Value| key.sign(claims.as_object().unwrap(), &[("typ", "JWT")]);
    let without = |name: &str| {
        let mut claims: Map<String, Value> = claims.as_object().unwrap().clone();
        claims.remove(name);
        sign(&claims.into())
    };
    let options = ["--preset", "gitlab", "--issuer", &name, "--audience", "https://deploy.example"];
    for (token, more, expected) in [
        (sign(&claims), &["--claim", "project_id=28"][..], "valid"),
        (sign(&claims), &["--claim", "project_id=29"], "claim-rule-failed"),
        (without("project_id"), &[], "claim-missing"),
    ] {
        let (_, verdict, errors) = verify(&[&options, more].concat(), &token);
        let got = if verdict["valid"] == true { "valid" } else { verdict["code"].as_str().unwrap_or(&errors) };
        assert_eq!(got, expected, "{verdict} {errors}");
    }

    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("keys.json");
    let output = format!("jwks:{}", file.display());
    let sync = |options: &[&str]| {
        let output = cress(&[&["jwks", "sync", "--once", "--output", &output], options].concat()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(sync(&["--preset", "gitlab", "--issuer", &name]), (Some(0), String::new()));
    assert!(std::fs::read_to_string(&file).unwrap().contains("gitlab-1"));

    let there = Discovered::start();
    assert_eq!(sync(&["--issuer", &there.name()]), (Some(0), String::new()));
    assert_eq!(std::fs::read_to_string(&file).unwrap().trim(), there.issuer.jwks_json());
    there.tell("http://keys.example/");
    let (code, errors) = sync(&["--issuer", &there.name()]);
    assert!(code == Some(1) && errors.contains("jwks_uri: expected an https URL"), "{errors}");
    for (options, code, expected) in [
        (&["--preset", "kubernetes"][..], 1, "expected an issuer with the preset kubernetes"),
        (&["--preset", "saladcloud", "--issuer", "https://x.example"], 1, "expected no issuer"),
        (&["--preset", "gitlab", "--jwks", "x"], 2, "cannot be used with"),
        (&["--issuer", "https://x.example", "--jwks", "x"], 2, "cannot be used with"),
        (&[], 2, "--jwks"),
        (&["--issuer", "http://issuer.example"], 1, "expected an https issuer"),
    ] {
        let (got, errors) = sync(options);
        assert!(got == Some(code) && errors.contains(expected), "{options:?}: {got:?} {errors}");
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap().trim(), there.issuer.jwks_json());
}

#[test]
fn the_authorization_service_takes_an_issuer_alone() {
    let there = Discovered::start();
    let (port, directory) = (base_port(), tempfile::tempdir().unwrap());
    let file = directory.path().join("authz.toml");
    let text = format!(
        "listen = \"127.0.0.1:{port}\"\nmetrics.listen = \"127.0.0.1:{}\"\n[[issuers]]\nname = \"one\"\nissuer = \"{}\"\n\
         any_audience = true\n[[rules]]\nname = \"all\"\nclaims = [\"salad_workload_name=demo\"]\n",
        port + 1,
        there.name()
    );
    std::fs::write(&file, text).unwrap();
    let file = file.display().to_string();
    let checked = cress(&["config", "check", "authz", "--config", &file]).output().unwrap();
    let warnings = String::from_utf8(checked.stderr).unwrap();
    assert!(checked.status.success(), "{warnings}");
    assert!(
        warnings.contains("tokens for any audience") && warnings.contains("names that tenants choose"),
        "{warnings}"
    );

    let service = Program::start(cress(&["authz", "--config", &file]), &directory.path().join("authz.log"));
    let url = format!("http://127.0.0.1:{port}");
    eventually("readiness", || get(&format!("{url}/readyz"), &[]).ok().filter(|answer| answer.status == 200));
    let bearer = |token: &str| format!("Authorization: Bearer {token}");
    let good = bearer(&there.issuer.token(now()));
    let forged = bearer(&TestIssuer::with_issuer(&there.name()).token(now()));
    for (token, status) in [(&good, 200), (&forged, 401)] {
        assert_eq!(get(&format!("{url}/verify"), &[token]).unwrap().status, status);
    }
    assert!(service.output().contains("names that tenants choose"), "{}", service.output());
}
