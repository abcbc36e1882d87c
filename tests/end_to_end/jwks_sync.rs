// SPDX-License-Identifier: Apache-2.0
//! `cress jwks sync`: files that follow a key set, whatever its server, the disk and the program that reads them do.

mod haproxy;
pub(crate) mod load;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use cress_domain::Timestamp;
use cress_testkit::TestIssuer;
use cress_tests::{Program, cress, eventually};
use serde_json::Value;
use tempfile::TempDir;

use crate::key_set_server::KeySetServer;

pub(crate) fn now() -> Timestamp {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    Timestamp::from_unix_seconds(i64::try_from(seconds).unwrap())
}

/// A directory with outputs.
struct Outputs(TempDir);

impl Outputs {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn output(&self, kind: &str, name: &str) -> [String; 2] {
        ["--output".to_owned(), format!("{kind}:{}", self.path(name).display())]
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// The names in a directory.
    fn list(&self, name: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(name)).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn arguments(jwks: &str, outputs: &[[String; 2]], others: &[&str]) -> Vec<String> {
    let mut all = vec!["jwks".to_owned(), "sync".to_owned(), "--jwks".to_owned(), jwks.to_owned()];
    all.extend(outputs.iter().flatten().cloned());
    all.extend(others.iter().map(|&text| text.to_owned()));
    all
}

/// Exit code, JSON report and errors of one pass.
fn once(jwks: &str, outputs: &[[String; 2]], others: &[&str]) -> (Option<i32>, Value, String) {
    let mut all = arguments(jwks, outputs, others);
    all.extend(["--once".to_owned(), "--json".to_owned()]);
    let output = cress(&all.iter().map(String::as_str).collect::<Vec<_>>()).output().unwrap();
    let report = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output.status.code(), report, String::from_utf8(output.stderr).unwrap())
}

/// One that looks every second.
fn follow(jwks: &str, outputs: &[[String; 2]], others: &[&str], log: &Path) -> Program {
    let mut all = arguments(jwks, outputs, others);
    all.extend(["--interval-seconds".to_owned(), "1".to_owned()]);
    Program::start(cress(&all.iter().map(String::as_str).collect::<Vec<_>>()), log)
}

#[test]
fn each_form_is_written_once_and_read_by_openssl() {
    let (mut issuer, outputs) = (TestIssuer::new(), Outputs::new());
    issuer.add_key("../../escape");
    let server = KeySetServer::start(&issuer.jwks_json());
    let kinds = [("jwks", "set.json"), ("jwk", "one.json"), ("pem", "all.pem"), ("pem-dir", "keys")];
    let all = kinds.map(|(kind, name)| outputs.output(kind, name));
    let reload = format!("echo x >> {}", outputs.path("reloads").display());
    let options = ["--kid", "test-1", "--reload", &reload];
    for (changed, reloaded, reloads) in [(true, "done", "x\n"), (false, "not_needed", "x\n")] {
        let (code, report, errors) = once(&server.url(), &all, &options);
        assert_eq!(code, Some(0), "{errors}");
        assert_eq!((&report["changed"], &report["reload"]), (&changed.into(), &reloaded.into()), "{report}");
        assert_eq!(outputs.read("reloads"), reloads);
    }
    assert_eq!(outputs.read("set.json").trim(), issuer.jwks_json());
    assert!(outputs.read("one.json").contains("\"test-1\""));
    assert_eq!(outputs.read("all.pem").matches("BEGIN PUBLIC KEY").count(), 2);
    assert_eq!(outputs.list("keys"), [".cress-jwks-sync", "=2E.=2F..=2Fescape.pem", "test-1.pem"]);
    for name in ["set.json", "all.pem", "keys/test-1.pem"] {
        assert_eq!(outputs.path(name).metadata().unwrap().permissions().mode() & 0o777, 0o644, "{name}");
    }
    let mut openssl = std::process::Command::new("openssl");
    let openssl = openssl.args(["pkey", "-pubin", "-pubout", "-in"]).arg(outputs.path("keys/test-1.pem"));
    let printed = openssl.output().unwrap();
    assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    assert_eq!(printed.stdout, outputs.read("keys/test-1.pem").into_bytes());
}

#[test]
fn no_bad_answer_touches_good_files() {
    let (issuer, outputs) = (TestIssuer::new(), Outputs::new());
    let server = KeySetServer::start(&issuer.jwks_json());
    let all = [outputs.output("jwks", "set.json"), outputs.output("pem-dir", "keys")];
    let reload = format!("echo x >> {}", outputs.path("reloads").display());
    let pass = || once(&server.url(), &all, &["--reload", &reload]);
    assert_eq!(pass().0, Some(0));

    let elsewhere = KeySetServer::start(&TestIssuer::new().jwks_json());
    let location = format!("Location: {}\r\n", elsewhere.url());
    let many = format!("{{\"keys\":[{}]}}", vec!["{}"; 10_000].join(","));
    let unusable = r#"{"keys":[{"kty":"oct","k":"AAAA","kid":"a"},{"kty":"EC","kid":"b"}]}"#;
    for (status, header, body, expected) in [
        ("200 OK", "", r#"{"keys":[]}"#, "at least one usable key"),
        ("200 OK", "", unusable, "at least one usable key"),
        ("200 OK", "", "", "expected a JSON Web Key Set"),
        ("200 OK", "", "<html>garbage</html>", "expected a JSON Web Key Set"),
        ("200 OK", "", &issuer.jwks_json()[..100], "expected a JSON Web Key Set"),
        ("200 OK", "", &" ".repeat(10_000_000), "at most 262144 bytes"),
        ("200 OK", "", &many, "at most 256 keys"),
        ("302 Found", &location, "", "got a redirect (302)"),
        ("503 Service Unavailable", "", &issuer.jwks_json(), "got status 503"),
    ] {
        server.answer(status, header, body);
        let (code, report, errors) = pass();
        assert_eq!((code, &report["changed"]), (Some(1), &Value::Bool(false)), "{status}: {report}");
        assert!(errors.contains(expected), "{status}: {errors}");
        assert_eq!(outputs.read("set.json").trim(), issuer.jwks_json());
    }
    server.break_down();
    let (code, _, errors) = pass();
    assert_eq!(code, Some(1));
    assert!(errors.contains("no answer from the key set's server"), "{errors}");
    assert_eq!(elsewhere.served(), 0);
    assert_eq!(outputs.list("keys"), [".cress-jwks-sync", "test-1.pem"]);
    assert_eq!(outputs.read("reloads"), "x\n");
}

#[test]
fn an_outage_is_survived_and_a_change_after_it_is_seen() {
    let (mut issuer, outputs) = (TestIssuer::new(), Outputs::new());
    let server = KeySetServer::start(&issuer.jwks_json());
    let all = [outputs.output("pem-dir", "keys"), outputs.output("jwks", "set.json")];
    let mut program = follow(&server.url(), &all, &[], &outputs.path("log"));
    eventually("the first files", || outputs.path("set.json").exists().then_some(()));
    server.break_down();
    eventually("two failed looks", || (server.served() >= 2).then_some(()));
    // Files that somebody removes come back without the issuer.
    std::fs::remove_file(outputs.path("set.json")).unwrap();
    eventually("the file to be there again", || outputs.path("set.json").exists().then_some(()));

    issuer.add_key("test-2");
    issuer.drop_key("test-1");
    server.publish(&issuer.jwks_json());
    let wanted = [".cress-jwks-sync", "test-2.pem"];
    eventually("the new keys", || (outputs.list("keys") == wanted).then_some(()));
    assert!(program.interrupt().status.success());
    assert!(program.output().contains("the files stay as they are"), "{}", program.output());
}

#[test]
fn an_output_that_cannot_be_written_holds_back_the_reload_and_nothing_else() {
    let (issuer, outputs) = (TestIssuer::new(), Outputs::new());
    let server = KeySetServer::start(&issuer.jwks_json());
    let all = [outputs.output("pem", "missing/all.pem"), outputs.output("jwks", "set.json")];
    let reload = format!("echo x >> {}", outputs.path("reloads").display());
    let mut program = follow(&server.url(), &all, &["--reload", &reload, "--json"], &outputs.path("log"));
    eventually("the file that can be written", || outputs.path("set.json").exists().then_some(()));
    eventually("the error", || program.output().contains("\"reload\":\"pending\"").then_some(()));
    assert!(program.output().contains("missing/all.pem: it does not exist"), "{}", program.output());
    assert!(!outputs.path("reloads").exists());
    std::fs::create_dir(outputs.path("missing")).unwrap();
    eventually("the reload", || outputs.path("reloads").exists().then_some(()));
    assert!(program.interrupt().status.success());
    assert_eq!(outputs.read("reloads"), "x\n");
}

#[test]
fn a_reload_that_fails_is_run_again_also_by_the_next_process() {
    let (issuer, outputs) = (TestIssuer::new(), Outputs::new());
    let server = KeySetServer::start(&issuer.jwks_json());
    let all = [outputs.output("jwks", "set.json")];
    let (works, reloads) = (outputs.path("works"), outputs.path("reloads"));
    let reload = format!("test -e {} && echo x >> {}", works.display(), reloads.display());
    for changed in [true, false] {
        let (code, report, errors) = once(&server.url(), &all, &["--reload", &reload]);
        assert_eq!((code, &report["reload"]), (Some(1), &"failed".into()), "{report}");
        assert_eq!(report["changed"], changed);
        assert!(errors.contains("the reload command failed (exit status: 1)"), "{errors}");
    }
    let mut program = follow(&server.url(), &all, &["--reload", &reload], &outputs.path("log"));
    eventually("two failures", || (program.output().matches("reload command failed").count() >= 2).then_some(()));
    std::fs::write(&works, "").unwrap();
    eventually("the reload", || reloads.exists().then_some(()));
    assert!(program.interrupt().status.success());
    let (code, report, _) = once(&server.url(), &all, &["--reload", &reload]);
    assert_eq!((code, &report["reload"]), (Some(0), &"not_needed".into()));
    assert_eq!(outputs.read("reloads"), "x\n");
}

#[test]
fn a_directory_that_only_others_may_write_to_is_an_error() {
    let (issuer, outputs) = (TestIssuer::new(), Outputs::new());
    let set = outputs.path("set.json");
    std::fs::write(&set, issuer.jwks_json()).unwrap();
    // Root may write anywhere but into /proc.
    let output = ["--output".to_owned(), "pem:/proc/keys.pem".to_owned()];
    let (code, _, errors) = once(&set.display().to_string(), &[output], &[]);
    assert_eq!(code, Some(1));
    assert!(errors.contains("cannot write /proc/keys.pem"), "{errors}");
    std::fs::set_permissions(&set, Permissions::from_mode(0o600)).unwrap();
    let (code, report, _) = once(&set.display().to_string(), &[outputs.output("pem", "all.pem")], &[]);
    assert_eq!((code, &report["keys"][0]), (Some(0), &"test-1".into()));
}

#[test]
fn wrong_usage_is_told_before_anything_is_written() {
    let outputs = Outputs::new();
    for (output, options, code, expected) in [
        ("jwks", &[][..], 2, "expected KIND:PATH"),
        ("xml:x", &[], 2, "expected one of jwks, jwk, pem"),
        ("jwks:x", &["--interval-seconds", "0"], 2, "1..=3600"),
        ("haproxy-map:x", &[], 1, "add one --output pem-dir:DIR"),
        ("jwks:x", &["--kid", "a"], 1, "expected an output of the kind jwk"),
        ("jwks:x", &["--jwks", "http://issuer.example/"], 2, ""),
    ] {
        let output = ["--output".to_owned(), output.to_owned()];
        let (got, _, errors) = once("https://issuer.invalid/", &[output], options);
        assert_eq!(got, Some(code), "{errors}");
        assert!(errors.contains(expected), "{errors}");
    }
    let (code, _, errors) = once("http://issuer.example/jwks", &[outputs.output("jwks", "x")], &[]);
    assert_eq!(code, Some(1));
    assert!(errors.contains("expected an https URL"), "{errors}");
}
