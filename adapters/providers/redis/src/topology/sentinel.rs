// SPDX-License-Identifier: Apache-2.0
//! What Sentinels say of a master and its replicas.

use redis::{Cmd, FromRedisValue, Value};

use super::{Found, Need};
use crate::address::Address;
use crate::wire;

/// Asks where the master is.
pub(crate) fn ask_master(master: &str) -> Cmd {
    wire::words(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", master])
}

/// Asks where its replicas are. One that is away is among them: the old master after a failover, for example.
pub(crate) fn ask_replicas(master: &str) -> Cmd {
    wire::words(&["SENTINEL", "REPLICAS", master])
}

/// Puts together what all Sentinels said: one that was started anew may not have found every replica yet.
pub(crate) fn read(answers: impl IntoIterator<Item = (Value, Value)>) -> Vec<Found> {
    let mut found = Vec::new();
    for (master, replicas) in answers {
        if let Some(address) = address(&wire::texts(master)) {
            Found::merge(&mut found, Found { address, need: Need::Serves });
        }
        for address in Vec::<Value>::from_redis_value(replicas).unwrap_or_default().into_iter().filter_map(replica) {
            Found::merge(&mut found, Found { address, need: Need::CanFollow });
        }
    }
    found
}

/// `host`, `port`
fn address(words: &[String]) -> Option<Address> {
    let [host, port] = words else { return None };
    Address::new(host, port.parse().ok()?)
}

/// Names and values in turn.
fn replica(fields: Value) -> Option<Address> {
    let fields = wire::texts(fields);
    let field = |name: &str| {
        let mut pairs = fields.chunks_exact(2);
        pairs.find_map(|pair| match pair {
            [key, value] if key == name => Some(value),
            _ => None,
        })
    };
    Address::new(field("ip")?, field("port")?.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(texts: &[&str]) -> Value {
        Value::Array(texts.iter().map(|text| Value::BulkString(text.as_bytes().to_vec())).collect())
    }

    fn replicas(ports: &[&str]) -> Value {
        let replica = |port: &&str| list(&["name", "x", "ip", "10.0.0.2", "port", port, "flags", "slave,s_down"]);
        Value::Array(ports.iter().map(replica).collect())
    }

    #[test]
    fn what_several_sentinels_know_is_put_together() {
        let one = (list(&["10.0.0.1", "6379"]), replicas(&["1"]));
        // This one has seen the failover already.
        let two = (list(&["10.0.0.2", "1"]), replicas(&["2"]));
        let unknown = (Value::Nil, Value::Array(Vec::new()));
        let found = read([one, two, unknown]);
        let found: Vec<_> = found.iter().map(|found| (found.address.to_string(), found.need)).collect();
        let expected = [("10.0.0.1:6379", Need::Serves), ("10.0.0.2:1", Need::Serves), ("10.0.0.2:2", Need::CanFollow)];
        assert_eq!(found, expected.map(|(address, need)| (address.to_owned(), need)));
    }
}
