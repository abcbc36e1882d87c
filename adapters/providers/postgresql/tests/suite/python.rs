// SPDX-License-Identifier: Apache-2.0
//! The credential in psycopg, as an application has it: by its URL and by its parts, until the session is cut.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::site::{Site, VERSIONS, text};

/// Says `in` when it has written and read, and `cut: <exception>` when its session ended under it; then `out` if it is let in no more.
const APPLICATION: &str = r#"
import json, sys, psycopg
issued = json.load(sys.stdin)
parts = dict(user=issued["username"], password=issued["password"], host=issued["host"], port=issued["port"],
             dbname=issued["database"], sslmode=issued["sslmode"])
with psycopg.connect(**parts) as other:
    assert other.execute("SELECT current_user").fetchone()[0] == issued["group"]
session = psycopg.connect(issued["url"], autocommit=True)
session.execute("INSERT INTO app.orders VALUES (%s)", (7,))
assert session.execute("SELECT count(*) FROM app.orders WHERE id = 7").fetchone()[0] == 1
print("in", flush=True)
try:
    session.execute("SELECT pg_sleep(60)")
except psycopg.OperationalError as error:
    print("cut:", type(error).__name__, flush=True)
try:
    psycopg.connect(issued["url"])
except psycopg.OperationalError as error:
    print("out", flush=True)
"#;

#[tokio::test]
async fn psycopg_works_with_a_credential_until_it_is_revoked() {
    for version in VERSIONS {
        let site = Site::new(version);
        let (grant, issued) = site.issue().await;
        let (mut application, mut said) = start(&site, &issued);
        assert_eq!(line(&mut said), "in");
        site.revoke(&grant).await;
        assert_eq!(line(&mut said), "cut: AdminShutdown");
        assert_eq!(line(&mut said), "out");
        assert!(application.wait().unwrap().success());
    }
}

fn start(site: &Site, issued: &cress_provider::Issued) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut fields: serde_json::Map<_, _> =
        issued.fields.keys().map(|name| (name.clone(), text(issued, name).into())).collect();
    fields.insert("group".to_owned(), site.group.clone().into());
    let mut child = Command::new(interpreter())
        .args(["-c", APPLICATION])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python; run `cargo xtask tools` first");
    let input = serde_json::Value::Object(fields).to_string();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let said = BufReader::new(child.stdout.take().unwrap());
    (child, said)
}

fn line(said: &mut impl BufRead) -> String {
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    line.trim().to_owned()
}

fn interpreter() -> PathBuf {
    std::env::var_os("CRESS_TEST_PYTHON_TARGETS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../target/tools/python-targets/bin/python"),
        PathBuf::from,
    )
}
