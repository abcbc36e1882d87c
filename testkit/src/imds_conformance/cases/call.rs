// SPDX-License-Identifier: Apache-2.0
//! Cases about what a request asks for: path, method, query and body.

use cress_api::imds;

use super::super::{Case, Codes, Target, Then};
use super::{METHODS, PATHS, case, good};

pub(super) fn paths_and_methods(target: &Target) -> Vec<Case> {
    let mut cases = vec![];
    for path in [
        "/",
        "/v1",
        "/v1/",
        "/v1/token/",
        "/V1/TOKEN",
        "//v1/token",
        "/v1//token",
        "/v1/%74oken",
        "/v2/token",
        "/latest/meta-data/",
        "/v1/token/../token",
        "/v1/tokens",
        "/.well-known/security.txt",
        "/v1/token;x",
    ] {
        for method in ["GET", "POST", "OPTIONS"] {
            cases.push(case(format!("{method} {path}"), &target.request(method, path, &[], ""), 404, "not-found"));
        }
    }
    for method in METHODS {
        for path in PATHS {
            let request = target.request(method, path, &[], "");
            let name = format!("{method} {path}");
            cases.push(match (method, path) {
                ("GET", imds::TOKEN | imds::STATUS | imds::DELETION_COST) => good(name, &request),
                ("POST", imds::RESTART) => continue, // it would restart the instance
                ("POST", imds::REALLOCATE | imds::RECREATE) => {
                    let mut case = case(name, &request, 404, "not-available");
                    case.status = if target.codes == Codes::Cress { &[404] } else { continue };
                    case
                }
                ("PUT", imds::DELETION_COST) => case(name, &request, 411, "length-required"),
                _ => case(name, &request, 405, "method-not-allowed"),
            });
        }
    }
    cases
}

pub(super) fn queries(target: &Target) -> Vec<Case> {
    [
        "audience=",
        "audience",
        "audience=a&audience=b",
        "audience=a&x=y",
        "x=y",
        "Audience=a",
        "audience=a+b",
        "audience=%",
        "audience=%zz",
        "audience=%ff",
        "audience=%00",
        "audience=a%20b",
        "audience=%22",
    ]
    .map(|query| {
        let request = target.request("GET", &format!("/v1/token?{query}"), &[], "");
        case(format!("/v1/token?{query}"), &request, 400, "query-invalid")
    })
    .into_iter()
    .chain([
        good("/v1/token?", &target.request("GET", "/v1/token?", &[], "")),
        case("/v1/status?x", &target.request("GET", "/v1/status?x", &[], ""), 400, "query-invalid"),
        case("/v1/restart?x=y", &target.request("POST", "/v1/restart?x=y", &[], ""), 400, "query-invalid"),
    ])
    .collect()
}

pub(super) fn bodies(target: &Target) -> Vec<Case> {
    let json = "Content-Type: application/json";
    let put = |headers: &[&str], body: &str| {
        let length = format!("Content-Length: {}", body.len());
        let headers: Vec<_> = headers.iter().copied().chain([length.as_str()]).collect();
        target.request("PUT", imds::DELETION_COST, &headers, body)
    };
    let framed = |framing: &[&str], body: &str| {
        let headers: Vec<_> = [json].iter().copied().chain(framing.iter().copied()).collect();
        target.request("PUT", imds::DELETION_COST, &headers, body)
    };
    let cost = r#"{"deletion_cost":1}"#;
    let mut cases = vec![
        case("no Content-Type", &put(&[], cost), 415, "unsupported-media-type"),
        case("two Content-Types", &put(&[json, json], cost), 415, "unsupported-media-type"),
        case("text/plain", &put(&["Content-Type: text/plain"], cost), 415, "unsupported-media-type"),
        case(
            "a form",
            &put(&["Content-Type: application/x-www-form-urlencoded"], "x=y"),
            415,
            "unsupported-media-type",
        ),
        case("merge-patch", &put(&["Content-Type: application/merge-patch+json"], cost), 415, "unsupported-media-type"),
        case(
            "another charset",
            &put(&["Content-Type: application/json; charset=latin1"], cost),
            415,
            "unsupported-media-type",
        ),
        case("a compressed body", &put(&[json, "Content-Encoding: gzip"], cost), 415, "unsupported-media-type"),
        case("a body too long", &framed(&["Content-Length: 8193"], ""), 413, "body-too-large"),
        case("a body far too long", &framed(&["Content-Length: 9223372036854775807"], ""), 413, "body-too-large"),
        case(
            "a body too long that waits for leave",
            &framed(&["Content-Length: 99999", "Expect: 100-continue"], ""),
            413,
            "body-too-large",
        ),
        case(
            "chunks too long",
            &framed(&["Transfer-Encoding: chunked"], &format!("2001\r\n{}\r\n0\r\n\r\n", " ".repeat(0x2001))),
            413,
            "body-too-large",
        ),
        case("chunks that are none", &framed(&["Transfer-Encoding: chunked"], "zz\r\n"), 400, "body-incomplete"),
        case("another transfer coding", &framed(&["Transfer-Encoding: gzip"], ""), 400, "bad-request"),
        case("a coding after chunked", &framed(&["Transfer-Encoding: chunked, gzip"], ""), 400, "bad-request"),
        case("lengths that differ", &framed(&["Content-Length: 1", "Content-Length: 2"], ""), 400, "bad-request"),
        case("a length that is none", &framed(&["Content-Length: -1"], ""), 400, "bad-request"),
        case("a length with a sign", &framed(&["Content-Length: +1"], "x"), 400, "bad-request"),
    ];
    for body in [
        "",
        "{}",
        "[]",
        "1",
        "{",
        "nul",
        r#"{"deletion_cost":1.5}"#,
        r#"{"deletion_cost":"1"}"#,
        r#"{"deletion_cost":null}"#,
        r#"{"deletion_cost":2147483648}"#,
        r#"{"deletion_cost":1,"deletion_cost":2}"#,
        r#"{"deletion_cost":1,"x":2}"#,
        r#"{"deletion_cost":1}{}"#,
        "\u{feff}{}",
    ] {
        cases.push(case(format!("the body {body:?}"), &put(&[json], body), 400, "body-invalid"));
    }
    let mut cut = case("a body that ends early", &framed(&["Content-Length: 30"], cost), 400, "body-incomplete");
    cut.then = Then::CloseSending;
    cases.push(cut);
    for path in [imds::TOKEN, imds::STATUS, imds::DELETION_COST] {
        for (framing, body) in [("Content-Length: 2", "{}"), ("Transfer-Encoding: chunked", "2\r\n{}\r\n0\r\n\r\n")] {
            let request = target.request("GET", path, &[json, framing], body);
            cases.push(case(format!("GET {path} with a body ({framing})"), &request, 400, "body-not-allowed"));
        }
    }
    // An empty object would be taken for nothing, and restart the instance.
    for (headers, body, status, code) in [
        ([json, "Content-Length: 7"], r#"{"x":1}"#, 400, "body-not-allowed"),
        ([json, "Content-Length: 4"], "null", 400, "body-not-allowed"),
        (["Content-Type: text/plain", "Content-Length: 2"], "{}", 415, "unsupported-media-type"),
        ([json, "Content-Length: 8193"], "", 413, "body-too-large"),
    ] {
        let request = target.request("POST", imds::RESTART, &headers, body);
        cases.push(case(format!("a restart with {headers:?} {body}"), &request, status, code));
    }
    cases
}
