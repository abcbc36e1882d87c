// SPDX-License-Identifier: Apache-2.0
//! Fields that come after a body: no proxy takes them for a token or for an identity, whether it passes them on or not.

use cress_testkit::TestIssuer;
use cress_tests::send_bytes;

use super::setting::{Setting, Way, echoed};
use super::table::{self, RULE};
use super::ways;
use crate::jwks_sync::now;

const TRAILERS: &str = "X-Cress-Subject: root\r\nX-Cress-Machine: root\r\nX_Cress_Workload: root\r\nX-Checksum: 7\r\n";

/// What the service gets of them: whether identities do, and whether others do.
const PASSED: [(Way, bool, bool); 8] = [
    (Way::Nginx, false, false),
    // HAProxy has no directive for trailers: it passes on what comes.
    (Way::Haproxy, true, true),
    (Way::HaproxyNative, true, true),
    (Way::Traefik, false, false),
    (Way::Caddy, false, false),
    (Way::EnvoyHttp, false, false),
    (Way::EnvoyGrpc, false, false),
    (Way::EnvoyNative, false, false),
];

#[test]
fn trailers_say_nothing_of_who_asks() {
    let issuer = TestIssuer::new();
    let bearer = format!("Authorization: Bearer {}\r\n", issuer.token(now()));
    let told = table::told(&issuer.claims(now()));
    let mut wrong = Vec::new();
    for (way, identities, others) in PASSED {
        let rules: &[&str] = if way == Way::HaproxyNative { &["salad_workload_name=demo"] } else { &[RULE] };
        let setting = Setting::start(way, &issuer, rules);
        let ask = |headers: &str, trailers: &str| {
            let request = format!(
                "POST /a HTTP/1.1\r\nHost: service\r\nConnection: close, TE\r\nTE: trailers\r\n{headers}Trailer: X-Cress-Subject, \
                 X-Cress-Machine, X_Cress_Workload, X-Checksum\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n{trailers}\r\n"
            );
            send_bytes(&format!("127.0.0.1:{}", setting.port), request.as_bytes())
        };
        let answer = ask(&bearer, TRAILERS).unwrap();
        let Some(echoed) = echoed(&answer) else { panic!("{way:?}: {answer:?}") };
        if ways::told(&echoed) != told {
            wrong.push(format!("{way:?} tells {:?}", ways::told(&echoed)));
        }
        let names: Vec<String> = echoed.trailers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
        let has = |part: &str| names.iter().any(|name| name.contains(part));
        if (has("cress"), has("checksum")) != (identities, others) {
            wrong.push(format!("{way:?} passes {names:?}"));
        }
        // Nor is a token looked for there.
        let late = ask("", &bearer).map_or(0, |answer| answer.status);
        if late != 401 {
            wrong.push(format!("{way:?} answers {late} to a token in a trailer"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
