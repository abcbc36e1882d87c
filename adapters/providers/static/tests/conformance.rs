// SPDX-License-Identifier: Apache-2.0
//! The suite, and what is special about stored secrets. A service that knows the current key stands behind it.
#![expect(clippy::unwrap_used, reason = "a test fails at once")]

use std::sync::Arc;

use async_trait::async_trait;
use cress_domain::{AccountName, Clock, DeploymentId, LeaseId};
use cress_provider::conformance::{self, Cut, TestTarget, Use};
use cress_provider::{Credential, FieldValue, Finding, Grant, Issued, Provider, ProviderErrorKind, Settings, Subject};
use cress_testkit::{KnownSecrets, MockClock, SeededRandom, provider_ports};

const KEY: &str = "k3y-of-the-mail-service";

struct Bench {
    secrets: Arc<KnownSecrets>,
    provider: Arc<dyn Provider>,
    credential: Arc<dyn Credential>,
}

impl Bench {
    fn new(credential: &str) -> Self {
        let secrets = KnownSecrets::new(&[]);
        secrets.store("mail-api", Some((3, &[("api_key", KEY), ("account", "acme")])));
        let clock: Arc<MockClock> = Arc::default();
        let ports = provider_ports(clock, Arc::new(SeededRandom::new(1)), &secrets);
        let provider = cress_provider_static::build(&Settings::default(), &ports).unwrap();
        let credential = provider.credential(&Settings::new(credential.parse().unwrap())).unwrap();
        Self { secrets, provider, credential }
    }

    async fn issue(&self) -> Result<Issued, cress_provider::ProviderError> {
        self.credential.issue(&grant()).await
    }
}

fn grant() -> Grant {
    let lease = LeaseId::from_bytes([1; 16]);
    let now = MockClock::default().now();
    Grant {
        lease,
        account: AccountName::of(DeploymentId::generate(&SeededRandom::new(2)), lease),
        credential: "mail".parse().unwrap(),
        subject: Subject {
            issuer: "https://issuer.example".parse().unwrap(),
            subject: None,
            organization_id: None,
            group_id: None,
            instance_id: None,
            machine_id: None,
        },
        granted_at: now,
        expires_at: now,
        parameters: Default::default(),
    }
}

fn text(issued: &Issued, name: &str) -> Option<String> {
    issued.fields.get(name).map(|value| match value {
        FieldValue::Text(text) => text.clone(),
        FieldValue::Number(number) => number.to_string(),
        FieldValue::Secret(secret) => secret.expose().clone(),
    })
}

#[async_trait]
impl TestTarget for Bench {
    fn provider(&self) -> &dyn Provider {
        self.provider.as_ref()
    }

    fn credential(&self) -> &dyn Credential {
        self.credential.as_ref()
    }

    fn root_secrets(&self) -> Vec<String> {
        vec![KEY.to_owned()]
    }

    /// The service takes the key that is the current one, as its operator sees to.
    async fn attempt(&self, issued: &Issued) -> Result<Use, String> {
        let current = self.issue().await.ok().and_then(|issued| text(&issued, "api_key"));
        Ok(if current.is_some() && text(issued, "api_key") == current { Use::Works } else { Use::Refused })
    }

    /// It is given one secret, and nothing of any other.
    async fn trespass(&self, issued: &Issued) -> Result<bool, String> {
        Ok(text(issued, "api_key").as_deref() != Some(KEY))
    }

    async fn state(&self) -> Result<Vec<String>, String> {
        Ok(Vec::new())
    }

    async fn cut(&self, _how: Cut) -> Result<bool, String> {
        self.secrets.lose_store();
        Ok(true)
    }

    async fn mend(&self) -> Result<(), String> {
        self.secrets.store("mail-api", Some((3, &[("api_key", KEY), ("account", "acme")])));
        Ok(())
    }

    async fn end_group(&self, _issued: &Issued) -> Result<(), String> {
        self.secrets.store("mail-api", Some((4, &[("api_key", "another"), ("account", "acme")])));
        Ok(())
    }
}

#[tokio::test]
async fn it_does_what_every_provider_must() {
    let bench = Bench::new("secret = \"mail-api\"");
    let clock = MockClock::default();
    conformance::run(&bench, &clock, &SeededRandom::new(3)).await.unwrap();
}

#[tokio::test]
async fn all_parts_are_given_or_those_that_are_named() {
    let all = Bench::new("secret = \"mail-api\"").issue().await.unwrap();
    let names: Vec<_> = all.fields.keys().map(String::as_str).collect();
    assert_eq!(names, ["account", "api_key", "version"]);
    assert_eq!(text(&all, "version").as_deref(), Some("3"));
    let one = Bench::new("secret = \"mail-api\"\nfields = [\"api_key\"]").issue().await.unwrap();
    assert_eq!(one.fields.keys().map(String::as_str).collect::<Vec<_>>(), ["api_key", "version"]);
}

#[tokio::test]
async fn what_is_not_there_is_refused_and_found_beforehand() {
    for (credential, said) in [
        ("secret = \"mail-apy\"", "put one with `cress broker secrets put mail-apy`"),
        ("secret = \"mail-api\"\nfields = [\"token\"]", "version 3 of the secret mail-api to have the part token"),
    ] {
        let bench = Bench::new(credential);
        let error = bench.issue().await.unwrap_err();
        assert_eq!(error.kind(), ProviderErrorKind::Refused);
        assert!(error.to_string().contains(said), "{error}");
        let findings = bench.credential.check().await.unwrap();
        assert!(matches!(&findings[..], [Finding::Bad(finding)] if finding.contains(said)), "{findings:?}");
    }
    let fit = Bench::new("secret = \"mail-api\"").credential.check().await.unwrap();
    assert_eq!(fit, [Finding::Good("version 3 of the secret mail-api is given out".to_owned())]);
}

#[tokio::test]
async fn a_new_version_is_given_out_from_the_moment_it_is_the_current_one() {
    let bench = Bench::new("secret = \"mail-api\"");
    let before = bench.issue().await.unwrap();
    bench.secrets.store("mail-api", Some((4, &[("api_key", "another")])));
    let after = bench.issue().await.unwrap();
    assert_eq!([&before, &after].map(|issued| text(issued, "version").unwrap()), ["3", "4"]);
    assert_eq!(text(&after, "api_key").as_deref(), Some("another"));
}
