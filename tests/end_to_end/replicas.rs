// SPDX-License-Identifier: Apache-2.0
//! Several controls on one PostgreSQL database: what one of them is told reaches all, what is due is done once, and who loses the database
//! stops and says so.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use cress_testkit::postgres::{Postgres, Version};
use cress_tests::{Program, Replica, Wire, base_port, eventually, eventually_for, get, send};
use serde_json::{Value, json};
use tempfile::TempDir;

const KEK: &str = "old:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const METADATA: &[&str] = &["Metadata: true"];
/// A week and an hour: the first key has just retired.
const LATER_SECONDS: &str = "608400";

/// Where several replicas live.
struct Site {
    directory: TempDir,
    database: String,
}

/// A node, where its metadata services are, and its directory.
struct Node {
    _program: Program,
    imds: String,
    machine_id: String,
}

impl Site {
    fn new() -> Self {
        let url = server().create_database();
        let database = url.rsplit('/').next().unwrap().to_owned();
        Self { directory: tempfile::tempdir().unwrap(), database }
    }

    /// A replica that does not run yet, and reaches the database at this port.
    fn replica(&self, name: &str, port: u16) -> Replica {
        let directory = self.directory.path().join(name);
        fs::create_dir(&directory).unwrap();
        let file = directory.join("kek");
        fs::write(&file, KEK).unwrap();
        let mut replica = Replica::new(&directory, base_port());
        let url = server().url(&self.database).replace(&format!(":{}/", server().port()), &format!(":{port}/"));
        replica.set("CRESS_CONTROL_STORE__URL", url);
        replica.set("CRESS_CONTROL_KEY_ENCRYPTION__KEYS", json!([format!("file:{}", file.display())]).to_string());
        replica
    }

    fn start(&self, name: &str) -> Replica {
        let mut replica = self.replica(name, server().port());
        replica.start();
        replica
    }

    fn node_directory(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A node of this replica.
    fn node(&self, name: &str, replica: &Replica) -> Node {
        let directory = self.node_directory(name);
        fs::create_dir(&directory).unwrap();
        let invitation = replica.admin(&["nodes", "invite"]);
        fs::write(directory.join("join-token"), invitation["join_token"].as_str().unwrap()).unwrap();
        let port = base_port();
        let program = replica.start_node_at(&directory, port, &[]);
        let machine_id = eventually("the node", || {
            let connected = |node: &&Value| node["connected"] == true;
            let nodes = replica.list("nodes").unwrap();
            nodes.iter().find(connected).map(|node| node["machine_id"].as_str().unwrap().to_owned())
        });
        Node { _program: program, imds: format!("http://127.0.0.1:{port}"), machine_id }
    }
}

impl Node {
    fn token(&self) -> Option<String> {
        let answer = get(&format!("{}/v1/token", self.imds), METADATA).ok().filter(|answer| answer.status == 200)?;
        answer.json()["jwt"].as_str().map(str::to_owned)
    }
}

fn server() -> &'static Postgres {
    Postgres::shared(Version::V15)
}

fn instances(replica: &Replica) -> Vec<Value> {
    replica.list("instances").unwrap()
}

#[test]
fn assignments_and_bans_reach_every_replica_and_its_nodes() {
    let site = Site::new();
    let (here, there) = (site.start("here"), site.start("there"));
    let (mine, theirs) = (site.node("mine", &here), site.node("theirs", &there));

    let begun = Instant::now();
    here.create_group("worker", &json!({"replicas": 2, "command": ["sleep", "600"], "stop_grace_seconds": 1})).unwrap();
    eventually("a token on the node of the other replica", || theirs.token());
    println!("from one replica to a token on another's node: {:?}", begun.elapsed());
    eventually("a token on the node here", || mine.token());
    eventually("both replicas to know both", || {
        (instances(&here).len() == 2 && instances(&there).len() == 2).then_some(())
    });

    // Banned here, cut off there.
    let begun = Instant::now();
    here.admin(&["nodes", "ban", &theirs.machine_id]);
    eventually("the stream at the other replica to be cut", || {
        let nodes = there.list("nodes").unwrap();
        let node = nodes.iter().find(|node| node["machine_id"] == json!(theirs.machine_id)).unwrap();
        (node["connected"] == false && node["state"] == "banned").then_some(())
    });
    println!("from a ban at one replica to the cut at another: {:?}", begun.elapsed());
    eventually("both instances to be on the node that is left", || {
        let there = instances(&there);
        (there.len() == 2 && there.iter().all(|one| one["machine_id"] == json!(mine.machine_id))).then_some(())
    });
}

#[test]
fn replicas_that_race_rotate_once() {
    let site = Site::new();
    let mut first = site.start("first");
    let before = first.published();
    first.program().interrupt();
    let mut replicas = vec![first, site.replica("second", server().port()), site.replica("third", server().port())];
    for replica in &mut replicas {
        replica.set("CRESS_CLOCK_AHEAD_SECONDS", LATER_SECONDS);
        replica.set("CRESS_CONTROL_STORE__CLOCK_APART_SECONDS_MAX", "31536000");
        replica.spawn();
    }
    for replica in &replicas {
        let ready = format!("{}/readyz", replica.url());
        eventually("every replica", || get(&ready, &[]).ok().filter(|answer| answer.status == 200));
        let published = eventually("the key set to have turned", || {
            Some(replica.published()).filter(|published| published.len() == 3)
        });
        assert_eq!(published[..2], before[..], "{}", replica.output());
        assert_eq!(published, replicas[0].published(), "each publishes the same");
        assert_eq!(replica.list("keys").unwrap().len(), 3);
    }
}

#[test]
fn a_replica_that_loses_the_database_stops_says_so_and_recovers() {
    let site = Site::new();
    let wire = Wire::to(server().port());
    let mut cut = site.replica("cut", wire.port());
    cut.start();
    let other = site.start("other");
    let node = site.node("node", &cut);
    cut.create_group("worker", &json!({"replicas": 1, "command": ["sleep", "600"], "stop_grace_seconds": 1})).unwrap();
    eventually("a token", || node.token());

    wire.cut();
    let ready = format!("{}/readyz", cut.url());
    // The other replica bans no one meanwhile, but it could: what the lost one knows is worth nothing after 30 s.
    let said = eventually_for(Duration::from_secs(90), "it to say that it knows nothing any more", || {
        let answer = get(&ready, &[]).ok()?;
        (answer.status == 503 && answer.body.contains("no longer knows what is placed where")).then_some(answer.body)
    });
    assert!(said.contains("store"), "{said}");
    assert!(cut.output().contains("does not follow the store"), "{}", cut.output());
    let age = metric(&cut, "cress_control_fleet_age_seconds").or_else(|| metric(&cut, "control_fleet_age_seconds"));
    assert!(age.is_some_and(|age| age > 20.0), "{age:?}");

    // A restart drops the instance's token, and no other is signed.
    assert_eq!(send("POST", &format!("{}/v1/restart", node.imds), METADATA, "").unwrap().status, 204);
    eventually("the token to be gone", || node.token().is_none().then_some(()));
    assert_eq!(get(&format!("{}/readyz", other.url()), &[]).unwrap().status, 200, "the other one goes on");

    wire.mend();
    eventually("it to be ready again by itself", || get(&ready, &[]).ok().filter(|answer| answer.status == 200));
    eventually("a token again", || node.token());
}

#[test]
fn a_database_restored_from_a_backup_is_noticed() {
    let site = Site::new();
    let mut first = site.start("first");
    let node = site.node("node", &first);
    first.create_group("kept", &json!({"replicas": 1, "command": ["sleep", "600"], "stop_grace_seconds": 1})).unwrap();
    eventually("a token", || node.token());
    first.program().interrupt();
    let (live, backup) = (&site.database, format!("{}_backup", site.database));
    server().sql("postgres", &format!("CREATE DATABASE {backup} TEMPLATE {live}"));

    first.start();
    first.create_group("lost", &json!({"replicas": 2, "command": ["sleep", "600"], "stop_grace_seconds": 1})).unwrap();
    eventually("three instances", || (instances(&first).len() == 3).then_some(()));
    // Under a running control, as an operator in a hurry would.
    server().sql("postgres", &format!("ALTER DATABASE {live} ALLOW_CONNECTIONS false"));
    server()
        .sql("postgres", &format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{live}'"));
    server().sql("postgres", &format!("ALTER DATABASE {live} RENAME TO {live}_gone"));
    server().sql("postgres", &format!("ALTER DATABASE {backup} RENAME TO {live}"));

    eventually("it to see the older fleet", || (first.list("instances").ok()?.len() == 1).then_some(()));
    eventually("the warning", || first.output().contains("was it restored from a backup").then_some(()));
    eventually("a token of what is left", || node.token());
    let groups = first.admin(&["groups", "list", "--organization", "acme", "--project", "default"]);
    assert_eq!(groups.as_array().unwrap().len(), 1, "{groups}");
}

/// The value of a metric without labels.
fn metric(replica: &Replica, name: &str) -> Option<f64> {
    let answer = get(&replica.metrics_url(), &[]).ok()?;
    answer.body.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}
