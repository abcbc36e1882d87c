// SPDX-License-Identifier: Apache-2.0
//! The official Python library with what a workload is given: as it would use it, in each arrangement.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

use cress_provider::Issued;
use cress_testkit::redis::{Accounts, ClusterSetup, Flavour, MASTER_NAME, RedisServer, SentinelSetup};
use cress_testkit::tool;

use super::site::{Site, addresses, field};

/// Tells `ready` once it works, waits in a blocking command, and then tells what became of that and of a new connection.
const SCRIPT: &str = r#"
import json, sys, redis
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.retry import Retry
from redis.sentinel import Sentinel

given = json.loads(sys.stdin.readline())
pair = lambda address: (address.rsplit(":", 1)[0], int(address.rsplit(":", 1)[1]))

def connect():
    common = dict(username=given["username"], password=given["password"], decode_responses=True)
    if given["topology"] == "cluster":
        nodes = [ClusterNode(*pair(each)) for each in given["nodes"].split(",")]
        return RedisCluster(startup_nodes=nodes, **common)
    common["retry"] = Retry(NoBackoff(), 0)
    if given["topology"] == "sentinel":
        sentinel = Sentinel([pair(each) for each in given["sentinels"].split(",")])
        return sentinel.master_for(given["master"], **common)
    return redis.Redis(host=given["host"], port=int(given["port"]), **common)

client = connect()
for number in range(50):
    client.set(f"cache:{number}", str(number))
assert all(client.get(f"cache:{number}") == str(number) for number in range(50))
try:
    client.get("other")
    print("trespassed", flush=True)
except redis.exceptions.NoPermissionError:
    print("ready", flush=True)
try:
    print(client.blpop("cache:nothing", 0), flush=True)
except (redis.exceptions.ConnectionError, redis.exceptions.RedisClusterException, redis.exceptions.ResponseError) as error:
    # A Cluster's client tries to come back by itself, and is refused.
    print("cut", flush=True)
try:
    connect().get("cache:1")
    print("let in", flush=True)
except redis.exceptions.AuthenticationError:
    print("refused", flush=True)
except redis.exceptions.RedisClusterException as error:
    print("refused" if "WRONGPASS" in str(error) or "invalid username-password" in str(error) else error, flush=True)
"#;

struct Workload {
    process: Child,
    lines: BufReader<ChildStdout>,
}

impl Workload {
    fn start(issued: &Issued) -> Self {
        let mut python = Command::new(tool("CRESS_TEST_PYTHON_TARGETS", "python-targets/bin/python"));
        python.args(["-c", SCRIPT]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = python.spawn().expect("a Python with redis; run `cargo xtask tools` first");
        let names = issued.fields.keys().map(|name| format!("{name:?}: {:?}", field(issued, name)));
        let given = format!("{{{}}}\n", names.collect::<Vec<_>>().join(", "));
        process.stdin.take().unwrap().write_all(given.as_bytes()).unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap());
        Self { process, lines }
    }

    fn says(&mut self, expected: &str) {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        assert_eq!(line.trim(), expected);
    }
}

impl Drop for Workload {
    fn drop(&mut self) {
        let _ended = self.process.kill();
        let _gone = self.process.wait();
    }
}

async fn is_used_and_cut(settings: &str) {
    let site = Site::new(settings);
    let (account, issued) = site.issue().await;
    let mut workload = Workload::start(&issued);
    workload.says("ready");
    site.provider.revoke(&account).await.unwrap();
    workload.says("cut");
    workload.says("refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_py_at_one_server() {
    for flavour in [Flavour::Redis, Flavour::Valkey] {
        let server = RedisServer::start(flavour, Accounts::ConfigFile);
        is_used_and_cut(&format!("nodes = ['{}']", server.address())).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_py_with_sentinels() {
    let setup = SentinelSetup::start(Accounts::Aclfile);
    let sentinels = addresses(&setup.sentinels);
    let settings =
        format!("topology = 'sentinel'\nsentinels = {sentinels}\nmaster = '{MASTER_NAME}'\npersistence = 'aclfile'");
    is_used_and_cut(&settings).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_py_at_a_cluster() {
    let setup = ClusterSetup::start(Flavour::Valkey, Accounts::ConfigFile);
    is_used_and_cut(&format!("topology = 'cluster'\nnodes = {}", addresses(&setup.servers[..3]))).await;
}
