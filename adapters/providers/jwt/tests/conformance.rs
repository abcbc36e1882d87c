// SPDX-License-Identifier: Apache-2.0
//! The suite and the tokens themselves, checked by another library as a service does.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails at once")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use cress_domain::{AccountName, Clock, DeploymentId, LeaseId, Secret, Timestamp};
use cress_jose::{SigningAlgorithm as Jose, SigningKey, TokenType as Typ};
use cress_provider::conformance::{self, Cut, TestTarget, Use};
use cress_provider::{
    AssertionError, AssertionSigner, Credential, FieldValue, Grant, Issued, Ports, Provider, ProviderError,
    ProviderErrorKind, Settings, SigningAlgorithm, Subject, TokenType,
};
use cress_testkit::{KnownSecrets, MockClock, SeededRandom, provider_ports};
use jsonwebtoken as oracle;
use serde_json::{Map, Value, json};

const ISSUER: &str = "https://broker.example";
const AUDIENCE: &str = "https://inventory.example";

/// A key ring of one key each.
struct Signer {
    es256: SigningKey,
    rs256: SigningKey,
    lost: Mutex<bool>,
}

impl Signer {
    fn new() -> Self {
        let key = |kid: &str, algorithm| SigningKey::generate_with(kid.parse().unwrap(), algorithm).unwrap();
        Self { es256: key("es", Jose::Es256), rs256: key("rs", Jose::Rs256), lost: Mutex::new(false) }
    }

    fn key(&self, algorithm: SigningAlgorithm) -> &SigningKey {
        match algorithm {
            SigningAlgorithm::Es256 => &self.es256,
            SigningAlgorithm::Rs256 => &self.rs256,
        }
    }
}

impl AssertionSigner for Signer {
    fn issuer(&self) -> &str {
        ISSUER
    }

    fn sign(
        &self,
        algorithm: SigningAlgorithm,
        token_type: TokenType,
        claims: &Map<String, Value>,
    ) -> Result<Secret<String>, AssertionError> {
        if *self.lost.lock().unwrap() {
            return Err(AssertionError("the ring's store is away".to_owned()));
        }
        let typ = match token_type {
            TokenType::Jwt => Typ::Jwt,
            TokenType::AccessToken => Typ::AccessToken,
        };
        let payload = serde_json::to_vec(claims).unwrap();
        Ok(Secret::new(self.key(algorithm).sign_as(typ, &payload).unwrap()))
    }
}

struct Bench {
    clock: Arc<MockClock>,
    signer: Arc<Signer>,
    algorithm: SigningAlgorithm,
    provider: Arc<dyn Provider>,
    credential: Arc<dyn Credential>,
}

impl Bench {
    fn new(algorithm: SigningAlgorithm, credential: &str) -> Self {
        let (clock, signer): (Arc<MockClock>, _) = (Arc::default(), Arc::new(Signer::new()));
        let ports = provider_ports(Arc::clone(&clock) as _, Arc::new(SeededRandom::new(1)), &KnownSecrets::new(&[]));
        let ports = Ports { signer: Arc::clone(&signer) as _, ..ports };
        let name = if algorithm == SigningAlgorithm::Es256 { "ES256" } else { "RS256" };
        let settings = Settings::new(format!("algorithm = \"{name}\"").parse().unwrap());
        let provider = cress_provider_jwt::build(&settings, &ports).unwrap();
        let credential = provider.credential(&Settings::new(credential.parse().unwrap())).unwrap();
        Self { clock, signer, algorithm, provider, credential }
    }

    fn grant(&self, parameters: &[(&str, &str)]) -> Grant {
        let lease = LeaseId::from_bytes([1; 16]);
        Grant {
            lease,
            account: AccountName::of(DeploymentId::generate(&SeededRandom::new(2)), lease),
            credential: "inventory".parse().unwrap(),
            subject: Subject {
                issuer: "https://issuer.example".parse().unwrap(),
                subject: Some("instance:1".to_owned()),
                organization_id: Some("org-1".to_owned()),
                group_id: Some("group-1".to_owned()),
                instance_id: None,
                machine_id: Some("machine-1".to_owned()),
            },
            granted_at: self.clock.now() + Duration::from_millis(400),
            expires_at: self.clock.now() + Duration::from_millis(300_900),
            parameters: parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        }
    }

    async fn issue(&self, parameters: &[(&str, &str)]) -> Result<Issued, ProviderError> {
        self.credential.issue(&self.grant(parameters)).await
    }

    /// The token as the service at `audience` checks it, at the clock's time.
    fn checked(&self, issued: &Issued, audience: &str) -> Option<oracle::TokenData<Value>> {
        let key = self.signer.key(self.algorithm).public_jwk();
        let jwk: oracle::jwk::Jwk = serde_json::from_value(serde_json::to_value(&key).unwrap()).unwrap();
        let mut validation = oracle::Validation::new(match self.algorithm {
            SigningAlgorithm::Es256 => oracle::Algorithm::ES256,
            SigningAlgorithm::Rs256 => oracle::Algorithm::RS256,
        });
        validation.set_audience(&[audience]);
        validation.set_issuer(&[ISSUER]);
        validation.validate_exp = false;
        let FieldValue::Secret(token) = &issued.fields["access_token"] else { panic!("a token that may be seen") };
        let data: oracle::TokenData<Value> =
            oracle::decode(token.expose(), &oracle::DecodingKey::from_jwk(&jwk).unwrap(), &validation).ok()?;
        (data.claims["exp"].as_i64().unwrap() > self.clock.now().unix_seconds()).then_some(data)
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
        Some(("scope", "read"))
    }

    fn root_secrets(&self) -> Vec<String> {
        vec![format!("{:?}", self.signer.key(self.algorithm).to_pkcs8().unwrap().expose())]
    }

    async fn attempt(&self, issued: &Issued) -> Result<Use, String> {
        Ok(if self.checked(issued, AUDIENCE).is_some() { Use::Works } else { Use::Refused })
    }

    /// Another service takes it, or it says more than it may.
    async fn trespass(&self, issued: &Issued) -> Result<bool, String> {
        let elsewhere = self.checked(issued, "https://billing.example").is_some();
        let data = self.checked(issued, AUDIENCE).ok_or("expected a good token")?;
        let more = data.claims["scope"].as_str().is_none_or(|scope| scope.split(' ').any(|word| word != "read"));
        Ok(elsewhere || more)
    }

    async fn state(&self) -> Result<Vec<String>, String> {
        Ok(Vec::new())
    }

    async fn cut(&self, _how: Cut) -> Result<bool, String> {
        *self.signer.lost.lock().unwrap() = true;
        Ok(true)
    }

    async fn mend(&self) -> Result<(), String> {
        *self.signer.lost.lock().unwrap() = false;
        Ok(())
    }

    async fn pass(&self, moment: Timestamp) -> Result<(), String> {
        self.clock.set_now(moment);
        Ok(())
    }
}

#[tokio::test]
async fn it_does_what_every_provider_must() {
    for algorithm in [SigningAlgorithm::Es256, SigningAlgorithm::Rs256] {
        let bench = Bench::new(algorithm, &format!("audience = \"{AUDIENCE}\"\nscope = \"read\""));
        conformance::run(&bench, bench.clock.as_ref(), &SeededRandom::new(3)).await.unwrap();
    }
}

#[tokio::test]
async fn a_token_says_what_rfc_9068_asks_for() {
    let settings = format!(
        "audience = \"{AUDIENCE}\"\nscope = \"read write\"\nclaims = [\"organization_id\", \"machine_id\", \"workload_issuer\"]"
    );
    let bench = Bench::new(SigningAlgorithm::Rs256, &settings);
    let issued = bench.issue(&[]).await.unwrap();
    let data = bench.checked(&issued, AUDIENCE).unwrap();
    assert_eq!((data.header.typ.as_deref(), data.header.kid.as_deref()), (Some("at+jwt"), Some("rs")));
    let now = bench.clock.now().unix_seconds();
    let sub = data.claims["sub"].as_str().unwrap().to_owned();
    assert!(sub.starts_with("group:") && sub.ends_with(":group-1"), "{sub}");
    let expected = json!({
        "iss": ISSUER, "sub": sub, "aud": AUDIENCE, "client_id": sub, "jti": "01010101-0101-0101-0101-010101010101",
        "iat": now, "exp": now + 300, "scope": "read write",
        "organization_id": "org-1", "machine_id": "machine-1", "workload_issuer": "https://issuer.example",
    });
    assert_eq!(data.claims, expected);
    assert_eq!(issued.expires_at.unwrap().unix_seconds(), now + 300);
}

#[tokio::test]
async fn several_services_may_take_one_token_and_a_client_may_be_named() {
    let bench = Bench::new(
        SigningAlgorithm::Es256,
        "audience = [\"https://a.example\", \"https://b.example\"]\nclient_id = \"c\"",
    );
    let issued = bench.issue(&[]).await.unwrap();
    for (audience, taken) in [("https://a.example", true), ("https://b.example", true), ("https://c.example", false)] {
        assert_eq!(bench.checked(&issued, audience).is_some(), taken, "{audience}");
    }
    let claims = bench.checked(&issued, "https://a.example").unwrap().claims;
    assert_eq!((&claims["client_id"], claims.get("scope")), (&json!("c"), None));
}

#[tokio::test]
async fn a_workload_can_ask_for_less_and_never_for_more() {
    let scoped = format!("audience = \"{AUDIENCE}\"\nscope = \"read write delete\"");
    let bench = Bench::new(SigningAlgorithm::Es256, &scoped);
    for (asked, given) in [("write read", "read write"), ("delete", "delete"), ("read read", "read")] {
        let issued = bench.issue(&[("scope", asked)]).await.unwrap();
        assert_eq!(bench.checked(&issued, AUDIENCE).unwrap().claims["scope"], given, "{asked}");
    }
    for asked in ["", " ", "read ", "read  write", "admin", "read admin", "READ", "read\twrite", "read,write"] {
        let error = bench.issue(&[("scope", asked)]).await.unwrap_err();
        assert_eq!(error.kind(), ProviderErrorKind::Parameter, "{asked:?}");
    }
    for (name, value) in
        [("audience", "https://billing.example"), ("aud", "x"), ("sub", "group:x"), ("claims", "email")]
    {
        let error = bench.issue(&[(name, value)]).await.unwrap_err();
        assert_eq!(error.kind(), ProviderErrorKind::Parameter, "{name}");
    }
    let without = Bench::new(SigningAlgorithm::Es256, &format!("audience = \"{AUDIENCE}\""));
    let error = without.issue(&[("scope", "read")]).await.unwrap_err();
    assert!(error.to_string().contains("has no scope"), "{error}");
}

#[tokio::test]
async fn what_the_workloads_token_does_not_say_is_not_made_up() {
    let bench = Bench::new(SigningAlgorithm::Es256, &format!("audience = \"{AUDIENCE}\"\nclaims = [\"instance_id\"]"));
    let error = bench.issue(&[]).await.unwrap_err();
    assert_eq!(error.kind(), ProviderErrorKind::Refused);
    assert!(error.to_string().contains("instance_id"), "{error}");
    let mut grant = bench.grant(&[]);
    grant.expires_at = grant.granted_at;
    assert_eq!(bench.credential.issue(&grant).await.unwrap_err().kind(), ProviderErrorKind::Refused);
}
