// SPDX-License-Identifier: Apache-2.0
//! The suite that every provider passes, at every kind of server and arrangement.

use async_trait::async_trait;
use cress_provider::conformance::{self, Cut, Session, TestTarget, Use};
use cress_provider::{Credential, Issued, Provider};
use cress_testkit::TcpProxy;
use cress_testkit::redis::{Accounts, ClusterSetup, Flavour, MASTER_NAME, PASSWORD, RedisServer, SentinelSetup};
use redis::aio::MultiplexedConnection;

use super::site::{RULES, Site, addresses, log_in, may, works};

struct Target<'a> {
    site: Site,
    servers: &'a [RedisServer],
    /// Between the provider and its only server.
    wire: Option<TcpProxy>,
}

struct Connected(Vec<MultiplexedConnection>);

#[async_trait]
impl Session for Connected {
    async fn is_alive(&mut self) -> bool {
        let mut alive = false;
        for connection in &mut self.0 {
            alive |= may(connection, &["GET", "cache:x"]).await;
        }
        alive
    }
}

#[async_trait]
impl TestTarget for Target<'_> {
    fn provider(&self) -> &dyn Provider {
        &*self.site.provider
    }

    fn credential(&self) -> &dyn Credential {
        &*self.site.credential
    }

    fn parameter(&self) -> Option<(&'static str, &'static str)> {
        Some(("shard", "7"))
    }

    fn root_secrets(&self) -> Vec<String> {
        vec![PASSWORD.to_owned()]
    }

    async fn attempt(&self, issued: &Issued) -> Result<Use, String> {
        let mut working = 0;
        for server in self.servers {
            working += usize::from(works(server, issued).await);
        }
        match working {
            0 => Ok(Use::Refused),
            all if all == self.servers.len() => Ok(Use::Works),
            some => Err(format!("it works at {some} of {} nodes", self.servers.len())),
        }
    }

    async fn trespass(&self, issued: &Issued) -> Result<bool, String> {
        for server in self.servers {
            let mut connection = log_in(server.port(), issued).await.map_err(|error| error.to_string())?;
            for words in [
                &["GET", "other:x"][..],
                &["GET", "app:stranger:x"],
                &["GET", "app:7"],
                &["SET", "cache", "x"],
                &["KEYS", "*"],
                &["FLUSHALL"],
                &["PUBLISH", "other", "x"],
                &["ACL", "LIST"],
                &["CONFIG", "GET", "*"],
                &["CLIENT", "LIST"],
            ] {
                if may(&mut connection, words).await {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    async fn state(&self) -> Result<Vec<String>, String> {
        let lines = |(place, server): (usize, &RedisServer)| {
            server.users().into_iter().map(|line| format!("{place} {line}")).collect::<Vec<_>>()
        };
        Ok(self.servers.iter().enumerate().flat_map(lines).collect())
    }

    async fn open_session(&self, issued: &Issued) -> Result<Option<Box<dyn Session>>, String> {
        let mut connections = Vec::new();
        for server in self.servers {
            connections.push(log_in(server.port(), issued).await.map_err(|error| error.to_string())?);
        }
        Ok(Some(Box::new(Connected(connections))))
    }

    async fn make_account(&self, name: &str) -> Result<(), String> {
        for server in self.servers {
            server.command(&["ACL", "SETUSER", name, "on", "nopass", "~x", "+get"]);
        }
        Ok(())
    }

    async fn remove_account(&self, name: &str) -> Result<(), String> {
        for server in self.servers {
            server.command(&["ACL", "DELUSER", name]);
        }
        Ok(())
    }

    async fn cut(&self, how: Cut) -> Result<bool, String> {
        let Some(wire) = &self.wire else { return Ok(false) };
        match how {
            Cut::Broken => wire.cut(),
            Cut::Silent => wire.hold(),
        }
        Ok(true)
    }

    async fn mend(&self) -> Result<(), String> {
        // What was held is lost for good.
        self.wire.iter().for_each(TcpProxy::cut);
        self.wire.iter().for_each(TcpProxy::mend);
        Ok(())
    }
}

async fn conforms(settings: &str, servers: &[RedisServer], wire: Option<TcpProxy>) {
    let site = Site::with_rules(&format!("timeout_seconds = 2\n{settings}"), RULES);
    let (clock, random) = (site.clock.clone(), site.random.clone());
    let target = Target { site, servers, wire };
    conformance::run(&target, &*clock, &*random).await.unwrap();
}

async fn one_server_conforms(flavour: Flavour, accounts: Accounts, persistence: &str) {
    let server = RedisServer::start(flavour, accounts);
    let wire = TcpProxy::to(server.port());
    let settings = format!("nodes = ['127.0.0.1:{}']\npersistence = '{persistence}'", wire.port());
    conforms(&settings, &[server], Some(wire)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_with_an_aclfile() {
    one_server_conforms(Flavour::Redis, Accounts::Aclfile, "aclfile").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_that_rewrites_its_configuration() {
    one_server_conforms(Flavour::Redis, Accounts::ConfigFile, "rewrite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn valkey() {
    one_server_conforms(Flavour::Valkey, Accounts::ConfigFile, "none").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_with_replicas_and_sentinels() {
    let setup = SentinelSetup::start(Accounts::Aclfile);
    let settings = format!(
        "topology = 'sentinel'\nsentinels = {}\nmaster = '{MASTER_NAME}'\npersistence = 'aclfile'",
        addresses(&setup.sentinels)
    );
    conforms(&settings, &setup.servers, None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_of_six() {
    let setup = ClusterSetup::start(Flavour::Redis, Accounts::ConfigFile);
    let settings = format!("topology = 'cluster'\nnodes = {}", addresses(&setup.servers[..2]));
    conforms(&settings, &setup.servers, None).await;
}
