// SPDX-License-Identifier: Apache-2.0

use super::*;

fn settings(text: &str) -> Settings {
    Settings::new(toml::from_str(text).unwrap())
}

fn server(more: &str) -> Result<Server, SettingsError> {
    Server::read(&settings(&format!("user = \"cress_broker\"\n{more}")))
}

fn access(more: &str) -> Result<Access, SettingsError> {
    let server = server("host = \"db.example\"").unwrap();
    Access::read(&settings(&format!("role = \"orders_rw\"\ndatabase = \"orders\"\n{more}")), &server)
}

#[test]
fn defaults_check_certificates_but_on_this_machine() {
    for (host, tls) in [
        ("db.example", Tls::VerifyFull),
        ("192.0.2.1", Tls::VerifyFull),
        ("2001:db8::1", Tls::VerifyFull),
        ("localhost.example", Tls::VerifyFull),
        ("localhost", Tls::Prefer),
        ("127.0.0.1", Tls::Prefer),
        ("::1", Tls::Prefer),
        ("/run/postgresql", Tls::Prefer),
    ] {
        assert_eq!(server(&format!("host = \"{host}\"")).unwrap().tls, tls, "{host}");
    }
    let access = access("").unwrap();
    assert_eq!((access.sslmode, access.host.as_str(), access.port), (Tls::VerifyFull, "db.example", 5_432));
    assert_eq!((access.scram_iterations.get(), access.connections_max), (4_096, 20));
}

#[test]
fn what_cannot_be_is_refused_with_the_setting_named() {
    for (more, setting) in [
        ("host = \"\"", "host"),
        ("host = \"a,b\"", "host"),
        ("host = \"a@b\"", "host"),
        ("host = \"[::1]\"", "host"),
        ("host = \"db.example\"\ntls = \"disable\"", "tls"),
        ("host = \"db.example\"\ntls = \"prefer\"", "tls"),
        ("host = \"db.example\"\ntls = \"require\"", "require"),
        ("host = \"db.example\"\npassword = \"hunter2\"", "secret"),
        ("host = \"db.example\"\nconnections_max = 0", "connections_max"),
        ("host = \"db.example\"\nlock_timeout_seconds = 0", "lock_timeout_seconds"),
        ("host = \"db.example\"\ndatabase = \"\"", "database"),
        ("host = \"db.example\"\nhots = 1", "hots"),
    ] {
        let error = server(more).unwrap_err().to_string();
        assert!(error.contains(setting) && !error.contains("hunter2"), "{more}: {error}");
    }
}

#[test]
fn a_credential_that_cannot_be_is_refused_with_the_setting_named() {
    for (more, setting) in [
        ("sslmode = \"disable\"", "sslmode"),
        ("host = \"/run/postgresql\"", "host"),
        ("scram_iterations = 0", "scram_iterations"),
        ("scram_iterations = 100001", "scram_iterations"),
        ("connections_max = 0", "connections_max"),
        ("password = \"env:X\"", "password"),
    ] {
        let error = access(more).unwrap_err().to_string();
        assert!(error.contains(setting), "{more}: {error}");
    }
    let server = server("host = \"db.example\"").unwrap();
    let long = "x".repeat(64);
    for role in ["none", "public", "pg_monitor", "", &long, "cress_abababababab_1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f"] {
        let text = format!("role = \"{role}\"\ndatabase = \"orders\"");
        assert!(Access::read(&settings(&text), &server).is_err(), "{role}");
    }
}
