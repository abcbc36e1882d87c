// SPDX-License-Identifier: Apache-2.0
//! Configurations that control must not run with, and those that it must.

use std::collections::BTreeMap;

use cress_service::config::{Sources, load, schema};

use super::*;

fn check(toml: &str) -> Result<(), String> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("control.toml");
    std::fs::write(&file, format!("data_dir = '/var/lib/cress'\n{toml}")).unwrap();
    let config: Config = load(&Sources::new("control").file(Some(&file)))
        .map_err(|error| error.to_string().replace(&directory.path().display().to_string(), ""))?;
    config.check().map_err(|error| error.to_string())
}

#[test]
fn what_an_operator_may_write_is_accepted() {
    for good in [
        "",
        "issuer = 'https://matrix-api.salad.io'\nlisten = '[::1]:0'",
        "listen = '0.0.0.0:80'\nbehind_proxy = true\npublic_url = 'https://control.example/'",
        "listen = '0.0.0.0:443'\npublic_url = 'https://control.example'\ntls = { certificate_file = 'c', key_file = 'k' }",
        "[node_api]\nlisten = '0.0.0.0:8421'\nnames = ['control.example', '10.0.0.1', '::1']\nlimits.connections_max = 5000",
        "[schedule]\nlead_seconds = 86400\nactive_seconds = 86400\njwks_cache_seconds = 300",
        "[key_encryption]\nactive = 'b'\nkeys = ['file:/a', 'env:B', 'credential:c']",
        "[store]\nurl = 'sqlite:/var/lib/cress/other.db'",
        "[store]\nurl = 'postgres://cress@db.example/cress?sslrootcert=/etc/cress/db-ca.pem'",
        "[store]\nurl = 'postgres://cress@db.example/cress?sslmode=disable'\nprivate_network = true",
        "[store]\nurl = 'postgres:///cress?host=/run/postgresql&user=cress'\nconnections_max = 40\nmigrate_at_start = true",
        "[store]\nurl = 'postgres://cress@db.example/cress'\npassword_from = 'credential:database-password'",
        "drain_seconds = 0\nkid_prefix = ''",
        "[limits]\nconnections_max = 1\nhead_bytes_max = 8192\nheaders_max = 1000\nidle_timeout_seconds = 3600",
    ] {
        assert_eq!(check(good), Ok(()), "{good}");
    }
}

#[test]
fn each_mistake_has_a_sentence() {
    let mut messages = BTreeMap::new();
    for (number, bad) in [
        "lisen = '127.0.0.1:1'",
        "issuer = 'matrix-api.salad.io'",
        "public_url = 'https://me@control.example'",
        "public_url = 'ftp://control.example'",
        "listen = '0.0.0.0:80'\npublic_url = 'https://control.example'",
        "listen = '0.0.0.0:80'\nbehind_proxy = true",
        "metrics.listen = '0.0.0.0:8430'",
        "metrics.listen = '127.0.0.1:8420'",
        "node_api.listen = '127.0.0.1:8430'",
        "node_api.listen = '0.0.0.0:8421'",
        "node_api.names = ['control example']",
        "node_api.names = ['-a.example']",
        "kid_prefix = 'salad workload'",
        "drain_seconds = 601",
        "schedule.lead_seconds = 59",
        "schedule.active_seconds = 7776001",
        "schedule.jwks_cache_seconds = 0",
        "schedule.jwks_cache_seconds = 3601",
        "schedule.skew_seconds = 3601",
        "schedule.outage_budget_seconds = 86401",
        "schedule.lead_seconds = 3600\nschedule.active_seconds = 3600",
        "schedule.active_seconds = 86400",
        "key_encryption.active = 'a'",
        "key_encryption = { active = 'a b', keys = ['env:A'] }",
        "key_encryption.keys = ['c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0ISEhISE=']",
        "limits.body_bytes_max = 4096",
        "limits.connections_max = 0",
        "limits.handshake_timeout_seconds = 0",
        "limits.head_timeout_seconds = 0",
        "limits.idle_timeout_seconds = 3601",
        "limits.write_stall_seconds = 0",
        "limits.head_bytes_max = 4096",
        "limits.headers_max = 1001",
        "node_api.limits.idle_timeout_seconds = 75",
        "node_api.limits.connections_max = 0",
        "node_api.limits.handshake_timeout_seconds = 0",
        "store.url = 'mysql://user:hunter2@host/database'",
        "store.url = 'postgres://user:hunter2@host/database?sslmode=disable'",
        "store.url = 'postgres://user:hunter2@host/database?sslmode=hunter2'",
        "store.url = 'postgres://user:hunter2@host'",
        "store.connections_max = 2",
        "store.password_from = 'env:PASSWORD'",
        "store = { url = 'sqlite:/a', password_from = 'env:PASSWORD' }",
        "store = { url = 'postgres://user:hunter2@host/database', password_from = 'env:PASSWORD' }",
        "store = { url = 'postgres://user@host/database', password_from = 'hunter2' }",
        "tls = { certificate_file = 'c' }",
        "data_dir = ''",
    ]
    .into_iter()
    .enumerate()
    {
        let message = match bad {
            "data_dir = ''" => Config::new(PathBuf::new()).check().unwrap_err().to_string(),
            bad => check(bad).unwrap_err(),
        };
        assert!(!message.contains("hunter2") && !message.contains("c2VjcmV0"), "{message}");
        messages.insert(number, format!("{bad}\n=> {message}"));
    }
    insta::assert_snapshot!(messages.into_values().collect::<Vec<_>>().join("\n\n"));
}

#[test]
fn too_many_names_and_keys_are_refused() {
    let mut config = Config::new("/data".into());
    config.node_api.names = vec!["a".to_owned(); 33];
    assert!(config.check().unwrap_err().to_string().ends_with("at most 32 names, got 33"));
    let mut config = Config::new("/data".into());
    config.key_encryption.keys = vec!["env:A".parse().unwrap(); 17];
    assert!(config.check().unwrap_err().to_string().ends_with("at most 16 sources, got 17"));
}

#[test]
fn a_databases_password_is_not_shown() {
    let mut config = Config::new("/data".into());
    config.store.url = Some("postgres://user:hunter2@host/database".to_owned());
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn every_key_is_documented() {
    fn undocumented(schema: &serde_json::Value, path: &str, found: &mut Vec<String>) {
        if let Some(properties) = schema.get("properties").and_then(serde_json::Value::as_object) {
            for (key, property) in properties {
                if property.get("description").is_none() {
                    found.push(format!("{path}.{key}"));
                }
            }
        }
        for (key, inner) in schema.as_object().into_iter().flatten() {
            undocumented(inner, &format!("{path}/{key}"), found);
        }
    }
    let schema: serde_json::Value = serde_json::from_str(&schema::<Config>()).unwrap();
    let mut found = Vec::new();
    undocumented(&schema, "", &mut found);
    assert_eq!(found, Vec::<String>::new());
}
