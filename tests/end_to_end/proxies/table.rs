// SPDX-License-Identifier: Apache-2.0
//! The one table of tokens and requests: what each must be answered, and what the service behind must be told. It holds for every
//! way; where a proxy differs by itself, `ways` says so.

use std::collections::BTreeMap;

use cress_testkit::{TestIssuer, bad_tokens_at, forge, with_changes};
use serde_json::{Map, Value, json};

use crate::jwks_sync::now;

/// What the service is told: names in small letters, and no empty values.
pub(super) type Told = BTreeMap<String, String>;

/// What comes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It reaches the service, which is told this.
    Passes(Told),
    /// The proxy answers, with this status.
    Refused(u16),
    /// The proxy answers with some error of the client, or hangs up.
    RefusedSomehow,
}

/// A request.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) target: String,
    pub(super) headers: Vec<String>,
    pub(super) expected: Outcome,
    /// What the token says, whoever signed it.
    pub(super) told: Told,
}

/// Each header that `cress config emit` speaks of by default, and its claim.
pub(super) const HEADERS: [(&str, &str); 7] = [
    ("x-cress-issuer", "iss"),
    ("x-cress-subject", "sub"),
    ("x-cress-instance", "salad_instance_id"),
    ("x-cress-machine", "salad_machine_id"),
    ("x-cress-workload", "salad_workload_id"),
    ("x-cress-workload-name", "salad_workload_name"),
    ("x-cress-organization", "salad_organization_id"),
];

/// All of them.
pub(super) fn cases(issuer: &TestIssuer) -> Vec<Case> {
    [tokens(issuer), claims(issuer), headers(issuer), targets(issuer), sizes(issuer)].concat()
}

/// The rule that every setting has.
pub(super) const RULE: &str = "salad_workload_name=demo|it's \"own\"|a\\\\b";

fn tokens(issuer: &TestIssuer) -> Vec<Case> {
    let good = issuer.token(now());
    let told = told(&issuer.claims(now()));
    let mut cases = vec![
        case("a good token", &good, Outcome::Passes(told.clone())),
        case("a good token once more", &good, Outcome::Passes(told)),
        case("of an issuer with another key of that id", &other(issuer).token(now()), Outcome::Refused(401)),
        case("expired long ago", &changed(issuer, &json!({"exp": now().unix_seconds() - 90})), Outcome::Refused(401)),
        case("good in an hour", &changed(issuer, &json!({"nbf": now().unix_seconds() + 3_600})), Outcome::Refused(401)),
        case(
            "issued in an hour",
            &changed(
                issuer,
                &json!({"iat": now().unix_seconds() + 3_600, "exp": now().unix_seconds() + 3_900, "nbf": null}),
            ),
            Outcome::Refused(401),
        ),
        case("another workload", &changed(issuer, &json!({"salad_workload_name": "other"})), Outcome::Refused(403)),
        case("no workload's name", &changed(issuer, &json!({"salad_workload_name": null})), Outcome::Refused(403)),
    ];
    let now = now();
    let later = (now.unix_seconds() + 300).to_string();
    cases.extend(bad_tokens_at(issuer, now).into_iter().filter(|bad| sent_as_it_is(&bad.token)).filter_map(|bad| {
        // These lie a second beyond the leeway, and some are good to verifiers that ask for less than cress's own services.
        let close = bad.name.starts_with("{\"nbf\":1")
            || bad.name.starts_with("{\"iat\":1")
            || bad.name.starts_with("{\"exp\":1");
        let lenient = ["{\"nbf\":null}", "{\"sub\":null}", "{\"salad_workload_id\":null}"].contains(&bad.name.as_str());
        // What is no bearer token at all is a wrong request (RFC 6750 section 3.1).
        let status = if bad.name == "Bearer before it" { 400 } else { 401 };
        (!(close || lenient)).then(|| case(&bad.name.replace(&later, "later"), &bad.token, Outcome::Refused(status)))
    }));
    let lasting = json!({"exp": now.unix_seconds() + 4_000});
    cases.push(case("a life of more than an hour", &changed(issuer, &lasting), Outcome::Refused(401)));
    cases
}

/// What cannot be written into a header's line is a matter of the client.
fn sent_as_it_is(token: &str) -> bool {
    !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
}

fn claims(issuer: &TestIssuer) -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, changes) in [
        ("a list of audiences", json!({"aud": ["elsewhere", issuer.audience()]})),
        ("no nbf", json!({"nbf": null})),
        ("no subject", json!({"sub": null})),
        ("no ids", json!({"salad_instance_id": null, "salad_machine_id": null, "salad_organization_id": null})),
        ("an apostrophe and quotes", json!({"salad_workload_name": "it's \"own\""})),
        ("a backslash", json!({"salad_workload_name": "a\\b"})),
        ("a list of names", json!({"salad_workload_name": ["other", "demo"]})),
        ("a line break", json!({"salad_machine_id": "a\r\nX-Cress-Workload: root"})),
        ("a line feed", json!({"salad_machine_id": "a\nX-Cress-Workload: root"})),
        ("a NUL", json!({"salad_machine_id": "a\u{0}b"})),
        ("not ASCII", json!({"salad_machine_id": "maschine-ü\u{1f4a5}"})),
        ("spaces around", json!({"salad_machine_id": " a b "})),
        ("a comma", json!({"salad_machine_id": "a,b"})),
        ("a number", json!({"salad_machine_id": 3})),
        ("an object", json!({"salad_machine_id": {"a": "root"}})),
        ("a claim of 3 kB", json!({"salad_machine_id": "x".repeat(1_500)})),
    ] {
        let claims = with_changes(issuer.claims(now()), &changes);
        let told = told(&claims);
        let mut case = case(&format!("claims: {name}"), &issuer.sign_claims(claims), Outcome::Passes(told));
        // Nothing that a client says may stand in for what a token does not say.
        case.headers.extend(HEADERS.iter().map(|(header, _)| format!("{header}: root")));
        cases.push(case);
    }
    cases
}

fn headers(issuer: &TestIssuer) -> Vec<Case> {
    let good = issuer.token(now());
    let told = told(&issuer.claims(now()));
    let bearer = format!("Authorization: Bearer {good}");
    let bad = format!("Authorization: Bearer {}", forge::alg_none(&good));
    let with = |name: &str, headers: &[&str], expected: Outcome| Case {
        name: format!("headers: {name}"),
        target: "/".to_owned(),
        headers: headers.iter().map(|&line| line.to_owned()).collect(),
        expected,
        told: told.clone(),
    };
    let mut cases = vec![
        with("none", &[], Outcome::Refused(401)),
        with("Basic", &["Authorization: Basic eDp5"], Outcome::Refused(401)),
        with("an empty one", &["Authorization:"], Outcome::Refused(401)),
        with("only the scheme", &["Authorization: Bearer "], Outcome::Refused(400)),
        with("no scheme", &[&format!("Authorization: {good}")], Outcome::Refused(401)),
        with("a small scheme", &[&format!("authorization: bearer {good}")], Outcome::Passes(told.clone())),
        with("two equal ones", &[&bearer, &bearer], Outcome::RefusedSomehow),
        with("good and bad", &[&bearer, &bad], Outcome::RefusedSomehow),
        with("bad and good", &[&bad, &bearer], Outcome::RefusedSomehow),
        with("two in one line", &[&format!("{bearer}, Bearer {good}")], Outcome::Refused(400)),
        with("good and Basic", &[&bearer, "Authorization: Basic eDp5"], Outcome::RefusedSomehow),
        with("a token elsewhere", &[&format!("X-Authorization: Bearer {good}")], Outcome::Refused(401)),
        with("another's name for it", &[&format!("Proxy-Authorization: Bearer {good}")], Outcome::Refused(401)),
        with("identity without a token", &["X-Cress-Subject: root"], Outcome::Refused(401)),
        with(
            "the proxy's own words",
            &[
                &bearer,
                "X-Original-URI: /admin",
                "X-Original-Method: get",
                "X-Forwarded-Uri: /admin",
                "X-Forwarded-Method: get",
                "X-Forwarded-Host: a, b",
                "X-Envoy-Original-Path: /admin",
                "X-Cress-Status: 200",
                "Forwarded: host=evil",
            ],
            Outcome::Passes(told.clone()),
        ),
    ];
    for spelling in [
        "X-Cress-Subject",
        "x-cress-subject",
        "X-CRESS-SUBJECT",
        "X_Cress_Subject",
        "X-Cress_Subject",
        "X.Cress.Subject",
    ] {
        let spoofed = format!("{spelling}: root");
        cases.push(with(spelling, &[&bearer, &spoofed, &spoofed], Outcome::Passes(told.clone())));
    }
    for letter in "!#$%&'*+^`|~".chars() {
        let spoofed = format!("X{letter}Cress{letter}Subject: root");
        cases.push(with(&spoofed.clone(), &[&bearer, &spoofed], Outcome::Passes(told.clone())));
    }
    let connection = [bearer.as_str(), "Connection: close, X-Cress-Subject, X-Cress-Workload"];
    cases.push(with("the connection's own", &connection, Outcome::Passes(told.clone())));
    cases
}

/// Nobody may go to /admin, however it is written. Whether another target passes is the proxy's.
fn targets(issuer: &TestIssuer) -> Vec<Case> {
    let good = issuer.token(now());
    let passes = Outcome::Passes(told(&issuer.claims(now())));
    [("/a/b.c?x=/../admin", passes.clone()), ("/a%20b", passes), ("/?access_token=", Outcome::Refused(401))]
        .into_iter()
        .map(|(target, expected)| {
            let (target, token) = match target.strip_suffix('=') {
                Some(_) => (format!("{target}{good}"), ""),
                None => (target.to_owned(), good.as_str()),
            };
            let name = format!("target: {}", target.split('=').next().unwrap_or_default());
            Case { target, ..case(&name, token, expected) }
        })
        .collect()
}

/// Spellings of `/admin`, for the test that nobody gets there.
pub(super) const ADMIN: [&str; 24] = [
    "/admin",
    "/admin/",
    "/admin/x",
    "/admin?x",
    "/%61dmin",
    "/%61%64%6d%69%6e",
    "/%2561dmin",
    "//admin",
    "///admin/",
    "/./admin",
    "/x/../admin",
    "/x/%2e%2e/admin",
    "/x/%2E%2E%2Fadmin",
    "/x/..%2fadmin",
    "/x/.%2e/admin",
    "/x/..;/admin",
    "/admin;a=b",
    "/admin/..;/admin",
    "/x/..\\admin",
    "\\admin",
    "/admin%2f",
    "/admin%00",
    "/x/../../admin",
    "http://other.example/admin",
];

fn sizes(issuer: &TestIssuer) -> Vec<Case> {
    let long = |length: usize| changed(issuer, &json!({"x": "x".repeat(length)}));
    let padded = |length: usize| format!("{}{}", issuer.token(now()), "A".repeat(length));
    let good = issuer.token(now());
    let mut cases = vec![
        case("a token of 6 kB", &long(4_000), Outcome::Passes(told(&issuer.claims(now())))),
        case("garbage of 9 kB", &padded(8_400), Outcome::RefusedSomehow),
        case("garbage of 20 kB", &padded(20_000), Outcome::RefusedSomehow),
        case("garbage of 100 kB", &padded(100_000), Outcome::RefusedSomehow),
    ];
    let mut crowded = case("200 headers", &good, Outcome::RefusedSomehow);
    crowded.headers.extend((0..200).map(|number| format!("X-{number}: y")));
    let mut large = case("a header of 200 kB", &good, Outcome::RefusedSomehow);
    large.headers.push(format!("X-Large: {}", "y".repeat(200_000)));
    cases.extend([crowded, large]);
    cases
}

fn case(name: &str, token: &str, expected: Outcome) -> Case {
    let headers = if token.is_empty() { vec![] } else { vec![format!("Authorization: Bearer {token}")] };
    Case { name: name.to_owned(), target: "/".to_owned(), headers, expected, told: said(token) }
}

fn changed(issuer: &TestIssuer, changes: &Value) -> String {
    issuer.sign_claims(with_changes(issuer.claims(now()), changes))
}

impl Outcome {
    /// Whether this is what was expected.
    pub(super) fn satisfies(&self, expected: &Self) -> bool {
        match (expected, self) {
            (Self::RefusedSomehow, Self::Refused(status)) => (400..500).contains(status),
            (expected, got) => expected == got,
        }
    }
}

/// An issuer of the same name with a key of its own.
fn other(issuer: &TestIssuer) -> TestIssuer {
    TestIssuer::with_issuer(issuer.issuer().as_str())
}

/// What the payload of a token says, if it has one.
fn said(token: &str) -> Told {
    let payload = token.split('.').nth(1).and_then(forge::decode);
    payload.and_then(|payload| serde_json::from_slice(&payload).ok()).map(|claims| told(&claims)).unwrap_or_default()
}

/// What these claims tell the service, as `cress authz` writes it.
pub(super) fn told(claims: &Map<String, Value>) -> Told {
    let pairs = HEADERS.iter().map(|(header, claim)| ((*header).to_owned(), written(claims.get(*claim))));
    pairs.filter(|(_, value)| !value.is_empty()).collect()
}

fn written(claim: Option<&Value>) -> String {
    match claim {
        Some(Value::String(text)) => encoded(text),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Array(items)) => items.iter().map(|item| written(Some(item))).collect::<Vec<_>>().join(","),
        _ => String::new(),
    }
}

fn encoded(text: &str) -> String {
    let write = |byte: u8| match byte {
        b'%' | b',' | b'"' | b'\\' => format!("%{byte:02X}"),
        0x21..=0x7e => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(write).collect()
}
