// SPDX-License-Identifier: Apache-2.0
//! `cress config emit` as a command: nothing that a user gives becomes configuration of its own.

use cress_tests::cress;

const TARGETS: [&[&str]; 12] = [
    &["authz"],
    &["nginx"],
    &["haproxy"],
    &["haproxy", "--native"],
    &["envoy"],
    &["envoy", "--native"],
    &["traefik"],
    &["caddy"],
    &["istio"],
    &["istio", "--native"],
    &["kubernetes"],
    &["haproxy-lua"],
];

const ISSUER: &str = "--issuer=https://issuer.test";
const AUDIENCE: &str = "--audience=shop";

/// Exit code, configuration and errors.
fn emit(target: &[&str], options: &[&str]) -> (Option<i32>, String, String) {
    let output = cress(&[&["config", "emit"], target, options].concat()).output().unwrap();
    let [text, errors] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    (output.status.code(), text, errors)
}

#[test]
fn every_target_is_written_and_says_what_it_is() {
    for target in TARGETS {
        let (code, text, errors) = emit(target, &[ISSUER, AUDIENCE]);
        assert_eq!(code, Some(0), "{target:?}: {errors}");
        let first = text.lines().next().unwrap();
        assert!(first.starts_with("# ") || first.starts_with("-- "), "{target:?}: {first}");
        assert!(
            text.contains("Made by `cress config emit") || text.contains("Made by\n# `cress config emit"),
            "{target:?}"
        );
        assert!(!text.contains("@at@") && !text.contains('\t') || target[0] == "caddy", "{target:?}: {text}");
    }
}

#[test]
fn what_would_be_configuration_of_its_own_is_refused() {
    for (options, expected) in [
        (&["--issuer=https://a;b\n"][..], "as the issuer"),
        (&["--issuer=https://a b"], "as the issuer"),
        (&["--issuer=https://a\"b"], "as the issuer"),
        (&[ISSUER, "--audience=a b"], "expected an audience"),
        (&[ISSUER, "--audience=a\nb"], "expected an audience"),
        (&[ISSUER], "expected --audience"),
        (&[AUDIENCE], "expected --issuer"),
        (&[ISSUER, AUDIENCE, "--authz=http://127.0.0.1:1/;x"], "expected http://HOST:PORT"),
        (&[ISSUER, AUDIENCE, "--authz=http://$host:1"], "expected http://HOST:PORT"),
        (&[ISSUER, AUDIENCE, "--upstream=http://a{b:1"], "expected http://HOST:PORT"),
        (&[ISSUER, AUDIENCE, "--listen=127.0.0.1:1;x"], "expected an address with a port"),
        (&[ISSUER, AUDIENCE, "--header=X-A\nX-B=sub"], "expected a header's name"),
        (&[ISSUER, AUDIENCE, "--header=X_A=sub"], "expected a header's name"),
        (&[ISSUER, AUDIENCE, "--header=Host=sub"], "gives a meaning"),
        (&[ISSUER, AUDIENCE, "--header=X-A=a'b"], "expected a claim's name"),
        (&[ISSUER, AUDIENCE, "--header=X-A=sub", "--header=x-a=iss"], "expected each --header once"),
        (&[ISSUER, AUDIENCE, "--jwks-url=http://issuer.test/"], "expected an https URL"),
        (&[ISSUER, AUDIENCE, "--require=a'b=c"], "expected a claim's name"),
        (&[ISSUER, AUDIENCE, "--require=a=b\nc"], "without control characters"),
        (&[ISSUER, AUDIENCE, "--haproxy-dir=/etc/a b"], "expected an absolute path"),
        (&[ISSUER, AUDIENCE, "--output=/dev/null"], "expected a file or nothing at /dev/null"),
        (&["--issuer=http://issuer.test", AUDIENCE], "give --jwks-url"),
    ] {
        let (code, text, errors) = emit(&["nginx"], options);
        assert!(code != Some(0) && text.is_empty(), "{options:?}: {text}");
        assert!(errors.contains(expected), "{options:?}: {errors}");
    }
    for (target, options, expected) in [
        (&["haproxy", "--native"][..], "--require=a=it's", "without an apostrophe"),
        (&["haproxy", "--native"], "--issuer=https://it/'s", "without an apostrophe"),
        (&["haproxy", "--native"], "--algorithm=EdDSA", "an algorithm that HAProxy 2.6 knows"),
        (&["istio", "--native"], "--require=a=*", "without a star"),
        (&["istio", "--native"], "--issuer=https://a/*", "without stars"),
        (&["kubernetes"], "--issuer=http://127.0.0.1:1", "expected an https issuer"),
        (&["nginx", "--native"], "--issuer=https://a", "nginx checks no tokens by itself"),
        (&["traefik", "--native"], "--issuer=https://a", "Traefik checks no tokens by itself"),
        (&["caddy", "--native"], "--issuer=https://a", "Caddy checks no tokens by itself"),
        (&["authz"], "--authz=http://authz.internal:1", "expected an address"),
    ] {
        let issuer = if options.starts_with("--issuer") { "--listen=127.0.0.1:8080" } else { ISSUER };
        let (code, text, errors) = emit(target, &[options, issuer, AUDIENCE]);
        assert!(code == Some(1) && text.is_empty(), "{target:?} {options}: {text}");
        assert!(errors.contains(expected), "{target:?} {options}: {errors}");
    }
}

/// Whatever letters an issuer, an audience and a value may have.
#[test]
fn letters_that_mean_something_stay_text() {
    let issuer = "--issuer=https://a/$b;{c}%[d]%{e}`f`(g),h|i&j*!k<l>~@m@";
    let audience = "--audience=x:$b;{c}#y,z'`%[src](!*)@at@";
    let required = "--require=salad_workload_name=a b\\\\c\"d: {e} #f %[g] $h é|- x";
    for target in [&["authz"][..], &["envoy", "--native"], &["traefik"], &["kubernetes"]] {
        let (code, text, errors) = emit(target, &[issuer, audience, required, "--listen=127.0.0.1:8080"]);
        assert_eq!(code, Some(0), "{errors}");
        if target == ["authz"] {
            let table: toml::Table = text.parse().unwrap();
            let issuer = &table["issuers"][0];
            assert_eq!(issuer["issuer"].as_str(), Some("https://a/$b;{c}%[d]%{e}`f`(g),h|i&j*!k<l>~@m@"));
            assert_eq!(issuer["audiences"][0].as_str(), Some("x:$b;{c}#y,z'`%[src](!*)@at@"));
            let claims = table["rules"][0]["claims"].as_array().unwrap();
            assert_eq!(claims[0].as_str(), Some("salad_workload_name=a b\\\\c\"d: {e} #f %[g] $h é|- x"));
        }
    }
}

/// A header may be called as one of the configuration's own variables is.
#[test]
fn no_header_takes_a_variable_that_decides() {
    let headers: Vec<String> =
        ["Challenge", "Token", "Key", "Exp", "Nbf"].iter().map(|name| format!("--header={name}=sub")).collect();
    let mut options = vec![ISSUER, AUDIENCE];
    options.extend(headers.iter().map(String::as_str));
    for (target, once) in [
        (&["nginx"][..], &["auth_request_set $cress_challenge "][..]),
        (&["haproxy", "--native"], &["set-var(txn.token)", "set-var(txn.key)", "set-var(txn.exp)", "set-var(txn.nbf)"]),
    ] {
        let (code, text, errors) = emit(target, &options);
        assert_eq!(code, Some(0), "{errors}");
        for set in once {
            assert_eq!(text.matches(set).count(), 1, "{set} in {text}");
        }
    }
}

/// The sidecars of Istio are Envoys: what Envoy itself is told, and held to by the table, they are told too.
#[test]
fn istio_drops_and_refuses_what_envoy_does() {
    let lines = |target: &[&str]| {
        let (code, text, errors) = emit(target, &[ISSUER, AUDIENCE]);
        assert_eq!(code, Some(0), "{errors}");
        text.lines().map(|line| line.trim().trim_start_matches("- ").to_owned()).collect::<Vec<_>>()
    };
    let envoy = lines(&["envoy"]);
    let is_about_headers = |line: &&String| {
        ["headers_with_underscores_action:", "remove:", "remove_on_match:", "safe_regex:", "merge_slashes:"]
            .iter()
            .any(|start| line.starts_with(start))
    };
    let expected: Vec<&String> = envoy.iter().filter(is_about_headers).collect();
    assert!(expected.len() > 9, "{expected:?}");
    for target in [&["istio"][..], &["istio", "--native"]] {
        let istio = lines(target);
        assert!(expected.iter().all(|line| istio.contains(line)), "{istio:#?}");
    }
}
