// SPDX-License-Identifier: Apache-2.0
//! The table, through each way. Where a proxy answers otherwise by itself, that is said here with its reason, and must stay true.

use cress_testkit::TestIssuer;
use cress_tests::{Answer, Echoed};

use super::setting::{Setting, Way, echoed};
use super::table::{self, ADMIN, Case, Outcome, RULE, Told};
use crate::jwks_sync::now;

/// What a proxy does otherwise.
struct Difference {
    ways: &'static [Way],
    /// Cases of these names.
    cases: &'static [&'static str],
    /// As docs/proxies says it.
    why: &'static str,
    outcome: Other,
}

/// What comes of it instead.
#[derive(Debug, Clone, Copy)]
enum Other {
    Refused(u16),
    /// It passes, and the service is told what it should.
    Passes,
    /// It passes, and this header says this.
    Tells(&'static str, &'static str),
}

const DIFFERENCES: &[Difference] = &[
    Difference {
        ways: &[Way::Nginx],
        cases: &["Bearer before it", "headers: only the scheme", "headers: two in one line"],
        outcome: Other::Refused(403),
        why: "nginx makes 500 of every refusal but 401 and 403, so cress authz tells it 403 where others are told 400",
    },
    Difference {
        ways: &[Way::Nginx],
        cases: &["200 headers"],
        outcome: Other::Refused(500),
        why: "nginx makes 500 of 431",
    },
    Difference {
        ways: &[Way::EnvoyHttp, Way::EnvoyGrpc, Way::EnvoyNative],
        cases: &["headers: X_Cress_Subject", "headers: X-Cress_Subject"],
        outcome: Other::Refused(400),
        why: "Envoy refuses a request with such a header instead of dropping the header",
    },
    Difference {
        ways: &[Way::HaproxyNative, Way::EnvoyNative],
        cases: &["Bearer before it", "headers: only the scheme"],
        outcome: Other::Refused(401),
        why: "they have one answer for all that is no token",
    },
    Difference {
        ways: &[Way::HaproxyNative],
        cases: &["headers: two in one line"],
        outcome: Other::Refused(401),
        why: "it has one answer for all that is no token",
    },
    Difference {
        ways: &[Way::EnvoyNative],
        cases: &["headers: two in one line"],
        outcome: Other::Refused(403),
        why: "the configuration refuses commas with RBAC, which answers 403",
    },
    Difference {
        ways: &[Way::HaproxyNative, Way::EnvoyNative],
        cases: &["stray bits"],
        outcome: Other::Passes,
        why: "they ignore unused bits of base64, so that a token has several spellings",
    },
    Difference {
        ways: &[Way::HaproxyNative],
        cases: &["{\"exp\":\"later\"}", "{\"sub\":1}", "{\"jti\":[\"x\"]}", "exp twice"],
        outcome: Other::Passes,
        why: "HAProxy takes a number in quotes for a number, looks at no claim that it is not asked about, and at the first of two",
    },
    Difference {
        ways: &[Way::HaproxyNative],
        cases: &["sub twice, once escaped"],
        outcome: Other::Tells("x-cress-subject", "529f0f13-5767-4247-94e3-4a0effe11c58"),
        why: "HAProxy takes the first of two members of one name",
    },
    Difference {
        ways: &[Way::EnvoyNative],
        cases: &["{\"iat\":0}", "{\"iat\":null}"],
        outcome: Other::Passes,
        why: "Envoy counts a token's life from nbf if it is there",
    },
    Difference {
        ways: &[Way::EnvoyNative],
        cases: &["padding", "an empty fourth part"],
        outcome: Other::Passes,
        why: "Envoy cuts a token where base64url ends",
    },
    Difference {
        ways: &[Way::EnvoyNative],
        cases: &["headers: a small scheme"],
        outcome: Other::Refused(401),
        why: "Envoy compares the scheme with its case",
    },
    Difference {
        ways: &[Way::EnvoyNative],
        cases: &[
            "{\"aud\":null}",
            "{\"aud\":[]}",
            "{\"aud\":\"\"}",
            "{\"aud\":\"elsewhere\"}",
            "{\"aud\":[\"956eeb2f-2632-47bd-83f1-66b233e3ef28 \",\"*\"]}",
        ],
        outcome: Other::Refused(403),
        why: "Envoy answers 403 to another audience",
    },
    Difference {
        ways: &[Way::HaproxyNative, Way::EnvoyNative],
        cases: &["claims: a line break", "claims: a line feed", "claims: a NUL", "claims: not ASCII"],
        outcome: Other::Refused(403),
        why: "they write claims into headers as they are, so the configuration refuses those that are not printable ASCII",
    },
    Difference {
        ways: &[Way::HaproxyNative, Way::EnvoyNative],
        cases: &["claims: a comma"],
        outcome: Other::Tells("x-cress-machine", "a,b"),
        why: "they write claims into headers as they are",
    },
    Difference {
        ways: &[Way::HaproxyNative, Way::EnvoyNative],
        cases: &["claims: spaces around"],
        outcome: Other::Tells("x-cress-machine", "a b"),
        why: "they write claims into headers as they are, and HTTP drops spaces around",
    },
    Difference {
        ways: &[Way::HaproxyNative, Way::EnvoyNative],
        cases: &["claims: a backslash"],
        outcome: Other::Tells("x-cress-workload-name", "a\\b"),
        why: "they write claims into headers as they are",
    },
    Difference {
        ways: &[Way::EnvoyNative],
        cases: &["claims: an apostrophe and quotes"],
        outcome: Other::Tells("x-cress-workload-name", "it's \"own\""),
        why: "Envoy writes claims into headers as they are",
    },
    Difference {
        ways: &[Way::HaproxyNative],
        cases: &["claims: an apostrophe and quotes"],
        outcome: Other::Refused(403),
        why: "no value in HAProxy's configuration can have an apostrophe",
    },
    Difference {
        ways: &[Way::EnvoyNative],
        cases: &["claims: a list of names"],
        outcome: Other::Tells("x-cress-workload-name", "WyJvdGhlciIsImRlbW8iXQ=="),
        why: "Envoy writes lists and objects as JSON in base64",
    },
    Difference {
        ways: &[Way::EnvoyNative],
        cases: &["claims: an object"],
        outcome: Other::Tells("x-cress-machine", "eyJhIjoicm9vdCJ9"),
        why: "Envoy writes lists and objects as JSON in base64",
    },
    Difference {
        ways: &[Way::HaproxyNative],
        cases: &["claims: a list of names"],
        outcome: Other::Refused(403),
        why: "HAProxy looks at texts alone",
    },
    Difference {
        ways: &[Way::HaproxyNative],
        cases: &["claims: a list of audiences"],
        outcome: Other::Refused(401),
        why: "HAProxy looks at texts alone",
    },
];

#[test]
fn nginx_answers_as_the_table_says() {
    check(Way::Nginx);
}

#[test]
fn haproxy_answers_as_the_table_says() {
    check(Way::Haproxy);
}

#[test]
fn traefik_answers_as_the_table_says() {
    check(Way::Traefik);
}

#[test]
fn caddy_answers_as_the_table_says() {
    check(Way::Caddy);
}

#[test]
fn envoy_answers_as_the_table_says_over_http() {
    check(Way::EnvoyHttp);
}

#[test]
fn envoy_answers_as_the_table_says_over_grpc() {
    check(Way::EnvoyGrpc);
}

#[test]
fn envoy_by_itself_answers_as_the_table_says() {
    check(Way::EnvoyNative);
}

#[test]
fn haproxy_by_itself_answers_as_the_table_says() {
    check(Way::HaproxyNative);
}

fn check(way: Way) {
    let issuer = TestIssuer::new();
    let rules: &[&str] = if way == Way::HaproxyNative { &["salad_workload_name=demo|a\\\\b"] } else { &[RULE] };
    let setting = Setting::start(way, &issuer, rules);
    let cases = table::cases(&issuer);
    let mut wrong: Vec<String> = cases.iter().filter_map(|case| wrong(way, &setting, case)).collect();
    wrong.extend(unused(way, &cases));
    let bearer = format!("Authorization: Bearer {}", issuer.token(now()));
    wrong.extend(ADMIN.iter().filter(|_| !way.is_native()).filter_map(|target| reached(&setting, target, &bearer)));
    assert!(wrong.is_empty(), "{way:?}, {} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// What is wrong with the answer to a case.
fn wrong(way: Way, setting: &Setting, case: &Case) -> Option<String> {
    let headers: Vec<&str> = case.headers.iter().map(String::as_str).collect();
    let answer = setting.send("GET", &case.target, &headers);
    let got = match &answer {
        Err(_) => Outcome::RefusedSomehow,
        Ok(answer) => outcome(answer),
    };
    let expected = expected(way, case);
    let is_right = got.satisfies(&expected);
    let challenged = answer.is_ok_and(|answer| answer.status != 401 || answer.header("WWW-Authenticate").is_some());
    if is_right && (challenged || got == Outcome::RefusedSomehow) {
        return None;
    }
    let why = DIFFERENCES.iter().find(|other| other.ways.contains(&way) && other.is_about(case));
    let why = why.map_or("the table says so", |other| other.why);
    let challenge = if challenged { "" } else { ", no challenge" };
    Some(format!("{}: expected {expected:?}, since {why}, got {got:?}{challenge}", case.name))
}

fn expected(way: Way, case: &Case) -> Outcome {
    let other = DIFFERENCES.iter().find(|other| other.ways.contains(&way) && other.is_about(case));
    match (other.map(|other| other.outcome), &case.expected) {
        (None, expected) => expected.clone(),
        (Some(Other::Refused(status)), _) => Outcome::Refused(status),
        (Some(Other::Passes), _) => Outcome::Passes(case.told.clone()),
        (Some(Other::Tells(header, value)), _) => {
            let mut told = case.told.clone();
            told.insert(header.to_owned(), value.to_owned());
            told.retain(|_, value| !value.is_empty());
            Outcome::Passes(told)
        }
    }
}

impl Difference {
    fn is_about(&self, case: &Case) -> bool {
        self.cases.iter().any(|name| case.name == *name)
    }
}

/// Differences that are none.
fn unused(way: Way, cases: &[Case]) -> Vec<String> {
    let of_way = DIFFERENCES.iter().filter(|other| other.ways.contains(&way));
    let names = of_way.flat_map(|other| other.cases);
    let missing = names.filter(|name| !cases.iter().any(|case| case.name == **name));
    missing.map(|name| format!("no case is named {name}")).collect()
}

fn outcome(answer: &Answer) -> Outcome {
    match echoed(answer) {
        None => Outcome::Refused(answer.status),
        Some(echoed) => Outcome::Passes(told(&echoed)),
    }
}

/// What an application takes for who asks: it makes variables of headers, in which letters and digits alone differ.
pub(super) fn told(echoed: &Echoed) -> Told {
    let mut told = Told::new();
    for (name, value) in &echoed.headers {
        let name: String =
            name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect();
        let name = name.to_ascii_lowercase();
        if name == "authorization" || (name.starts_with("x-cress-") && name != "x-cress-status" && !value.is_empty()) {
            // What is there twice is never what is expected.
            told.entry(name)
                .and_modify(|known| known.push_str(&format!(" and {value}")))
                .or_insert_with(|| value.clone());
        }
    }
    told
}

/// Whether the service would take this for /admin.
fn reached(setting: &Setting, target: &str, bearer: &str) -> Option<String> {
    let answer = setting.send("GET", target, &[bearer]).ok()?;
    let target_behind = echoed(&answer)?.target;
    let path = target_behind.split_once('?').map_or(target_behind.as_str(), |(path, _)| path);
    is_admin(path).then(|| format!("{target} reached the service as {target_behind}"))
}

/// Whoever decodes, merges, cuts at semicolons and resolves, as lenient servers do.
fn is_admin(path: &str) -> bool {
    let mut text = path.to_ascii_lowercase();
    for _ in 0..2 {
        for (code, letter) in [
            ("%2e", "."),
            ("%2f", "/"),
            ("%5c", "/"),
            ("%00", ""),
            ("%25", "%"),
            ("%61", "a"),
            ("%64", "d"),
            ("%6d", "m"),
            ("%69", "i"),
            ("%6e", "n"),
        ] {
            text = text.replace(code, letter);
        }
    }
    let mut segments: Vec<&str> = Vec::new();
    for segment in text.split(['/', '\\']).map(|segment| segment.split(';').next().unwrap_or_default()) {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            other => segments.push(other),
        }
    }
    segments.contains(&"admin")
}
