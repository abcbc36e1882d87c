// SPDX-License-Identifier: Apache-2.0
//! The services that `docs/services` shows, as they stand there, against good and bad tokens.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{SystemTime, UNIX_EPOCH};

use cress_domain::Timestamp;
use cress_testkit::{TestIssuer, forge, with_changes};
use cress_tests::{Answer, Program, base_port, eventually, get, node_modules_guides, python_guides, repository};
use serde_json::{Value, json};

use crate::key_set_server::KeySetServer;

/// A request's `Authorization` headers, and the status of its answer.
type Case = (&'static str, Vec<String>, u16);

fn now() -> Timestamp {
    Timestamp::default() + SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// The block of code that follows the line which names its file.
fn code(guide: &str, file: &str) -> String {
    let text = fs::read_to_string(repository().join("docs/services").join(guide)).unwrap();
    let (_, after) = text.split_once(&format!("\n`{file}`:\n")).unwrap();
    let (_, block) = after.split_once("\n```").unwrap();
    let (_, code) = block.split_once('\n').unwrap();
    code.split_once("\n```").unwrap().0.to_owned() + "\n"
}

fn write_code(guide: &str, file: &str, folder: &Path) {
    fs::write(folder.join(file), code(guide, file)).unwrap();
}

/// Starts the service and waits until it answers.
fn start(mut command: Command, keys: &str, issuer: &TestIssuer, port: u16, log: &Path) -> (Program, String) {
    command.env("JWKS_URL", keys).env("ISSUER", issuer.issuer().as_str()).env("AUDIENCE", issuer.audience().as_str());
    command.env("CONTAINER_GROUP_ID", issuer.identity().container_group_id.to_string());
    command.env("PORT", port.to_string());
    let mut service = Program::start(command, log);
    let url = format!("http://127.0.0.1:{port}/whoami");
    eventually("the service", || {
        let ended = service.ended();
        assert!(ended.is_none(), "{}", service.output());
        get(&url, &[]).ok()
    });
    (service, url)
}

fn ask(url: &str, authorization: &[String]) -> Answer {
    let lines: Vec<String> = authorization.iter().map(|value| format!("Authorization: {value}")).collect();
    get(url, &lines.iter().map(String::as_str).collect::<Vec<_>>()).unwrap()
}

fn cases(issuer: &TestIssuer, now: Timestamp) -> Vec<Case> {
    let seconds = now.unix_seconds();
    let good = issuer.token(now);
    let changed =
        |changes: Value| vec![format!("Bearer {}", issuer.sign_claims(with_changes(issuer.claims(now), &changes)))];
    let bearer = |token: String| vec![format!("Bearer {token}")];
    let header = |header: Value| bearer(forge::with_header(&good, &header.to_string()));
    vec![
        ("good", bearer(good.clone()), 200),
        ("good, in another case", vec![format!("bearer {good}")], 200),
        ("nothing", vec![], 401),
        ("another scheme", vec!["Basic dXNlcjpwYXNz".to_owned()], 401),
        ("no token", vec!["Bearer".to_owned()], 401),
        ("no JWT", bearer("abc".to_owned()), 401),
        ("the token alone", vec![good.clone()], 401),
        ("alg none", bearer(forge::alg_none(&good)), 401),
        ("alg HS256 with the public key", bearer(forge::hs256_with_public_key(&good, issuer)), 401),
        ("alg RS256", header(json!({"alg": "RS256", "kid": "test-1"})), 401),
        ("no signature", bearer(forge::without_signature(&good)), 401),
        ("a bit of the signature", bearer(forge::with_signature_bit_turned(&good, 5)), 401),
        ("another payload", bearer(forge::with_payload(&good, br#"{"sub":"root"}"#)), 401),
        ("another key of the same id", bearer(TestIssuer::new().token(now)), 401),
        ("an unknown key", header(json!({"alg": "ES256", "kid": "stranger", "typ": "JWT"})), 401),
        ("a path as the key's id", header(json!({"alg": "ES256", "kid": "../../dev/null", "typ": "JWT"})), 401),
        ("too long", bearer(format!("{good}{}", "A".repeat(9_000))), 401),
        ("expired", changed(json!({"exp": seconds - 40})), 401),
        ("not yet valid", changed(json!({"nbf": seconds + 100})), 401),
        ("without an end", changed(json!({"exp": null})), 401),
        ("without a start", changed(json!({"nbf": null})), 401),
        ("without a subject", changed(json!({"sub": null})), 401),
        ("another issuer", changed(json!({"iss": "https://issuer.test/"})), 401),
        ("another audience", changed(json!({"aud": "elsewhere"})), 401),
        ("no audience", changed(json!({"aud": null})), 401),
        ("one of several audiences", changed(json!({"aud": ["elsewhere", issuer.audience()]})), 200),
        ("another group", changed(json!({"salad_workload_id": "215f0bf7-c4c2-4457-85c5-71cd0819def7"})), 403),
        ("a list of groups", changed(json!({"salad_workload_id": [issuer.identity().container_group_id]})), 403),
        ("two headers, the first good", vec![format!("Bearer {good}"), "Bearer abc".to_owned()], 400),
        ("two headers, the second good", vec!["Bearer abc".to_owned(), format!("Bearer {good}")], 400),
    ]
}

/// The service with the issuer's keys, then one whose issuer is away.
fn check(command: impl Fn(u16) -> Command, folder: &Path, allowed: impl Fn(&str, u16) -> bool) {
    let (issuer, port, log) = (TestIssuer::new(), base_port(), folder.join("service.log"));
    let now = now();
    let keys = KeySetServer::start(&issuer.jwks_json());
    let (service, url) = start(command(port), &keys.url(), &issuer, port, &log);
    let machine = issuer.identity().machine_id.to_string();
    for (name, authorization, expected) in cases(&issuer, now) {
        let answer = ask(&url, &authorization);
        let status = answer.status;
        assert!(status == expected || allowed(name, status), "{name}: {answer:?}\n{}", service.output());
        assert_eq!(answer.body.contains(&machine), status == 200, "{name}: {answer:?}");
        let challenge = answer.header("www-authenticate").is_some_and(|value| value.starts_with("Bearer"));
        assert_eq!(challenge, matches!(status, 400 | 401 | 403), "{name}: {answer:?}");
    }
    let query = get(&format!("{url}?access_token={}", issuer.token(now)), &[]).unwrap();
    assert_eq!(query.status, 401, "{query:?}");
    // The two unknown keys cost one fetch more, if any.
    assert!((1..=3).contains(&keys.served()), "{} fetches", keys.served());

    // The issuer goes away: what is known stays known.
    keys.break_down();
    assert_eq!(ask(&url, &[format!("Bearer {}", issuer.token(now))]).status, 200);
    drop(service);

    let (service, url) = start(command(port + 1), &keys.url(), &issuer, port + 1, &log);
    let answer = ask(&url, &[format!("Bearer {}", issuer.token(now))]);
    assert_eq!(answer.status, 503, "{answer:?}\n{}", service.output());
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
}

#[test]
fn the_flask_guide_works() {
    let folder = tempfile::tempdir().unwrap();
    write_code("flask.md", "service.py", folder.path());
    let command = |port: u16| {
        let mut command = Command::new(python_guides());
        command.args(["-m", "flask", "--app", "service", "run", "--port", &port.to_string()]);
        command.current_dir(folder.path());
        command
    };
    // Flask joins the two into one that is no token.
    check(command, folder.path(), |name, status| name.starts_with("two headers") && status == 401);
}

#[test]
fn the_fastapi_guide_works() {
    let folder = tempfile::tempdir().unwrap();
    write_code("fastapi.md", "service.py", folder.path());
    let command = |port: u16| {
        let mut command = Command::new(python_guides());
        command.args(["-m", "uvicorn", "service:app", "--port", &port.to_string()]).current_dir(folder.path());
        command
    };
    check(command, folder.path(), |_, _| false);
}

#[test]
fn the_express_guide_works() {
    let folder = tempfile::tempdir().unwrap();
    write_code("express.md", "service.mjs", folder.path());
    std::os::unix::fs::symlink(node_modules_guides(), folder.path().join("node_modules")).unwrap();
    let command = |_| {
        let mut command = Command::new("node");
        command.arg("service.mjs").current_dir(folder.path());
        command
    };
    check(command, folder.path(), |_, _| false);
}

/// What the guide says between the fences of its first block of commands.
fn go(folder: &Path, arguments: &[&str]) -> Option<Output> {
    Command::new("go").args(arguments).current_dir(folder).env("CGO_ENABLED", "0").output().ok()
}

#[test]
fn the_go_guide_works_where_go_is() {
    let folder = tempfile::tempdir().unwrap();
    let guide = fs::read_to_string(repository().join("docs/services/go.md")).unwrap();
    let get = guide.lines().find(|line| line.starts_with("go get ")).unwrap();
    let get: Vec<&str> = get.split(' ').skip(1).collect();
    let fetched = go(folder.path(), &["mod", "init", "service"]).and_then(|_| go(folder.path(), &get));
    let Some(fetched) = fetched.filter(|output| output.status.success()) else {
        eprintln!(
            "SKIPPED: Go is not installed or its modules cannot be had; nothing is said about docs/services/go.md"
        );
        return;
    };
    drop(fetched);
    write_code("go.md", "main.go", folder.path());
    let built = go(folder.path(), &["build", "-o", "service", "."]).unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    // A claim of another type than the program's is a malformed token to it.
    let allowed = |name: &str, status| name == "a list of groups" && status == 401;
    check(|_| Command::new(folder.path().join("service")), folder.path(), allowed);
}
