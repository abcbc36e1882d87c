// SPDX-License-Identifier: Apache-2.0
//! Cases about the head of a request, whatever it asks for.

use super::super::{Case, Target, Then};
use super::{FORWARDED_HEADERS, METHODS, PATHS, case, good};

pub(super) fn headers_on_each_method(target: &Target) -> Vec<Case> {
    let mut cases = vec![];
    for method in METHODS {
        for path in PATHS {
            for header in FORWARDED_HEADERS {
                for value in ["", "127.0.0.1"] {
                    let request = target.request(method, path, &[&format!("{header}: {value}")], "");
                    cases.push(case(
                        format!("{method} {path} with {header}: {value}"),
                        &request,
                        403,
                        "forwarded-not-allowed",
                    ));
                }
            }
            for (what, headers) in [
                ("no Metadata", ""),
                ("an empty Metadata", "Metadata:\r\n"),
                ("Metadata: false", "Metadata: false\r\n"),
                ("Metadata: TRUE", "Metadata: TRUE\r\n"),
                ("Metadata: true, true", "Metadata: true, true\r\n"),
                ("two Metadata", "Metadata: true\r\nMetadata: true\r\n"),
                ("Metadata: true and false", "Metadata: true\r\nMetadata: false\r\n"),
                ("X-Metadata", "X-Metadata: true\r\n"),
            ] {
                let request = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n", target.address);
                let name = format!("{method} {path} with {what}");
                cases.push(case(name, request.as_bytes(), 403, "metadata-header-required"));
            }
        }
        let preflight = format!(
            "{method} /v1/token HTTP/1.1\r\nHost: {}\r\nOrigin: http://evil.example\r\nAccess-Control-Request-Method: GET\r\nAccess-Control-Request-Headers: metadata\r\n\r\n",
            target.address
        );
        cases.push(case(format!("{method} as a preflight"), preflight.as_bytes(), 403, "metadata-header-required"));
    }
    cases
}

pub(super) fn hosts(target: &Target) -> Vec<Case> {
    let address = target.address;
    let ask = |target_text: &str, hosts: &str| {
        format!("GET {target_text} HTTP/1.1\r\n{hosts}Metadata: true\r\n\r\n").into_bytes()
    };
    let mut cases = vec![
        good("Host without the port", &ask("/v1/status", &format!("Host: {}\r\n", address.ip()))),
        good("Host with the port", &ask("/v1/status", &format!("Host: {address}\r\n"))),
        case("no Host", &ask("/v1/token", ""), 400, "host-invalid"),
        case("two Hosts", &ask("/v1/token", &format!("Host: {address}\r\nHost: {address}\r\n")), 400, "host-invalid"),
    ];
    let foreign = [
        "",
        "evil.example",
        "localhost",
        "metadata",
        "metadata.google.internal",
        "169.254.169.253",
        "169.254.169.254.nip.io",
        "127.0.0.1:1",
        "127.1",
        "2852039166",
        "0xa9fea9fe",
        "[::ffff:169.254.169.254]",
        "user@169.254.169.254",
        "169.254.169.254, evil.example",
    ];
    for host in foreign.map(str::to_owned).into_iter().chain([
        format!("{}:{}", address.ip(), address.port() ^ 1),
        format!("{}:", address.ip()),
        format!("{address}."),
        format!("http://{address}"),
        format!("localhost:{}", address.port()),
    ]) {
        cases.push(case(
            format!("Host: {host}"),
            &ask("/v1/token", &format!("Host: {host}\r\n")),
            403,
            "host-not-allowed",
        ));
    }
    for form in
        [format!("http://{address}/v1/token"), "http://evil.example/v1/token".into(), "https://x/".into(), "*".into()]
    {
        let request = ask(&form, &format!("Host: {address}\r\n"));
        cases.push(case(format!("the target {form}"), &request, 403, "origin-form-required"));
    }
    let connect = format!("CONNECT {address} HTTP/1.1\r\nHost: {address}\r\nMetadata: true\r\n\r\n");
    cases.push(case("CONNECT", connect.as_bytes(), 403, "origin-form-required"));
    cases
}

pub(super) fn sizes(target: &Target) -> Vec<Case> {
    let get = |path: &str, headers: &[&str]| target.request("GET", path, headers, "");
    let filler = "x".repeat(9_000);
    let many: Vec<_> = std::iter::repeat_n("X-Filler: x", 90).collect();
    let too_many: Vec<_> = std::iter::repeat_n("X-Filler: x", 300).collect();
    vec![
        case("a header too long", &get("/v1/token", &[&format!("X-Filler: {filler}")]), 431, "header-too-large"),
        case(
            "a header of a megabyte",
            &get("/v1/token", &[&format!("X-Filler: {}", "x".repeat(1 << 20))]),
            431,
            "header-too-large",
        ),
        case("a header name too long", &get("/v1/token", &[&format!("{filler}: x")]), 431, "header-too-large"),
        case("too many headers", &get("/v1/token", &many), 431, "header-too-large"),
        case("far too many headers", &get("/v1/token", &too_many), 431, "header-too-large"),
        case(
            "a query too long",
            &get(&format!("/v1/token?audience={}", "a".repeat(3_000)), &[]),
            414,
            "target-too-long",
        ),
        case("a path that fills the head", &get(&format!("/{filler}"), &[]), 414, "target-too-long"),
        case("a path of a megabyte", &get(&format!("/{}", "x".repeat(1 << 20)), &[]), 414, "target-too-long"),
        good("headers as many and as long as may be", &get("/v1/status", &vec!["X-Filler: xxxxxxxxxxxxxxxxxxxx"; 62])),
    ]
}

pub(super) fn versions(target: &Target) -> Vec<Case> {
    let ask = |version: &str| {
        format!("GET /v1/status {version}\r\nHost: {}\r\nMetadata: true\r\n\r\n", target.address).into_bytes()
    };
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let mut closes = good("a caller that closes its side and waits", &ask("HTTP/1.1"));
    closes.then = Then::CloseSending;
    vec![
        good("HTTP/1.0", &ask("HTTP/1.0")),
        case("HTTP/1.0 without Host", b"GET /v1/token HTTP/1.0\r\nMetadata: true\r\n\r\n", 400, "host-invalid"),
        case("HTTP/1.2", &ask("HTTP/1.2"), 505, "http-version-not-supported"),
        case("HTTP/2.0 in a request line", &ask("HTTP/2.0"), 505, "http-version-not-supported"),
        case("HTTP/3 in a request line", &ask("HTTP/3"), 505, "http-version-not-supported"),
        case("HTTP/2 with prior knowledge", preface, 505, "http-version-not-supported"),
        case("the first line of HTTP/2", &preface[..18], 505, "http-version-not-supported"),
        good(
            "an upgrade to h2c, ignored",
            &target.request(
                "GET",
                "/v1/status",
                &["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"],
                "",
            ),
        ),
        closes,
    ]
}

pub(super) fn malformed() -> Vec<Case> {
    let mut cases: Vec<_> = [
        ("HTTP/0.9", &b"GET /v1/token\r\n"[..]),
        ("no target", b"GET HTTP/1.1\r\n\r\n"),
        ("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
        ("zeros", b"\0\0\0\0\r\n\r\n"),
        ("a header without a colon", b"GET /v1/token HTTP/1.1\r\nnonsense\r\n\r\n"),
        ("a space before the colon", b"GET /v1/token HTTP/1.1\r\nHost : x\r\n\r\n"),
        ("a folded header", b"GET /v1/token HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n"),
        ("a zero in a header", b"GET /v1/token HTTP/1.1\r\nHost: a\0b\r\n\r\n"),
        ("a space in the target", b"GET /v1/ token HTTP/1.1\r\n\r\n"),
        ("a header name with a slash", b"GET /v1/token HTTP/1.1\r\nX/Y: z\r\n\r\n"),
    ]
    .into_iter()
    .map(|(name, request)| case(name, request, 400, "bad-request"))
    .collect();
    let mut cut = case("a head that ends early", b"GET /v1/token HTTP/1.1\r\nHo", 400, "bad-request");
    cut.then = Then::CloseSending;
    cases.push(cut);
    cases
}
