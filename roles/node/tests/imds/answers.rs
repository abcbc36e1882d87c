// SPDX-License-Identifier: Apache-2.0
//! What the metadata service answers from its backend, and what it does under limits.

use std::io::{ErrorKind, Read};
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::support::{AUDIENCE_TOKEN, Open, TOKEN, eventually, number, start};
use cress_node::imds::{Limits, TokenAnswer, TokenBody};

#[test]
fn a_token_is_answered_for_each_allowed_audience() {
    let server = start(Limits::default());
    let answer = server.get("/v1/token");
    assert_eq!((answer.status, answer.body), (200, format!(r#"{{"jwt":"{TOKEN}"}}"#).into_bytes()));
    assert_eq!(server.get("/v1/token?audience=https%3A%2F%2Fbroker.example%2Fv1").json()["jwt"], AUDIENCE_TOKEN);
    let answer = server.get("/v1/token?audience=other");
    assert_eq!((answer.status, answer.code().as_deref()), (403, Some("audience-not-allowed")));
}

#[test]
fn a_token_that_is_being_fetched_is_waited_for() {
    let server = start(Limits { wait_milliseconds_max: number(60_000), ..Limits::default() });
    server.backend.set_token(TokenAnswer::Pending);
    let target = server.target();
    let mut waiting = Open::to(&target);
    waiting.send(&target.request("GET", "/v1/token", &[], "")).unwrap();
    // One request waits; others are served meanwhile.
    assert_eq!(server.get("/v1/status").status, 200);
    server.backend.set_token(TokenAnswer::Ready(TokenBody::new(TOKEN)));
    assert_eq!(waiting.receive().unwrap().json()["jwt"], TOKEN);
}

#[test]
fn no_token_means_try_again() {
    let server = start(Limits { wait_milliseconds_max: number(50), ..Limits::default() });
    for (answer, status, code) in [
        (TokenAnswer::Pending, 503, "token-not-ready"),
        (TokenAnswer::Unavailable, 503, "token-not-ready"),
        (TokenAnswer::InstanceUnknown, 404, "instance-not-found"),
    ] {
        server.backend.set_token(answer);
        let answer = server.get("/v1/token");
        assert_eq!((answer.status, answer.code().as_deref()), (status, Some(code)));
        assert_eq!(answer.faults(false), Vec::<&str>::new());
    }
    for path in ["/v1/status", "/v1/deletion-cost"] {
        assert_eq!(server.get(path).code().as_deref(), Some("instance-not-found"));
    }
}

#[test]
fn status_restart_and_deletion_cost_reach_the_instance() {
    let server = start(Limits::default());
    let target = server.target();
    assert_eq!(server.get("/v1/status").body, br#"{"ready":false,"started":true}"#);

    let json = "Content-Type: application/json";
    for (headers, body) in [
        (vec![], ""),
        (vec!["Content-Length: 0"], ""),
        (vec![json, "Content-Length: 2"], "{}"),
        (vec![json, "Transfer-Encoding: chunked"], "0\r\n\r\n"),
    ] {
        let before = server.backend.restarts.load(Ordering::SeqCst);
        let answer = target.ask(&target.request("POST", "/v1/restart", &headers, body)).unwrap();
        assert_eq!((answer.status, answer.faults(false)), (204, vec![]), "{headers:?}");
        assert_eq!(server.backend.restarts.load(Ordering::SeqCst), before + 1);
    }

    assert_eq!(server.get("/v1/deletion-cost").body, br#"{"deletion_cost":0}"#);
    for cost in [i32::MIN, -1, 0, 7, i32::MAX] {
        assert_eq!(server.put_deletion_cost(&format!(r#"{{"deletion_cost":{cost}}}"#)).status, 204);
        assert_eq!(server.get("/v1/deletion-cost").json()["deletion_cost"], cost);
    }
    let answer = server.put_deletion_cost(r#"{"deletion_cost":"many"}"#);
    assert_eq!(
        answer.json()["errors"],
        serde_json::json!({"deletion_cost": ["expected an integer from -2147483648 to 2147483647"]})
    );
}

#[test]
fn a_connection_serves_one_request_after_another() {
    let server = start(Limits::default());
    let target = server.target();
    let mut open = Open::to(&target);
    let body = r#"{"deletion_cost":5}"#;
    let requests = [
        target.request("GET", "/v1/token", &[], ""),
        target.request("GET", "/v1/nowhere", &[], ""),
        target.request("PUT", "/v1/deletion-cost", &["Content-Type: application/json", "Content-Length: 19"], body),
        target.request(
            "PUT",
            "/v1/deletion-cost",
            &["Content-Type: application/json; charset=utf-8", "Transfer-Encoding: chunked"],
            &format!("13\r\n{body}\r\n0\r\nX-Trailer: x\r\n\r\n"),
        ),
        target.request("PUT", "/v1/deletion-cost", &["Content-Type: application/json", "Content-Length: 2"], "{}"),
        target.request("GET", "/v1/deletion-cost", &[], ""),
    ];
    let statuses = [200, 404, 204, 204, 400, 200];
    for (request, status) in requests.iter().zip(statuses) {
        open.send(request).unwrap();
        assert_eq!(open.receive().unwrap().status, status);
    }
    // All at once, many times over: more than one read and one write hold.
    let rounds = 50;
    open.send(&requests.concat().repeat(rounds)).unwrap();
    for _ in 0..rounds {
        for status in statuses {
            assert_eq!(open.receive().unwrap().status, status);
        }
    }
    // And byte by byte.
    for byte in &requests[0] {
        open.send(&[*byte]).unwrap();
    }
    assert_eq!(open.receive().unwrap().json()["jwt"], TOKEN);
}

#[test]
fn what_cannot_be_parsed_is_answered_after_what_could() {
    let server =
        start(Limits { head_milliseconds_max: number(100), idle_milliseconds_max: number(300), ..Limits::default() });
    let target = server.target();
    let good = target.request("GET", "/v1/token", &[], "");
    for (bad, status) in [
        (&b"NONSENSE\r\n\r\n"[..], 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (b"GET / HTTP/1.1\r\nX: ", 408),
        (&[b'x'; 20_000], 414),
    ] {
        let mut open = Open::to(&target);
        open.send(&[&good, &good, bad].concat()).unwrap();
        let answers: Vec<_> = (0..3).map(|_| open.receive().unwrap()).collect();
        assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [200, 200, status]);
        assert_eq!(answers[2].faults(false), Vec::<&str>::new());
        assert_eq!(answers[2].header("connection"), Some("close"));
        assert_eq!(open.reader().read(&mut [0]).unwrap(), 0, "expected the connection to be closed");
    }
}

#[test]
fn an_unread_body_is_never_taken_for_a_request() {
    let server = start(Limits::default());
    let target = server.target();
    let inner = String::from_utf8(target.request("GET", "/v1/token", &[], "")).unwrap();
    let length = format!("Content-Length: {}", inner.len());
    for (method, path) in [("GET", "/v1/token"), ("POST", "/v1/reallocate"), ("PUT", "/v1/deletion-cost")] {
        let mut open = Open::to(&target);
        open.send(&target.request(method, path, &[&length], &inner)).unwrap();
        let answer = open.receive().unwrap();
        assert!(answer.status >= 400);
        assert_eq!(answer.header("connection"), Some("close"));
        assert_eq!(open.reader().read(&mut [0]).unwrap(), 0, "expected the connection to be closed");
    }
}

#[test]
fn idle_connections_are_closed_without_a_word() {
    let server = start(Limits { idle_milliseconds_max: number(50), ..Limits::default() });
    let target = server.target();
    let mut fresh = Open::to(&target);
    assert_eq!(fresh.reader().read(&mut [0]).unwrap(), 0);
    let mut used = Open::to(&target);
    used.send(&target.request("GET", "/v1/token", &[], "")).unwrap();
    assert_eq!(used.receive().unwrap().status, 200);
    assert_eq!(used.reader().read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_caller_that_never_reads_is_dropped() {
    let server = start(Limits { write_milliseconds_max: number(100), ..Limits::default() });
    let target = server.target();
    let mut open = Open::to(&target);
    open.reader().get_mut().set_write_timeout(Some(Duration::from_secs(10))).unwrap();
    let request = target.request("GET", "/v1/nowhere", &[], "").repeat(100);
    let error = (0..100_000).find_map(|_| open.send(&request).err()).unwrap();
    assert!(matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{error}");
}

#[test]
fn requests_beyond_the_rate_are_refused_for_one_instance_alone() {
    let noisy =
        start(Limits { requests_per_second_max: number(1), requests_burst_max: number(3), ..Limits::default() });
    let quiet =
        start(Limits { requests_per_second_max: number(1), requests_burst_max: number(3), ..Limits::default() });
    let answers: Vec<_> = (0..6).map(|_| noisy.get("/v1/token")).collect();
    assert!(answers[..3].iter().all(|answer| answer.status == 200));
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status == 429).collect();
    assert!(refused.len() >= 2, "{answers:?}");
    for answer in refused {
        assert_eq!((answer.code().as_deref(), answer.faults(false)), (Some("rate-limited"), vec![]));
        assert!(answer.header("retry-after").unwrap().parse::<u32>().unwrap() >= 1);
    }
    assert_eq!(quiet.get("/v1/token").status, 200);
    assert!(noisy.counts().rate_limited >= 2);
    assert_eq!(quiet.counts().rate_limited, 0);
}

#[test]
fn connections_beyond_the_limit_are_refused_until_others_close() {
    let server = start(Limits { connections_max: number(4), ..Limits::default() });
    let target = server.target();
    let request = target.request("GET", "/v1/token", &[], "");
    let mut open: Vec<_> = (0..4).map(|_| Open::to(&target)).collect();
    for open in &mut open {
        open.send(&request).unwrap();
        assert_eq!(open.receive().unwrap().status, 200);
    }
    let answer = target.ask(&request).unwrap();
    assert_eq!((answer.status, answer.code().as_deref()), (503, Some("too-many-connections")));
    assert_eq!(answer.faults(false), Vec::<&str>::new());
    open[0].send(&request).unwrap();
    assert_eq!(open[0].receive().unwrap().status, 200);
    drop(open);
    eventually("room for new connections", || target.ask(&request).is_ok_and(|answer| answer.status == 200));
    assert!(server.counts().connections_refused >= 1);
}

#[test]
fn an_end_lets_open_requests_finish() {
    let mut server = start(Limits { drain_milliseconds_max: number(60_000), ..Limits::default() });
    server.backend.set_token(TokenAnswer::Pending);
    let target = server.target();
    let (mut idle, mut waiting) = (Open::to(&target), Open::to(&target));
    idle.send(&target.request("GET", "/v1/status", &[], "")).unwrap();
    assert_eq!(idle.receive().unwrap().status, 200);
    waiting.send(&target.request("GET", "/v1/token", &[], "")).unwrap();
    eventually("the request to have been taken", || server.counts().connections == 2);
    // The status answered on another connection proves nothing about this one: give its head time to be parsed.
    assert_eq!(server.get("/v1/status").status, 200);
    server.shut_down();
    assert_eq!(idle.reader().read(&mut [0]).unwrap(), 0);
    eventually("no new connections", || target.connect().is_err());
    server.backend.set_token(TokenAnswer::InstanceUnknown);
    assert_eq!(waiting.receive().unwrap().code().as_deref(), Some("instance-not-found"));
    drop((idle, waiting));
    server.join();
}
