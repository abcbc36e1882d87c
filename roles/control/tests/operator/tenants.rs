// SPDX-License-Identifier: Apache-2.0
//! Organizations and projects over the admin API, and what every path of it refuses.

use crate::support::{Control, directory, mode};

#[tokio::test]
async fn organizations_and_projects_come_and_go() {
    let directory = directory();
    let control = Control::start(&directory).await;
    assert_eq!(mode(&control.started.admin_socket), 0o600, "its owner's alone");
    let made = control.admin_json("POST", "/v1/organizations", r#"{"name":"beta"}"#).await;
    control.admin_json("POST", "/v1/organizations", r#"{"name":"acme"}"#).await;
    let list = control.admin_json("GET", "/v1/organizations", "").await;
    assert_eq!(list["items"][0]["name"], "acme");
    assert_eq!(list["items"][1], made);

    let project = control.admin_json("POST", "/v1/organizations/acme/projects", r#"{"name":"web"}"#).await;
    // Names are unique within their parent only.
    control.admin_json("POST", "/v1/organizations/beta/projects", r#"{"name":"web"}"#).await;
    let list = control.admin_json("GET", "/v1/organizations/acme/projects", "").await;
    assert_eq!(list["items"].as_array().unwrap(), &[project]);

    control.admin_json("DELETE", "/v1/organizations/acme/projects/web", "").await;
    control.admin_json("DELETE", "/v1/organizations/acme", "").await;
    let list = control.admin_json("GET", "/v1/organizations", "").await;
    assert_eq!(list["items"].as_array().unwrap(), &[made]);
    control.stop().await;
}

#[tokio::test]
async fn each_refusal_says_what_to_do() {
    let directory = directory();
    let control = Control::start(&directory).await.with_project().await;
    let mut refusals = Vec::new();
    for (method, path, body) in [
        ("POST", "/v1/organizations", r#"{"name":"acme"}"#),
        ("POST", "/v1/organizations", r#"{"name":"Acme"}"#),
        ("POST", "/v1/organizations", r#"{"name":"gamma","owner":"me"}"#),
        ("POST", "/v1/organizations", r#"{}"#),
        ("POST", "/v1/organizations", r#"{"name":"#),
        ("POST", "/v1/organizations", "[]"),
        ("POST", "/v1/organizations", ""),
        ("DELETE", "/v1/organizations/acme", ""),
        ("DELETE", "/v1/organizations/gamma", ""),
        ("DELETE", "/v1/organizations/Not%20A%20Name", ""),
        ("GET", "/v1/organizations/gamma/projects", ""),
        ("POST", "/v1/organizations/gamma/projects", r#"{"name":"web"}"#),
        ("POST", "/v1/organizations/acme/projects", r#"{"name":"web"}"#),
        ("DELETE", "/v1/organizations/acme/projects/mail", ""),
        ("GET", "/v1/organizations/acme", ""),
        ("GET", "/v2/organizations", ""),
    ] {
        refusals.push(control.refusal(method, path, body).await);
    }
    insta::assert_snapshot!(refusals.join("\n\n"));
    control.stop().await;
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_not_read() {
    let directory = directory();
    let control = Control::start(&directory).await;
    let body = format!(r#"{{"name":"{}"}}"#, "a".repeat(300 * 1024));
    let refusal = control.refusal("POST", "/v1/organizations", &body).await;
    assert!(refusal.contains("413") && refusal.contains("262144 bytes"), "{refusal}");
    control.stop().await;
}
