// SPDX-License-Identifier: Apache-2.0
//! Cedar policies in rules, and rehearsals that decide as the service does.

use std::sync::Arc;

use cress_authz::{CaseRequest, Outcome, Rehearsal};
use cress_domain::Clock;
use cress_testkit::MockClock;
use serde_json::json;

use crate::support::{Service, rule};

const POLICIES: &str = r#"
@id("team-writes")
permit (principal, action == Cress::Action::"access", resource)
when { principal.claims has level && principal.claims.level > 2 && context.path like "/reports/*" };
@id("no-deletes")
forbid (principal, action == Cress::Action::"access", resource) when { context.method == "DELETE" };
"#;

#[tokio::test]
async fn policies_decide_as_rehearsed() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("reports.cedar");
    std::fs::write(&file, POLICIES).unwrap();
    let mut config = None;
    let service = Service::start(vec![rule("reports", |rule| rule.policy_file = Some(file.clone()))], |started| {
        let declared = serde_json::from_value(json!({"level": {"claim": "level", "type": "long"}}));
        started.policy_claims = declared.unwrap();
        config = Some(started.clone());
    })
    .await;
    let rehearsal = Rehearsal::new(&config.unwrap()).unwrap();
    for (level, method, path, status, code) in [
        (json!(3), "GET", "/reports/7", 200, "permitted"),
        (json!(3), "DELETE", "/reports/7", 403, "policy-forbids"),
        (json!(2), "GET", "/reports/7", 403, "policy-permits-not"),
        (json!(3), "GET", "/other", 403, "policy-permits-not"),
        (json!("3"), "GET", "/reports/7", 403, "claim-type"),
        (json!(null), "GET", "/reports/7", 403, "policy-permits-not"),
    ] {
        let token = service.token(&json!({ "level": level }));
        let headers = [
            format!("Authorization: Bearer {token}"),
            format!("X-Original-URI: {path}"),
            format!("X-Original-Method: {method}"),
            "X-Original-Host: api.example".to_owned(),
        ];
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        let answer = service.get("/verify", &headers).await;
        assert_eq!(answer.status, status, "{level} {method} {path} {answer:?}");
        if status != 200 {
            assert_eq!(answer.code(), code);
        }
        let clock: Arc<dyn Clock> = Arc::new(MockClock::default());
        let claims = cress_testkit::with_changes(service.issuer.claims(clock.now()), &json!({ "level": level }));
        let request = CaseRequest {
            method: Some(method.to_owned()),
            host: Some("api.example".to_owned()),
            path: Some(path.to_owned()),
            source_address: None,
        };
        let explained = rehearsal.explain(Some(&claims), &request, clock.now());
        assert_eq!(
            (explained.outcome == Outcome::Permitted, explained.reason.as_str()),
            (status == 200, code),
            "{explained:?}"
        );
    }
    // A policy may ask about anything, so the proxy must say everything.
    let token = format!("Authorization: Bearer {}", service.token(&json!({"level": 3})));
    assert_eq!(service.get("/verify", &["X-Original-URI: /reports/7", &token]).await.code(), "request-not-told");
}
