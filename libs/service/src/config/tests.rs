// SPDX-License-Identifier: Apache-2.0
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::*;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    #[schemars(with = "String")]
    listen: SocketAddr,
    #[serde(default)]
    behind_proxy: bool,
    #[serde(default)]
    tls: Option<Tls>,
    #[serde(default)]
    audiences: Vec<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    store: Store,
    #[serde(default)]
    limits: Limits,
    #[serde(default)]
    #[schemars(extend("writeOnly" = true))]
    pin: Option<u32>,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Tls {
    certificate_file: PathBuf,
    key_file: PathBuf,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum Store {
    #[default]
    Memory,
    Sqlite {
        path: PathBuf,
    },
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Limits {
    connections_max: u16,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections_max: 100 }
    }
}

struct Case<'a> {
    toml: &'a str,
    variables: &'a [(&'a str, &'a str)],
    flags: &'a [(&'static str, &'static str, &'a str)],
}

impl<'a> Case<'a> {
    fn toml(toml: &'a str) -> Self {
        Self { toml, variables: &[], flags: &[] }
    }

    fn load(&self) -> Result<Config, String> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("control.toml");
        std::fs::write(&file, self.toml).unwrap();
        let variables = self.variables.iter().map(|(name, text)| (OsString::from(name), OsString::from(text)));
        let mut sources = Sources::new("control").file(Some(&file)).environment(variables);
        for (flag, key, value) in self.flags {
            sources = sources.flag(flag, key, Some(value));
        }
        load(&sources).map_err(|error| error.to_string().replace(&directory.path().display().to_string(), ""))
    }
}

#[test]
fn flags_go_over_variables_over_the_file() {
    let case = Case {
        toml: "listen = '127.0.0.1:1'\nbehind_proxy = false\nlimits.connections_max = 7\nlabels.anything = 'goes'",
        variables: &[
            ("CRESS_CONTROL_LISTEN", "127.0.0.1:2"),
            ("CRESS_CONTROL_BEHIND_PROXY", "true"),
            ("CRESS_CONTROL_TLS__CERTIFICATE_FILE", "/c"),
            ("CRESS_CONTROL_TLS__KEY_FILE", "/123"),
            ("CRESS_CONTROL_AUDIENCES", "a, b"),
            ("CRESS_CONTROL_STORE__KIND", "sqlite"),
            ("CRESS_CONTROL_STORE__PATH", "5"),
            ("CRESS_LOG", "debug"),
            ("CRESS_CONTROL_CONFIG", "/ignored/since/a/flag/names/one"),
        ],
        flags: &[("--listen", "listen", "127.0.0.1:3")],
    };
    let config = case.load().unwrap();
    assert_eq!(config.listen, "127.0.0.1:3".parse().unwrap());
    assert!(config.behind_proxy);
    let tls = config.tls.unwrap();
    assert_eq!((tls.certificate_file, tls.key_file), (PathBuf::from("/c"), PathBuf::from("/123")));
    assert_eq!(config.audiences, ["a", "b"]);
    assert_eq!(config.limits.connections_max, 7);
    assert_eq!(config.labels["anything"], "goes");
    assert!(matches!(config.store, Store::Sqlite { path } if path.as_os_str() == "5"));
    assert_eq!(config.pin, None);
}

#[test]
fn each_mistake_has_a_sentence() {
    let check = |case: Case<'_>| case.load().unwrap_err();
    let file = |toml| check(Case::toml(toml));
    let variable = |name, text| check(Case { toml: "listen = '127.0.0.1:1'", variables: &[(name, text)], flags: &[] });
    let messages = [
        file("lisen = '127.0.0.1:1'"),
        file("listen = '127.0.0.1:1'\n[tls]\ncertificate_file = 'c'\nkey_fil = 'k'\n[limits]\nconection_max = 1"),
        file("listen = '127.0.0.1:1'\ncertificate_file = 'c'"),
        file("listen = '127.0.0.1:1'\nwombat = 1"),
        file("listen = '127.0.0.1:1'\nstore = { kind = 'memory', path = 'p' }"),
        file("listen = '127.0.0.1:1'\nstore = { kind = 'postgres', path = 'p' }"),
        file("listen = '127.0.0.1:1'\nstore = { path = 'p' }"),
        file("listen = '127.0.0.1:1'\nstore = 5"),
        file("listen = '127.0.0.1:1'\nlimits.connections_max = 'many'"),
        file("listen = '127.0.0.1:1'\nlimits.connections_max = 70000"),
        file("listen = 5"),
        file("listen = 'localhost'"),
        file("listen = '127.0.0.1:1'\naudiences = ['a', 1]"),
        file("listen = '127.0.0.1:1'\npin = 'hunter2'"),
        file("listen = '127.0.0.1:1'\ntls = { certificate_file = 'c' }"),
        file("behind_proxy = true"),
        file("a = 1\nlisten = = 2"),
        variable("CRESS_CONTROL_LISEN", "x"),
        variable("CRESS_CONTROL_TLS_KEY_FILE", "x"),
        variable("CRESS_CONTROL_LIMITS__CONNECTIONS_MAX", "many"),
        variable("CRESS_CONTROL_LISTEN", "nowhere"),
        check(Case { toml: "", variables: &[], flags: &[("--listen", "listen", "here")] }),
    ];
    insta::assert_snapshot!(messages.join("\n\n"));
}

#[test]
fn a_file_that_cannot_be_read_has_a_sentence() {
    let directory = tempfile::tempdir().unwrap();
    let message =
        |path: &std::path::Path| load::<Config>(&Sources::new("control").file(Some(path))).unwrap_err().to_string();
    assert!(message(&directory.path().join("absent.toml")).ends_with("absent.toml: it does not exist"));
    assert!(message(directory.path()).ends_with("it is a directory, expected a file"));
    let large = directory.path().join("large.toml");
    std::fs::write(&large, vec![b'#'; 1024 * 1024 + 1]).unwrap();
    assert!(message(&large).ends_with("expected at most 1048576 bytes"));
    std::fs::write(&large, [0xff]).unwrap();
    assert!(message(&large).ends_with("expected text in UTF-8"));

    let from_variable = Sources::new("control").environment([("CRESS_CONTROL_CONFIG".into(), "/absent".into())]);
    assert!(load::<Config>(&from_variable).unwrap_err().to_string().contains("/absent"));
}

#[test]
fn the_schema_is_json_and_knows_the_keys() {
    let schema: serde_json::Value = serde_json::from_str(&schema::<Config>()).unwrap();
    assert!(schema["properties"]["listen"].is_object());
}
