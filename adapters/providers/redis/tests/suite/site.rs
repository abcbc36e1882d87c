// SPDX-License-Identifier: Apache-2.0
//! What the tests share: a provider at some servers, grants, and clients.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use cress_domain::{AccountName, Clock, DeploymentId, LeaseId, Random, Timestamp};
use cress_provider::{Credential, FieldValue, Finding, Grant, Issued, Provider, Settings, Subject};
use cress_testkit::redis::{PASSWORD, RedisServer};
use cress_testkit::{KnownSecrets, MockClock, SeededRandom, provider_ports};
use redis::aio::MultiplexedConnection;
use redis::{ErrorKind, RedisError};

/// What every provider here finds the broker's password by.
pub(crate) const REFERENCE: &str = "env:REDIS_PASSWORD";

/// What credentials may do here, unless a test says otherwise.
pub(crate) const RULES: &str = "rules = ['+@read', '+@write', '+@blocking', '+@pubsub', '+@connection', '-@dangerous', '+cluster|slots', '+cluster|shards', \
     '+cluster|nodes', '+command', '~cache:*', '~app:${parameters.shard}:*', '&events:*']";
/// The same without a parameter.
pub(crate) const PLAIN_RULES: &str = "rules = ['+@read', '+@write', '+@blocking', '+@pubsub', '+@connection', '-@dangerous', '+cluster|slots', '+cluster|shards', \
     '+cluster|nodes', '+command', '~cache:*', '&events:*']";

/// A provider and one credential of it.
pub(crate) struct Site {
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) credential: Arc<dyn Credential>,
    pub(crate) secrets: Arc<KnownSecrets>,
    pub(crate) clock: Arc<MockClock>,
    pub(crate) random: Arc<SeededRandom>,
    pub(crate) deployment: DeploymentId,
}

impl Site {
    /// A provider with these settings, and the password of the servers' user `default`.
    pub(crate) fn new(settings: &str) -> Self {
        Self::with_rules(settings, PLAIN_RULES)
    }

    pub(crate) fn with_rules(settings: &str, rules: &str) -> Self {
        let clock = Arc::new(MockClock::new(Timestamp::from_unix_seconds(1_800_000_000)));
        let random = Arc::new(SeededRandom::new(7));
        let secrets = KnownSecrets::new(&[(REFERENCE, PASSWORD)]);
        let own_clock = Arc::clone(&clock) as Arc<dyn Clock>;
        let ports = provider_ports(own_clock, Arc::clone(&random) as Arc<dyn Random>, &secrets);
        let settings = format!("password = '{REFERENCE}'\n{settings}");
        let provider = cress_provider_redis::build(&table(&settings), &ports).unwrap();
        let credential = provider.credential(&table(rules)).unwrap();
        let deployment = DeploymentId::generate(&*random);
        Self { provider, credential, secrets, clock, random, deployment }
    }

    pub(crate) fn grant(&self) -> Grant {
        let lease = LeaseId::generate(&*self.random);
        Grant {
            lease,
            account: AccountName::of(self.deployment, lease),
            credential: "cache".parse().unwrap(),
            subject: Subject {
                issuer: "https://issuer.example".parse().unwrap(),
                subject: None,
                organization_id: None,
                group_id: None,
                instance_id: None,
                machine_id: None,
            },
            granted_at: self.clock.now(),
            expires_at: self.clock.now() + Duration::from_secs(900),
            parameters: std::collections::BTreeMap::new(),
        }
    }

    pub(crate) async fn issue(&self) -> (AccountName, Issued) {
        let grant = self.grant();
        (grant.account, self.credential.issue(&grant).await.unwrap())
    }

    /// Issues once the provider has noticed that it can again.
    pub(crate) async fn issue_at_last(&self) -> (AccountName, Issued) {
        let grant = self.grant();
        let issued = eventually(async || self.credential.issue(&grant).await.map_err(|error| error.to_string())).await;
        (grant.account, issued)
    }
}

/// Settings from TOML.
pub(crate) fn table(text: &str) -> Settings {
    Settings::new(toml::from_str(text).unwrap())
}

/// `['127.0.0.1:1', ...]`
pub(crate) fn addresses(servers: &[RedisServer]) -> String {
    format!("{:?}", servers.iter().map(RedisServer::address).collect::<Vec<_>>())
}

/// One field of a credential.
pub(crate) fn field(issued: &Issued, name: &str) -> String {
    match &issued.fields[name] {
        FieldValue::Text(text) => text.clone(),
        FieldValue::Number(number) => number.to_string(),
        FieldValue::Secret(secret) => secret.expose().clone(),
    }
}

/// A connection of a workload's to a port, or that it was not let in.
pub(crate) async fn log_in(port: u16, issued: &Issued) -> Result<MultiplexedConnection, RedisError> {
    let url = format!("redis://{}:{}@127.0.0.1:{port}", field(issued, "username"), field(issued, "password"));
    redis::Client::open(url).unwrap().get_multiplexed_async_connection().await
}

/// Whether the server lets it in and to its keys.
pub(crate) async fn works(server: &RedisServer, issued: &Issued) -> bool {
    match log_in(server.port(), issued).await {
        Ok(mut connection) => may(&mut connection, &["GET", "cache:x"]).await,
        Err(error) => {
            let is_refusal = error.kind() == ErrorKind::AuthenticationFailed || error.code() == Some("WRONGPASS");
            assert!(is_refusal, "expected an answer, got {error}");
            false
        }
    }
}

/// Whether a session is permitted a command; that a Cluster's node sends it elsewhere is no refusal.
pub(crate) async fn may(connection: &mut MultiplexedConnection, words: &[&str]) -> bool {
    let mut command = redis::Cmd::new();
    match command.arg(words).query_async::<redis::Value>(connection).await {
        Ok(_) => true,
        Err(error) => matches!(error.code(), Some("MOVED" | "READONLY" | "CLUSTERDOWN")),
    }
}

/// The names of accounts that a server has, by name.
pub(crate) fn accounts(server: &RedisServer) -> BTreeSet<String> {
    let names = server.users();
    let names = names.iter().filter_map(|line| line.strip_prefix("user ")?.split(' ').next());
    names.filter(|name| name.starts_with("cress_")).map(str::to_owned).collect()
}

/// Accounts as names.
pub(crate) fn names(accounts: &[AccountName]) -> BTreeSet<String> {
    accounts.iter().map(ToString::to_string).collect()
}

/// Tries until it succeeds, for a minute.
pub(crate) async fn eventually<T>(mut attempt: impl AsyncFnMut() -> Result<T, String>) -> T {
    let mut last = String::new();
    for _ in 0..3_000 {
        match attempt().await {
            Ok(done) => return done,
            Err(error) => last = error,
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{last}");
}

/// Maintains until all of these servers have just these accounts.
pub(crate) async fn maintained(site: &Site, servers: &[RedisServer], expected: &[AccountName]) {
    eventually(async || {
        let outcome = site.provider.maintain().await;
        let wrong = servers.iter().find(|server| accounts(server) != names(expected));
        match wrong {
            None => Ok(()),
            Some(server) => Err(format!("{outcome:?}; {:?} at {}", accounts(server), server.address())),
        }
    })
    .await;
}

/// The findings of a kind, in one text.
pub(crate) fn bad(findings: &[Finding]) -> String {
    let bad =
        findings.iter().filter_map(|finding| if let Finding::Bad(text) = finding { Some(text.as_str()) } else { None });
    bad.collect::<Vec<_>>().join("\n")
}

/// The doubtful ones.
pub(crate) fn doubtful(findings: &[Finding]) -> String {
    let doubtful = findings
        .iter()
        .filter_map(|finding| if let Finding::Doubtful(text) = finding { Some(text.as_str()) } else { None });
    doubtful.collect::<Vec<_>>().join("\n")
}
