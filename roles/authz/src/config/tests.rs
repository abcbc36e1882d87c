// SPDX-License-Identifier: Apache-2.0
//! Bounds, and what cannot stand together.

use cress_verify::KeySource;

use super::*;

fn config() -> Config {
    let audience = "reports".parse().unwrap();
    let issuer =
        IssuerConfig::new("one", "https://one.example/x".parse().unwrap(), "https://keys.example", vec![audience]);
    Config::new(vec![issuer], vec![RuleConfig::new("all")])
}

fn rules(count: usize) -> Vec<RuleConfig> {
    (0..count).map(|number| RuleConfig::new(&number.to_string())).collect()
}

#[test]
fn numbers_have_bounds() {
    type Change = fn(&mut Config);
    for (change, error) in [
        ((|_| {}) as Change, None),
        (|config| config.cached_tokens_max = 0, None),
        (|config| config.cached_tokens_max = 10_000_000, None),
        (
            |config| config.cached_tokens_max = 10_000_001,
            Some("cached_tokens_max: expected 0 to 10000000, got 10000001"),
        ),
        (|config| config.rules = rules(1_000), None),
        (|config| config.rules = rules(1_001), Some("rules: expected at most 1000 rules, got 1001")),
        (|config| config.rules.clear(), Some("rules: expected at least one rule")),
        (|config| config.issuers.clear(), Some("issuers: expected at least one issuer")),
        (|config| config.drain_seconds = 601, Some("drain_seconds: expected 0 to 600, got 601")),
        (|config| config.limits.headers_max = 0, Some("limits.headers_max: expected 1 to 1000, got 0")),
        (|config| config.realm = "x".repeat(129), Some("realm: expected 1 to 128 bytes, got 129")),
        (|config| config.issuers[0].leeway_seconds = 301, Some("issuer \"one\": expected")),
    ] {
        let mut config = config();
        change(&mut config);
        match (config.check(), error) {
            (Ok(()), None) => {}
            (Err(got), Some(error)) => assert!(got.to_string().starts_with(error), "{got}"),
            (got, error) => panic!("expected {error:?}, got {got:?}"),
        }
    }
}

#[test]
fn keys_come_from_one_place() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("x.pem");
    std::fs::write(&file, "none").unwrap();
    let url = |change: &dyn Fn(&mut IssuerConfig)| {
        let mut issuer = config().issuers.remove(0);
        change(&mut issuer);
        issuer.trusted().map_err(|error| error.to_string()).map(|trusted| match trusted.keys {
            KeySource::Remote(keys) => keys.url().to_owned(),
            KeySource::File(path) => path.display().to_string(),
            other => panic!("{other:?}"),
        })
    };
    assert_eq!(url(&|_| {}), Ok("https://keys.example/".to_owned()));
    let discovery = "https://one.example/x/.well-known/openid-configuration";
    assert_eq!(url(&|issuer| issuer.jwks_url = None), Ok(discovery.to_owned()));
    for (change, expected) in [
        (
            &(|issuer: &mut IssuerConfig| issuer.jwks_file = Some("/x".into())) as &dyn Fn(&mut IssuerConfig),
            "expected either `jwks_url` or `jwks_file`",
        ),
        (
            &|issuer| {
                (issuer.jwks_url, issuer.jwks_file, issuer.ca_file) = (None, Some("/x".into()), Some(file.clone()))
            },
            "expected no `ca_file` together with `jwks_file`",
        ),
        (&|issuer| issuer.ca_file = Some(file.clone()), "expected PEM certificates to trust"),
        (
            &|issuer| issuer.ca_file = Some("/nowhere/x.pem".into()),
            "/nowhere/x.pem: the file of certificate authorities",
        ),
        (
            &|issuer| (issuer.jwks_url, issuer.issuer) = (None, Some("http://one.example".parse().unwrap())),
            "expected an https issuer, or an http one of this machine",
        ),
    ] {
        let error = url(change).unwrap_err();
        assert!(error.starts_with("issuer \"one\": ") && error.contains(expected), "{error}");
    }
}
