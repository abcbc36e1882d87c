// SPDX-License-Identifier: Apache-2.0
//! HAProxy and its action in Lua with what other clients send: HTTP/2, and whole URLs as targets.

use std::process::Command;

use cress_testkit::TestIssuer;
use cress_tests::{Answer, Echoed};

use super::setting::{Setting, Way, echoed};
use super::table::{self, RULE, Told};
use super::ways;
use crate::jwks_sync::now;

/// How far from the other port HTTP/2 is spoken, without TLS and from the first byte on.
const HTTP_2: u16 = 5;

fn start(issuer: &TestIssuer) -> Setting {
    Setting::start_changed(Way::Haproxy, issuer, &[RULE], |text, port| {
        let bind = format!("    bind 127.0.0.1:{port}\n");
        assert!(text.contains(&bind), "{text}");
        text.replace(&bind, &format!("{bind}    bind 127.0.0.1:{} proto h2\n", port + HTTP_2))
    })
}

/// Over HTTP/2: the status, and what reached the service. Without an answer the status is 0.
fn ask(setting: &Setting, target: &str, headers: &[&str]) -> (u16, Option<Echoed>) {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--noproxy", "*", "--http2-prior-knowledge", "--path-as-is", "--max-time", "10"]);
    curl.args(["--write-out", "\n%{http_version} %{http_code}", "--request-target", target]);
    for header in headers {
        curl.args(["--header", header]);
    }
    let output = curl.arg(format!("http://127.0.0.1:{}/", setting.port + HTTP_2)).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (body, end) = text.rsplit_once('\n').unwrap();
    let status = end.strip_prefix("2 ").or_else(|| end.strip_prefix("0 0"));
    assert!(status.is_some(), "expected HTTP/2, got {text}");
    let answer = Answer { status: status.unwrap().parse().unwrap(), head: String::new(), body: body.to_owned() };
    (answer.status, echoed(&answer))
}

#[test]
fn haproxy_asks_about_requests_over_http_2() {
    let issuer = TestIssuer::new();
    let setting = start(&issuer);
    let bearer = format!("authorization: Bearer {}", issuer.token(now()));
    let told = table::told(&issuer.claims(now()));
    let spoofed = ["x-cress-subject: root", "x_cress_machine: root", "x.cress.workload: root", "x-original-uri: /a"];
    let with = |more: &[&'static str]| [&[bearer.as_str()][..], more].concat();
    for (target, headers, status) in [
        ("/", vec![], 401),
        ("/", with(&[]), 200),
        ("/a/b.c?x=/../admin", with(&[]), 200),
        ("/a", with(&spoofed), 200),
        ("/", vec!["authorization: Basic eDp5"], 401),
        ("/", with(&["authorization: Basic eDp5"]), 400),
        ("/admin", with(&[]), 403),
        ("/admin/x?y", with(&[]), 403),
        ("/x/../admin", with(&[]), 400),
        ("//admin", with(&[]), 400),
        ("/%61dmin", with(&[]), 400),
        ("/admin", with(&["x-original-uri: /a"]), 403),
    ] {
        let (got, echoed) = ask(&setting, target, &headers);
        assert_eq!((got, echoed.is_some()), (status, status == 200), "{target} {headers:?}");
        if let Some(echoed) = echoed {
            assert_eq!((ways::told(&echoed), echoed.target.as_str()), (told.clone() as Told, target));
        }
    }
}

/// A client that sends a whole URL means another host than the proxy's, or another path than it seems: nobody gets past a rule by it.
#[test]
fn whole_urls_as_targets_pass_no_rule() {
    let issuer = TestIssuer::new();
    let setting = start(&issuer);
    let bearer = format!("Authorization: Bearer {}", issuer.token(now()));
    for target in ["http://service/admin", "http://other.example/admin", "http://service/a/../admin", "http://service"]
    {
        let answer = setting.send("GET", target, &[&bearer]).unwrap();
        assert!((400..500).contains(&answer.status), "{target}: {answer:?}");
        let (status, echoed) = ask(&setting, target, &[&bearer]);
        // HAProxy itself resets the stream.
        assert!((status == 0 || (400..500).contains(&status)) && echoed.is_none(), "{target}: {status} {echoed:?}");
    }
}
