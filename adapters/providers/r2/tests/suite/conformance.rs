// SPDX-License-Identifier: Apache-2.0
//! The suite, with a server behind the provider that checks derivation and signatures by the published rules.

use std::time::Duration;

use cress_domain::Clock;
use cress_provider::conformance;
use cress_provider::{Finding, ProviderErrorKind};
use cress_testkit::SeededRandom;

use crate::support::{BLUE_SECRET, Bench, ENDPOINT, secret, text};

#[tokio::test]
async fn it_does_what_every_provider_must() {
    let bench = Bench::new(
        "parent = \"blue\"\nbucket = \"models\"\npermission = \"object-read-write\"\nprefixes = [\"shared/\"]",
        Some(("prefix", "shared/mine")),
    );
    conformance::run(&bench, bench.clock.as_ref(), &SeededRandom::new(3)).await.unwrap();
}

#[tokio::test]
async fn a_credential_is_what_an_s3_client_needs() {
    let bench = Bench::new("parent = \"blue\"\nbucket = \"models\"\npermission = \"object-read-only\"", None);
    let issued = bench.issue(&[]).await.unwrap();
    let names: Vec<_> = issued.fields.keys().map(String::as_str).collect();
    assert_eq!(names, ["access_key_id", "bucket", "endpoint", "region", "secret_access_key", "session_token"]);
    assert_eq!(text(&issued, "access_key_id"), "b1ue");
    assert_eq!((text(&issued, "endpoint"), text(&issued, "region")), (ENDPOINT.to_owned(), "auto".to_owned()));
    assert_eq!(secret(&issued, "secret_access_key").len(), 64);
    assert_eq!(issued.expires_at.unwrap().unix_seconds(), bench.clock.now().unix_seconds() + 900);
}

#[tokio::test]
async fn each_permission_allows_what_it_says() {
    for (permission, reads, writes, bucket_reads, bucket_writes) in [
        ("admin-read-write", true, true, true, true),
        ("admin-read-only", true, false, true, false),
        ("object-read-write", true, true, false, false),
        ("object-read-only", true, false, false, false),
    ] {
        let bench = Bench::new(&format!("parent = \"blue\"\nbucket = \"models\"\npermission = \"{permission}\""), None);
        let client = bench.client(&bench.issue(&[]).await.unwrap());
        let now = bench.clock.now();
        let allowed = |method: &str, key: &str| client.send(now, method, "models", key, b"").unwrap() < 300;
        assert_eq!(allowed("GET", "a"), reads, "{permission}");
        assert_eq!(client.list(now, "models", "").unwrap(), 200, "{permission}");
        assert_eq!((allowed("PUT", "new"), allowed("DELETE", "new")), (writes, writes), "{permission}");
        assert_eq!((allowed("HEAD", ""), allowed("PUT", "")), (bucket_reads, bucket_writes), "{permission}");
        assert_eq!(client.send(now, "GET", "billing", "a", b"").unwrap(), 403, "{permission}");
    }
}

#[tokio::test]
async fn a_workload_reaches_its_own_paths_alone() {
    let bench = Bench::new(
        "parent = \"blue\"\nbucket = \"models\"\npermission = \"object-read-write\"\nprefixes = [\"tenants/{organization_id}/\"]\n\
         objects = [\"shared/readme\"]",
        None,
    );
    for key in ["tenants/org-1/a", "tenants/org-2/a", "shared/readme", "shared/readme2"] {
        bench.server.put("models", key, b"x");
    }
    let status = |client: &cress_testkit::S3Client, key: &str| {
        client.send(bench.clock.now(), "GET", "models", key, b"").unwrap()
    };
    let client = bench.client(&bench.issue(&[]).await.unwrap());
    let seen =
        ["tenants/org-1/a", "tenants/org-2/a", "shared/readme", "shared/readme2"].map(|key| status(&client, key));
    assert_eq!(seen, [200, 403, 200, 403]);
    let lists =
        ["tenants/org-1/", "tenants/", ""].map(|prefix| client.list(bench.clock.now(), "models", prefix).unwrap());
    assert_eq!(lists, [200, 403, 403]);

    let narrowed = [("prefix", "tenants/org-1/a"), ("object", "shared/readme"), ("permission", "object-read-only")];
    for (name, value) in narrowed {
        let client = bench.client(&bench.issue(&[(name, value)]).await.unwrap());
        let write = client.send(bench.clock.now(), "PUT", "models", "tenants/org-1/b", b"x").unwrap();
        assert_eq!(write, 403, "{name}");
    }
    for (name, value) in [
        ("prefix", "tenants/org-2/"),
        ("prefix", "tenants/"),
        ("prefix", ""),
        ("object", "shared/readme2"),
        ("object", "tenants/org-2/a"),
        ("permission", "admin-read-only"),
        ("permission", "admin-read-write"),
        ("permission", "everything"),
        ("bucket", "billing"),
        ("parent", "green"),
    ] {
        let error = bench.issue(&[(name, value)]).await.unwrap_err();
        assert_eq!(error.kind(), ProviderErrorKind::Parameter, "{name} = {value:?}");
    }
}

#[tokio::test]
async fn an_organizations_name_that_is_no_word_reaches_nothing() {
    let bench = Bench::new(
        "parent = \"blue\"\nbucket = \"models\"\npermission = \"object-read-write\"\nprefixes = [\"tenants/{organization_id}/\"]",
        None,
    );
    for bad in ["org-1/../org-2", "org-2/", "", "*", "org 1", "org-2,tenants/org-3"] {
        let mut grant = bench.grant(&[]);
        grant.subject.organization_id = Some(bad.to_owned());
        let error = bench.credential.issue(&grant).await.unwrap_err();
        assert_eq!(error.kind(), ProviderErrorKind::Refused, "{bad:?}");
    }
    let mut grant = bench.grant(&[]);
    grant.subject.organization_id = None;
    assert_eq!(bench.credential.issue(&grant).await.unwrap_err().kind(), ProviderErrorKind::Refused);
}

#[tokio::test]
async fn revoking_one_parent_ends_its_group_and_no_other() {
    let bench = Bench::new("parent = \"blue\"\nbucket = \"models\"\npermission = \"object-read-only\"", None);
    let settings = "parent = \"green\"\nbucket = \"models\"\npermission = \"object-read-only\"";
    let green = bench.provider.credential(&cress_provider::Settings::new(settings.parse().unwrap())).unwrap();
    let (blue, green) = (bench.issue(&[]).await.unwrap(), green.issue(&bench.grant(&[])).await.unwrap());
    let status = |issued| bench.client(issued).send(bench.clock.now(), "GET", "models", "a", b"").unwrap();
    assert_eq!((status(&blue), status(&green)), (200, 200));
    bench.server.revoke_parent("b1ue");
    assert_eq!((status(&blue), status(&green)), (403, 200));
}

#[tokio::test]
async fn no_life_is_longer_than_a_week_and_none_is_empty() {
    let bench = Bench::new("parent = \"blue\"\nbucket = \"models\"\npermission = \"object-read-only\"", None);
    let mut grant = bench.grant(&[]);
    grant.expires_at = grant.granted_at + Duration::from_secs(30 * 24 * 3600);
    let issued = bench.credential.issue(&grant).await.unwrap();
    assert_eq!(issued.expires_at.unwrap(), bench.clock.now() + Duration::from_secs(7 * 24 * 3600));
    assert_eq!(bench.client(&issued).send(bench.clock.now(), "GET", "models", "a", b"").unwrap(), 200);
    grant.expires_at = grant.granted_at + Duration::from_millis(200);
    assert_eq!(bench.credential.issue(&grant).await.unwrap_err().kind(), ProviderErrorKind::Refused);
}

#[tokio::test]
async fn a_parents_secret_is_read_anew_and_what_is_none_is_found() {
    let bench = Bench::new("parent = \"blue\"\nbucket = \"models\"\npermission = \"object-read-only\"", None);
    assert!(bench.provider.check().await.unwrap().iter().all(|finding| matches!(finding, Finding::Good(_))));
    for (secret, kind) in [
        (None, ProviderErrorKind::Unavailable),
        (Some(""), ProviderErrorKind::Refused),
        (Some("two words"), ProviderErrorKind::Refused),
        (Some("line\n"), ProviderErrorKind::Refused),
    ] {
        bench.secrets.set("env:BLUE", secret);
        let error = bench.issue(&[]).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{secret:?}");
        assert!(!error.to_string().contains("words"), "{error}");
        let findings = bench.provider.check().await.unwrap();
        assert!(findings.iter().any(|finding| matches!(finding, Finding::Bad(_))), "{findings:?}");
    }
    bench.secrets.set("env:BLUE", Some(BLUE_SECRET));
    let issued = bench.issue(&[]).await.unwrap();
    assert_eq!(bench.client(&issued).send(bench.clock.now(), "GET", "models", "a", b"").unwrap(), 200);
}
