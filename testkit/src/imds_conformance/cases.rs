// SPDX-License-Identifier: Apache-2.0
//! The table of cases.

mod call;
mod head;

use cress_api::imds;

use super::{Case, Target, Then};

/// Methods that each rule is tried with.
pub const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"];
/// Paths of the service.
pub const PATHS: [&str; 6] =
    [imds::TOKEN, imds::STATUS, imds::REALLOCATE, imds::RECREATE, imds::RESTART, imds::DELETION_COST];
/// Headers that say that a request came through something else.
pub const FORWARDED_HEADERS: [&str; 8] = [
    "Forwarded",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Forwarded-Port",
    "X-Forwarded-Prefix",
    "x-forwarded-anything",
    "X-FORWARDED-FOR",
];

/// Every case that is answered at once.
#[must_use]
pub fn cases(target: &Target) -> Vec<Case> {
    let mut cases = vec![];
    cases.extend(head::headers_on_each_method(target));
    cases.extend(head::hosts(target));
    cases.extend(call::paths_and_methods(target));
    cases.extend(call::queries(target));
    cases.extend(call::bodies(target));
    cases.extend(head::sizes(target));
    cases.extend(head::versions(target));
    cases.extend(head::malformed());
    cases
}

/// The cases that are answered when the service has waited long enough.
#[must_use]
pub fn slow_cases(target: &Target) -> Vec<Case> {
    let head = target.request("GET", imds::TOKEN, &[], "");
    let body =
        target.request("PUT", imds::DELETION_COST, &["Content-Type: application/json", "Content-Length: 20"], "{");
    vec![
        case("a head that stops in the request line", start(&head, 6), 408, "header-timeout"),
        case("a head that stops in a header", start(&head, 40), 408, "header-timeout"),
        case("a head without its last line", start(&head, head.len() - 2), 408, "header-timeout"),
        case("empty lines and no request", b"\r\n\r\n", 408, "header-timeout"),
        case("a body that stops", &body, 408, "body-timeout"),
    ]
}

fn start(bytes: &[u8], length: usize) -> &[u8] {
    bytes.get(..length).unwrap_or(bytes)
}

fn case(name: impl Into<String>, request: &[u8], status: u16, code: &'static str) -> Case {
    Case { name: name.into(), request: request.to_vec(), then: Then::Wait, status: one_of(status), code: Some(code) }
}

fn good(name: impl Into<String>, request: &[u8]) -> Case {
    Case { name: name.into(), request: request.to_vec(), then: Then::Wait, status: &[200], code: None }
}

fn one_of(status: u16) -> &'static [u16] {
    match status {
        400 => &[400],
        403 => &[403],
        404 => &[404],
        405 => &[405],
        408 => &[408],
        411 => &[411],
        413 => &[413],
        414 => &[414],
        415 => &[415],
        431 => &[431],
        505 => &[505],
        _ => &[],
    }
}
