// SPDX-License-Identifier: Apache-2.0
//! Which rule fits what.

use super::*;
use crate::config::IssuerConfig;
use crate::request::read_parts;

fn compile(config: &Config) -> Result<RuleSet, ConfigError> {
    RuleSet::compile(&Loaded::read(config.clone()).unwrap())
}

fn config(rules: Vec<RuleConfig>) -> Config {
    let audience = "reports".parse().unwrap();
    let issuer =
        IssuerConfig::new("one", "https://one.example".parse().unwrap(), "https://one.example/jwks", vec![audience]);
    Config::new(vec![issuer], rules)
}

fn rule(name: &str, change: impl FnOnce(&mut RuleConfig)) -> RuleConfig {
    let mut rule = RuleConfig::new(name);
    change(&mut rule);
    rule
}

#[test]
fn the_first_rule_that_fits_decides() {
    let rules = compile(&config(vec![
        rule("admin", |rule| rule.path = Some("/admin".to_owned())),
        rule("writes", |rule| rule.methods = vec!["PUT".to_owned(), "POST".to_owned()]),
        rule("api", |rule| rule.host = Some("api.example.com".to_owned())),
        rule("others", |rule| {
            rule.host = Some("*.example.com".to_owned());
            rule.path = Some("/".to_owned());
        }),
    ]))
    .unwrap();
    for (method, host, target, expected) in [
        ("GET", "api.example.com", "/admin", Some("admin")),
        ("PUT", "api.example.com", "/admin/x?y", Some("admin")),
        ("PUT", "api.example.com", "/administrator", Some("writes")),
        ("GET", "api.example.com:8443", "/Admin", Some("api")),
        ("GET", "API.example.com", "/", Some("api")),
        ("GET", "x.example.com", "/", Some("others")),
        ("GET", "x.y.example.com", "/", Some("others")),
        ("GET", "example.com", "/", None),
        ("GET", "xexample.com", "/", None),
        ("GET", "api.example.com.evil.example", "/", None),
    ] {
        let asked = read_parts(Some(method), Some(host), Some(target)).unwrap();
        let found = rules.find(&asked).unwrap().map(|rule| rule.name.as_str());
        assert_eq!(found, expected, "{method} {host} {target}");
    }
}

#[test]
fn what_the_rules_ask_for_must_be_told() {
    let rules = compile(&config(vec![
        rule("a", |rule| rule.host = Some("a.example".to_owned())),
        rule("b", |rule| rule.path = Some("/b".to_owned())),
        rule("c", |rule| rule.methods = vec!["GET".to_owned()]),
    ]))
    .unwrap();
    for (method, host, target, missing) in [
        (Some("GET"), None, Some("/"), "host"),
        (Some("GET"), Some("b.example"), None, "path"),
        (None, Some("b.example"), Some("/"), "method"),
    ] {
        let asked = read_parts(method, host, target).unwrap();
        assert_eq!(rules.find(&asked).unwrap_err(), AskedError::NotTold(missing));
    }
    // Where a rule before says enough, nothing more is asked.
    let asked = read_parts(None, Some("a.example"), None).unwrap();
    assert_eq!(rules.find(&asked).unwrap().unwrap().name, "a");
}

#[test]
fn rules_that_cannot_be_are_refused() {
    let check = |change: &dyn Fn(&mut RuleConfig)| {
        compile(&config(vec![rule("x", |rule| change(rule))])).map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(check(&|_| {}), Ok(()));
    assert_eq!(check(&|rule| rule.audiences = vec!["reports".parse().unwrap()]), Ok(()));
    for (change, message) in [
        (
            &(|rule: &mut RuleConfig| rule.host = Some("A.example".to_owned())) as &dyn Fn(&mut RuleConfig),
            "host: expected",
        ),
        (&|rule| rule.host = Some("*".to_owned()), "host: expected"),
        (&|rule| rule.host = Some("*.*.example".to_owned()), "host: expected"),
        (&|rule| rule.host = Some("a.example:80".to_owned()), "host: expected"),
        (&|rule| rule.path = Some("admin".to_owned()), "path: expected"),
        (&|rule| rule.path = Some("/a/../b".to_owned()), "path: expected"),
        (&|rule| rule.path = Some("/a*".to_owned()), "path: expected"),
        (&|rule| rule.methods = vec!["get".to_owned()], "methods: expected"),
        (&|rule| rule.claims = vec!["=x".to_owned()], "claims: \"=x\": expected"),
        (&|rule| rule.issuers = vec!["two".to_owned()], "issuers: expected the name"),
        (&|rule| rule.audiences = vec!["other".parse().unwrap()], "audiences: expected"),
        (
            &|rule| {
                rule.access = Access::Public;
                rule.claims = vec!["x".to_owned()];
            },
            "access = \"claims\" only",
        ),
    ] {
        let error = check(change).unwrap_err();
        assert!(error.starts_with("rule \"x\": ") && error.contains(message), "{error}");
    }
}

#[test]
fn headers_that_cannot_go_out_are_refused() {
    for (header, claim) in [
        ("Host", "sub"),
        ("Content-Length", "sub"),
        ("X_Under", "sub"),
        ("X Y", "sub"),
        ("X.Y", "sub"),
        ("Authorization", "sub"),
        ("X-Forwarded-User", "sub"),
        ("X-Envoy-Original-Path", "sub"),
        ("X-A", ""),
        ("X-A", "sub=x"),
        ("X-A", "/"),
    ] {
        let mut config = config(vec![RuleConfig::new("x")]);
        config.headers = [(header.to_owned(), claim.to_owned())].into();
        let error = compile(&config).unwrap_err().to_string();
        assert!(error.starts_with("header "), "{error}");
    }
    let mut twice = config(vec![RuleConfig::new("x")]);
    twice.headers =
        [("X-A", "sub"), ("x-a", "iss")].map(|(header, claim)| (header.to_owned(), claim.to_owned())).into();
    assert!(compile(&twice).unwrap_err().to_string().contains("each header once"));
}

#[test]
fn every_header_of_any_rule_is_always_there() {
    let mut config =
        config(vec![rule("x", |rule| rule.headers = Some([("X-Other".to_owned(), "sub".to_owned())].into()))]);
    config.headers = [("X-A".to_owned(), "sub".to_owned())].into();
    let rules = compile(&config).unwrap();
    let mut names: Vec<&str> = rules.anonymous().keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["x-a", "x-other"]);
    assert!(rules.anonymous().values().all(http::HeaderValue::is_empty));
}
