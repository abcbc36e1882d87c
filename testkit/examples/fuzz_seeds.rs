// SPDX-License-Identifier: Apache-2.0
//! Writes the seeds of the fuzz targets: `cargo run -p cress-testkit --example fuzz_seeds -- fuzz/seeds`. Only needed when a target
//! learns of something new; what fuzzing itself finds worth keeping is not written here.
#![expect(clippy::unwrap_used, reason = "a tool for those who change the targets")]

use std::fs;
use std::path::{Path, PathBuf};

use cress_api::node_protocol::control_update::Update;
use cress_api::node_protocol::node_report::Report;
use cress_api::node_protocol::{
    Assignment, AssignmentChange, AssignmentSnapshot, Certificate, ControlUpdate, EnrolRequest, EnrolResponse,
    InstanceReport, InstanceReports, KeySet, NodeReport,
};
use cress_domain::{Clock, Timestamp};
use cress_testkit::{MockClock, TestIssuer, bad_tokens, forge};
use prost::Message;
use serde_json::json;

/// Far ahead, for those that look at the real time.
const FAR_SECONDS: i64 = 4_102_444_800;
const ID: &str = "5d8a1b0e-3c5f-4b21-9e0c-0a4f3b6f1c2d";

fn main() {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap());
    let issuer = TestIssuer::new();
    token(&folder.join("token"), &issuer);
    keys(&folder.join("keys"), &issuer);
    differential(&folder.join("differential"));
    node_protocol(&folder.join("node_protocol"), &issuer);
}

fn write(folder: &Path, name: &str, content: impl AsRef<[u8]>) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join(name), content).unwrap();
}

/// One of each kind that is refused for another reason, and one that nothing is wrong with but the key.
fn token(folder: &Path, issuer: &TestIssuer) {
    write(folder, "good", issuer.token(MockClock::default().now()));
    let mut codes = Vec::new();
    for bad in bad_tokens(issuer) {
        if bad.token.len() < 2_000 && !codes.contains(&bad.code) {
            codes.push(bad.code);
            write(folder, bad.code, bad.token);
        }
    }
}

fn keys(folder: &Path, issuer: &TestIssuer) {
    write(folder, "set", issuer.jwks_json());
    write(folder, "jwk", serde_json::to_string(&issuer.signing_key().public_jwk()).unwrap());
    write(folder, "empty", r#"{"keys":[]}"#);
    write(
        folder,
        "ed25519",
        r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"e"}"#,
    );
    write(
        folder,
        "skipped",
        r#"{"keys":[{"kty":"oct","k":"AA"},{"kty":"RSA","n":"AQAB","e":"AQAB","kid":"r","use":"enc"}]}"#,
    );
}

fn differential(folder: &Path) {
    let claims = |aud: serde_json::Value| {
        json!({"iss": "https://issuer.test", "aud": aud, "exp": FAR_SECONDS, "nbf": 1, "iat": 1, "sub": "s"})
            .to_string()
    };
    write(folder, "payload", format!("p{}", claims(json!("one"))));
    write(folder, "payload-list", format!("p{}", claims(json!(["x", "two"]))));
    write(folder, "payload-number", format!("p{}", claims(json!(1))));
    let header = r#"{"alg":"ES256","kid":"test-1","typ":"JWT"}"#;
    write(folder, "header", format!("h{header}\n{}", claims(json!("one"))));
    write(
        folder,
        "header-crit",
        format!("h{}\n{}", r#"{"alg":"ES256","kid":"test-1","crit":["b64"],"b64":false}"#, claims(json!("one"))),
    );
    let parts = [header, &claims(json!("one")), "signature"].map(|part| forge::encode(part.as_bytes()));
    write(folder, "token", format!("t{}", parts.join(".")));
}

fn node_protocol(folder: &Path, issuer: &TestIssuer) {
    let tagged = |tag: u8, message: Vec<u8>| [vec![tag], message].concat();
    let assignment = Assignment {
        instance_id: ID.to_owned(),
        container_group_id: ID.to_owned(),
        container_group_name: "worker".to_owned(),
        project_id: ID.to_owned(),
        project_name: "default".to_owned(),
        organization_id: ID.to_owned(),
        organization_name: "acme".to_owned(),
        definition: json!({"replicas": 1, "command": ["sleep", "1"], "extra_claims": {"team": "vision"}}).to_string(),
        deletion_cost: 0,
    };
    let update = |update| tagged(b'u', ControlUpdate { control_time: 1, update: Some(update) }.encode_to_vec());
    let assignments = vec![assignment.clone()];
    write(folder, "snapshot", update(Update::Snapshot(AssignmentSnapshot { assignments, more: false })));
    write(
        folder,
        "change",
        update(Update::Change(AssignmentChange { placed: vec![assignment], ended: vec![ID.to_owned()] })),
    );
    let key_set = KeySet { issuer: issuer.issuer().as_str().to_owned(), jwks: issuer.jwks_json().into_bytes() };
    write(folder, "key-set", update(Update::KeySet(key_set)));
    let report = InstanceReport {
        instance_id: ID.to_owned(),
        state: 2,
        detail: "a\u{7}b".to_owned(),
        ..InstanceReport::default()
    };
    let reports = Report::Instances(InstanceReports { instances: vec![report] });
    write(folder, "report", tagged(b'r', NodeReport { report: Some(reports) }.encode_to_vec()));
    let certificate = Certificate {
        chain_pem: "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n".to_owned(),
        not_after: Timestamp::from_unix_seconds(FAR_SECONDS).unix_microseconds(),
        ..Certificate::default()
    };
    let enrolled = EnrolResponse { machine_id: ID.to_owned(), certificate: Some(certificate) };
    write(folder, "enrolled", tagged(b'e', enrolled.encode_to_vec()));
    let request = EnrolRequest { certificate_signing_request: vec![0x30, 0x03, 2, 1, 0], ..EnrolRequest::default() };
    write(folder, "enrol", tagged(b'q', request.encode_to_vec()));
    write(folder, "join-token", format!("jcress-join-v1.{0}.{0}", "a".repeat(43)));
}
