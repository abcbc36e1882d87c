// SPDX-License-Identifier: Apache-2.0
//! What a node of a Cluster says of the others: CLUSTER NODES, which every version has.

use super::{Found, Need};
use crate::address::Address;

/// Slots of a Cluster that is whole.
const SLOTS: u32 = 16_384;

/// One node's view of a Cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ClusterView {
    pub(crate) nodes: Vec<Found>,
    slots: u32,
}

impl ClusterView {
    /// Whether somebody serves each slot. A node that was reset or has not met the others sees none, and must not be believed that it
    /// is alone.
    pub(crate) const fn is_whole(&self) -> bool {
        self.slots >= SLOTS
    }

    /// Whether this view tells more than another.
    pub(crate) fn tells_more_than(&self, other: &Self) -> bool {
        (self.slots, self.nodes.len()) > (other.slots, other.nodes.len())
    }

    /// Reads CLUSTER NODES as `asked` told it. `by_name` prefers the names that nodes announce, which certificates are for.
    pub(crate) fn read(text: &str, asked: &Address, names: Names) -> Self {
        let mut view = Self::default();
        for line in text.lines() {
            if let Some((found, slots)) = read_line(line, asked, names) {
                Found::merge(&mut view.nodes, found);
                view.slots = view.slots.saturating_add(slots);
            }
        }
        view
    }
}

/// By what nodes are connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    /// By their IP addresses.
    Addresses,
    /// By the host names that they announce, if they do.
    Hosts,
}

/// `<id> <ip>:<port>@<bus port>[,<host name>[,...]] <flags> <master> <ping> <pong> <epoch> <link> <slot> ...`
fn read_line(line: &str, asked: &Address, names: Names) -> Option<(Found, u32)> {
    let mut words = line.split_ascii_whitespace();
    let endpoint = words.nth(1)?;
    let flags: Vec<&str> = words.next()?.split(',').collect();
    // The master, two times, the epoch, and the state of the link.
    let slots = words.skip(5).map(slot_count).sum();
    if flags.contains(&"noaddr") || flags.contains(&"handshake") {
        return None;
    }
    let gave_up = flags.contains(&"fail");
    let need = if flags.contains(&"master") && slots > 0 && !gave_up { Need::Serves } else { Need::CanFollow };
    Some((Found { address: endpoint_address(endpoint, asked, names)?, need }, slots))
}

fn endpoint_address(endpoint: &str, asked: &Address, names: Names) -> Option<Address> {
    let mut parts = endpoint.split(',');
    let (ip, port) = parts.next()?.split('@').next()?.rsplit_once(':')?;
    let host = parts.next().filter(|host| names == Names::Hosts && !host.is_empty());
    // A node that nobody has told its own address yet leaves it out.
    let host = host.unwrap_or(if ip.is_empty() { &asked.host } else { ip });
    Address::new(host, port.parse().ok()?)
}

/// Slots of `5`, `0-5460`; those that move are in brackets, `[93-<-...]`, and counted by whom they move from.
fn slot_count(word: &str) -> u32 {
    let (first, last) = word.split_once('-').unwrap_or((word, word));
    match (first.parse::<u32>(), last.parse::<u32>()) {
        (Ok(first), Ok(last)) => last.saturating_sub(first).saturating_add(1),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(text: &str, names: Names) -> ClusterView {
        ClusterView::read(text, &"10.0.0.9:7000".parse().unwrap(), names)
    }

    #[test]
    fn every_node_is_found_with_what_it_is_needed_for() {
        let text = "\
            a1 10.0.0.1:7000@17000,one.example myself,master - 0 0 1 connected 0-5460 [93-<-b2]\n\
            b2 10.0.0.2:7000@17000 master - 0 0 2 connected 5461-10922\n\
            c3 10.0.0.3:7000@17000,,tls-port=0,shard-id=x master,fail - 0 0 3 disconnected 10923\n\
            c4 [::1]:7000 broken\n\
            d4 2001:db8::4:7000@17000 slave,fail? a1 0 0 1 connected\n\
            e5 10.0.0.5:7000@17000 master - 0 0 4 connected\n\
            f6 10.0.0.3:7001@17001 master - 0 0 5 connected 10924-16383\n\
            g7 :0@0 slave,noaddr a1 0 0 1 connected\n\
            h8 10.0.0.8:7000@17000 handshake - 0 0 0 connected\n";
        let read = view(text, Names::Addresses);
        let found: Vec<_> = read.nodes.iter().map(|found| (found.address.to_string(), found.need)).collect();
        let expected = [
            ("10.0.0.1:7000", Need::Serves),
            ("10.0.0.2:7000", Need::Serves),
            ("10.0.0.3:7000", Need::CanFollow),
            ("[2001:db8::4]:7000", Need::CanFollow),
            ("10.0.0.5:7000", Need::CanFollow),
            ("10.0.0.3:7001", Need::Serves),
        ];
        assert_eq!(found, expected.map(|(address, need)| (address.to_owned(), need)));
        assert!(read.is_whole());
        assert_eq!(view(text, Names::Hosts).nodes.first().unwrap().address.host, "one.example");
    }

    #[test]
    fn a_node_that_has_met_nobody_is_not_believed_to_be_the_whole() {
        let alone = view("a1 :7000@17000 myself,master - 0 0 0 connected\n", Names::Addresses);
        assert_eq!(alone.nodes.first().unwrap().address.to_string(), "10.0.0.9:7000");
        assert!(!alone.is_whole());
        let more = view("a1 10.0.0.1:7000@17000 myself,master - 0 0 1 connected 0-100\n", Names::Addresses);
        assert!(more.tells_more_than(&alone) && !alone.tells_more_than(&more));
        assert!(view("", Names::Addresses).nodes.is_empty());
    }
}
