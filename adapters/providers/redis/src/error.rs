// SPDX-License-Identifier: Apache-2.0
//! Why a node did not do what it was told, and what the broker is told of several.

use std::fmt;

use cress_provider::{Operation, ProviderError, ProviderErrorKind};
use redis::RedisError;

use crate::address::Address;

/// A node that did not do what it was told.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{node} {failure}")]
pub(crate) struct NodeError {
    pub(crate) node: Address,
    pub(crate) failure: Failure,
}

/// What went wrong there. The texts hold no secret: what is sent has none but the password of the broker's own account, which servers
/// do not repeat.
#[derive(Debug, Clone)]
pub(crate) enum Failure {
    /// It cannot be reached, gives no answer, or has no time now.
    Away(String),
    /// It refuses this.
    Refused(String),
}

/// Longer words of a server are cut off.
const SERVER_WORDS_MAX: usize = 200;
/// More nodes are counted, and not named.
const NODES_NAMED_MAX: usize = 5;

/// What a server says when it cannot do anything now, whatever it is asked for.
const BUSY: [&str; 8] =
    ["LOADING", "BUSY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "UNKILLABLE", "NOAUTH", "WRONGPASS"];

impl NodeError {
    pub(crate) fn away(node: &Address, reason: impl Into<String>) -> Self {
        Self { node: node.clone(), failure: Failure::Away(reason.into()) }
    }

    pub(crate) fn refused(node: &Address, reason: impl Into<String>) -> Self {
        Self { node: node.clone(), failure: Failure::Refused(reason.into()) }
    }

    /// What the client library says of a server.
    pub(crate) fn of(node: &Address, error: &RedisError) -> Self {
        let words = words(&error.to_string());
        let is_busy = error.code().is_some_and(|code| BUSY.contains(&code));
        if is_busy || error.is_unrecoverable_error() || error.is_io_error() || error.is_timeout() {
            return Self::away(node, words);
        }
        Self::refused(node, words)
    }

    pub(crate) const fn is_away(&self) -> bool {
        matches!(self.failure, Failure::Away(_))
    }

    /// The same for the broker.
    pub(crate) fn of_operation(self, operation: Operation) -> ProviderError {
        all_of(&[self], operation)
    }
}

/// What the broker is told when several nodes failed: away if any is, since only then the same call may succeed later.
pub(crate) fn all_of(errors: &[NodeError], operation: Operation) -> ProviderError {
    let away = errors.iter().any(NodeError::is_away);
    let kind = if away { ProviderErrorKind::Unavailable } else { ProviderErrorKind::Refused };
    let named: Vec<String> = errors.iter().take(NODES_NAMED_MAX).map(ToString::to_string).collect();
    let more = match errors.len().saturating_sub(NODES_NAMED_MAX) {
        0 => String::new(),
        count => format!("; and {count} more nodes"),
    };
    ProviderError::new(kind, operation, format!("{}{more}", named.join("; ")))
}

/// A server's words, short and on one line.
pub(crate) fn words(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).take(SERVER_WORDS_MAX).collect()
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Away(reason) => write!(formatter, "is away ({reason})"),
            Self::Refused(reason) => write!(formatter, "refuses: {reason}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_node_away_makes_the_whole_worth_another_try() {
        let node: Address = "redis.example:6379".parse().unwrap();
        let refused = NodeError::refused(&node, "NOPERM");
        let away = NodeError::away(&node, "connection refused");
        let error = all_of(std::slice::from_ref(&refused), Operation::Issue);
        assert_eq!(error.kind(), ProviderErrorKind::Refused);
        let error = all_of(&[refused, away.clone()], Operation::Revoke);
        assert_eq!(error.kind(), ProviderErrorKind::Unavailable);
        assert_eq!(
            error.to_string(),
            "cannot end the account: redis.example:6379 refuses: NOPERM; redis.example:6379 is away (connection refused)"
        );
        let many = all_of(&vec![away; 7], Operation::Revoke).to_string();
        assert!(many.ends_with("and 2 more nodes"), "{many}");
        assert_eq!(words("a\r\nb"), "a  b");
    }
}
