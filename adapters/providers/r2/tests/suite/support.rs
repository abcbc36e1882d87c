// SPDX-License-Identifier: Apache-2.0
//! A provider with two parents, and a server that stands for R2.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cress_domain::{AccountName, Clock, DeploymentId, LeaseId, Timestamp};
use cress_provider::conformance::{Cut, TestTarget, Use};
use cress_provider::{Credential, FieldValue, Grant, Issued, Provider, ProviderError, Settings, Subject};
use cress_testkit::{KnownSecrets, MockClock, R2Account, S3Client, S3Server, SeededRandom, provider_ports};

pub(crate) const ACCOUNT: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const ENDPOINT: &str = "https://0123456789abcdef0123456789abcdef.r2.cloudflarestorage.com";
pub(crate) const BLUE_SECRET: &str = "5f0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8";
const GREEN_SECRET: &str = "0f0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8";

pub(crate) struct Bench {
    pub(crate) clock: Arc<MockClock>,
    pub(crate) secrets: Arc<KnownSecrets>,
    pub(crate) server: S3Server,
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) credential: Arc<dyn Credential>,
    parameter: Option<(&'static str, &'static str)>,
}

impl Bench {
    pub(crate) fn new(credential: &str, parameter: Option<(&'static str, &'static str)>) -> Self {
        let clock: Arc<MockClock> = Arc::default();
        let secrets = KnownSecrets::new(&[("env:BLUE", BLUE_SECRET), ("env:GREEN", GREEN_SECRET)]);
        let ports = provider_ports(Arc::clone(&clock) as _, Arc::new(SeededRandom::new(1)), &secrets);
        let provider = cress_provider_r2::build(&provider_settings(), &ports).unwrap();
        let credential = provider.credential(&Settings::new(credential.parse().unwrap())).unwrap();
        let parents = [("b1ue", BLUE_SECRET), ("gr33n", GREEN_SECRET)];
        let parents: BTreeMap<_, _> = parents.map(|(id, secret)| (id.to_owned(), secret.to_owned())).into();
        let server = S3Server::start(R2Account { id: ACCOUNT.to_owned(), parents }, Arc::clone(&clock) as _);
        server.put("models", "a", b"x");
        server.put("models", "shared/mine/a", b"x");
        server.put("models", "private/a", b"x");
        server.put("billing", "a", b"x");
        Self { clock, secrets, server, provider, credential, parameter }
    }

    pub(crate) fn grant(&self, parameters: &[(&str, &str)]) -> Grant {
        let lease = LeaseId::from_bytes([1; 16]);
        let id = |text: &str| Some(text.to_owned());
        Grant {
            lease,
            account: AccountName::of(DeploymentId::generate(&SeededRandom::new(2)), lease),
            credential: "models".parse().unwrap(),
            subject: Subject {
                issuer: "https://issuer.example".parse().unwrap(),
                subject: id("instance:1"),
                organization_id: id("org-1"),
                group_id: id("group-1"),
                instance_id: id("instance-1"),
                machine_id: id("machine-1"),
            },
            granted_at: self.clock.now(),
            expires_at: self.clock.now() + Duration::from_millis(900_400),
            parameters: parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        }
    }

    pub(crate) async fn issue(&self, parameters: &[(&str, &str)]) -> Result<Issued, ProviderError> {
        self.credential.issue(&self.grant(parameters)).await
    }

    pub(crate) fn client(&self, issued: &Issued) -> S3Client {
        S3Client {
            port: self.server.port(),
            access_key_id: text(issued, "access_key_id"),
            secret_access_key: secret(issued, "secret_access_key"),
            session_token: Some(secret(issued, "session_token")),
        }
    }
}

fn provider_settings() -> Settings {
    let text = format!(
        "account = \"{ACCOUNT}\"\n\
         parents.blue = {{ access_key_id = \"b1ue\", secret_access_key = \"env:BLUE\" }}\n\
         parents.green = {{ access_key_id = \"gr33n\", secret_access_key = \"env:GREEN\" }}"
    );
    Settings::new(text.parse().unwrap())
}

pub(crate) fn text(issued: &Issued, name: &str) -> String {
    match &issued.fields[name] {
        FieldValue::Text(text) => text.clone(),
        other => panic!("expected a text as {name}, got {other:?}"),
    }
}

pub(crate) fn secret(issued: &Issued, name: &str) -> String {
    match &issued.fields[name] {
        FieldValue::Secret(secret) => secret.expose().clone(),
        other => panic!("expected a secret as {name}, got {other:?}"),
    }
}

#[async_trait]
impl TestTarget for Bench {
    fn provider(&self) -> &dyn Provider {
        self.provider.as_ref()
    }

    fn credential(&self) -> &dyn Credential {
        self.credential.as_ref()
    }

    fn parameter(&self) -> Option<(&'static str, &'static str)> {
        self.parameter
    }

    fn root_secrets(&self) -> Vec<String> {
        vec![BLUE_SECRET.to_owned(), GREEN_SECRET.to_owned()]
    }

    async fn attempt(&self, issued: &Issued) -> Result<Use, String> {
        let status = self.client(issued).send(self.clock.now(), "GET", "models", "shared/mine/a", b"");
        match status.map_err(|error| error.to_string())? {
            200 => Ok(Use::Works),
            403 => Ok(Use::Refused),
            other => Err(format!("expected 200 or 403, got {other}")),
        }
    }

    async fn trespass(&self, issued: &Issued) -> Result<bool, String> {
        let (client, now) = (self.client(issued), self.clock.now());
        let calls = [
            client.send(now, "GET", "models", "private/a", b""),
            client.send(now, "PUT", "models", "private/b", b"x"),
            client.send(now, "GET", "billing", "shared/mine/a", b""),
            client.send(now, "PUT", "models", "", b""),
            client.list(now, "models", ""),
            client.list(now, "models", "private/"),
        ];
        for call in calls {
            if call.map_err(|error| error.to_string())? != 403 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn state(&self) -> Result<Vec<String>, String> {
        Ok(Vec::new())
    }

    async fn cut(&self, _how: Cut) -> Result<bool, String> {
        self.secrets.set("env:BLUE", None);
        Ok(true)
    }

    async fn mend(&self) -> Result<(), String> {
        self.secrets.set("env:BLUE", Some(BLUE_SECRET));
        Ok(())
    }

    async fn end_group(&self, issued: &Issued) -> Result<(), String> {
        self.server.revoke_parent(&text(issued, "access_key_id"));
        Ok(())
    }

    async fn pass(&self, moment: Timestamp) -> Result<(), String> {
        self.clock.set_now(moment);
        Ok(())
    }
}
