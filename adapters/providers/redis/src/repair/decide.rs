// SPDX-License-Identifier: Apache-2.0
//! What is to be done about an account that not all nodes have alike. Pure.

use std::collections::HashMap;

use cress_domain::AccountName;

use crate::wire::Held;

/// What one node has.
pub(super) struct View<'a> {
    /// Whether it is believed.
    pub(super) is_settled: bool,
    pub(super) accounts: &'a HashMap<AccountName, Held>,
}

/// What is to be done, with the places of nodes in the list of views.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Action {
    /// The node lost it, or never got it: it is copied.
    Restore { from: usize, to: usize },
    /// It is being ended, and this node does not know yet.
    End { at: usize },
    /// Only nodes have it that are not believed: it was ended while they were away, or is just being made.
    Suspect { at: usize },
    /// The same, and nobody was making it.
    Remove { at: usize },
}

/// What is to be done about one account, of `nodes` nodes there are, away ones included.
pub(super) fn decide(name: &AccountName, views: &[View<'_>], nodes: usize) -> Vec<Action> {
    let mut live = Vec::new();
    let mut absent = Vec::new();
    let mut is_ending = false;
    for (place, view) in views.iter().enumerate() {
        match view.accounts.get(name) {
            Some(Held::Live(_)) => live.push(place),
            Some(Held::Ended) => is_ending = true,
            None => absent.push(place),
        }
    }
    if is_ending {
        return live.into_iter().map(|at| Action::End { at }).collect();
    }
    let is_settled = |place: &usize| views.get(*place).is_some_and(|view| view.is_settled);
    if !views.iter().any(|view| view.is_settled) {
        // Nobody is believed, as after the broker's start: what most have, all should have, and the rest is left alone.
        let most = live.len().saturating_mul(2) >= nodes;
        let from = live.first().filter(|_| most);
        return from.map_or_else(Vec::new, |&from| absent.into_iter().map(|to| Action::Restore { from, to }).collect());
    }
    match live.iter().find(|place| is_settled(place)) {
        // If a settled node lacks it, it is just being made or ended, or that was broken off: the broker sees to it.
        Some(&from) => {
            absent.into_iter().filter(|place| !is_settled(place)).map(|to| Action::Restore { from, to }).collect()
        }
        None => live.into_iter().map(|at| Action::Suspect { at }).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each node as two letters: `S`ettled or `u`nsettled, and `+` live, `-` absent, `x` ended.
    fn check(nodes: &str, away: usize, expected: &[Action]) {
        let name: AccountName = "cress_abababababab_1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f".parse().unwrap();
        let read: Vec<(bool, HashMap<AccountName, Held>)> = nodes
            .split(' ')
            .map(|node| {
                let held = match &node[1..] {
                    "+" => Some(Held::Live(Vec::new())),
                    "x" => Some(Held::Ended),
                    _ => None,
                };
                (node.starts_with('S'), held.map(|held| (name, held)).into_iter().collect())
            })
            .collect();
        let views: Vec<_> =
            read.iter().map(|(is_settled, accounts)| View { is_settled: *is_settled, accounts }).collect();
        assert_eq!(decide(&name, &views, views.len() + away), expected, "{nodes}, {away} away");
    }

    #[test]
    fn a_believed_node_corrects_the_others() {
        use Action::{Restore, Suspect};
        check("S+ S+ S+", 0, &[]);
        check("S+ u-", 0, &[Restore { from: 0, to: 1 }]);
        check("u- S+ u-", 3, &[Restore { from: 1, to: 0 }, Restore { from: 1, to: 2 }]);
        check("S- u+", 0, &[Suspect { at: 1 }]);
        check("S- u+ u+ S-", 0, &[Suspect { at: 1 }, Suspect { at: 2 }]);
        // What believed nodes do not agree on is the broker's business.
        check("S+ S-", 0, &[]);
        check("S+ S- u-", 0, &[Restore { from: 0, to: 2 }]);
    }

    #[test]
    fn what_is_being_ended_is_ended_everywhere_and_never_restored() {
        use Action::End;
        check("Sx u+ S-", 0, &[End { at: 1 }]);
        check("ux S+", 0, &[End { at: 1 }]);
        check("ux u+ u+", 0, &[End { at: 1 }, End { at: 2 }]);
        check("Sx u-", 0, &[]);
    }

    #[test]
    fn if_nobody_is_believed_most_of_all_nodes_are() {
        use Action::Restore;
        check("u+ u-", 0, &[Restore { from: 0, to: 1 }]);
        check("u- u+ u+ u-", 0, &[Restore { from: 1, to: 0 }, Restore { from: 1, to: 3 }]);
        check("u+ u- u-", 0, &[]);
        check("u+ u-", 1, &[]);
        check("u+ u+", 4, &[]);
        check("u-", 0, &[]);
    }
}
