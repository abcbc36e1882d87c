// SPDX-License-Identifier: Apache-2.0
//! Every limit of this provider.

use std::ops::RangeInclusive;
use std::time::Duration;

/// What the setting `timeout_seconds` may be: how long one call to one node may take, connecting included.
pub(crate) const TIMEOUT_SECONDS: RangeInclusive<u32> = 1..=60;
/// What it is where nothing is said.
pub(crate) const TIMEOUT_SECONDS_DEFAULT: u32 = 5;

/// Nodes that the settings may name.
pub(crate) const CONFIGURED_NODES_MAX: usize = 64;
/// Nodes that a Cluster or Sentinels may name. The Cluster's own recommended limit is 1,000.
pub(crate) const NODES_MAX: usize = 1_000;

/// Commands that wait for an answer of one node at a time; more of them wait here.
pub(crate) const IN_FLIGHT_MAX: usize = 512;
/// A node that could not be reached is not tried again for so long; who asks meanwhile is told at once.
pub(crate) const AWAY_PAUSE: Duration = Duration::from_secs(1);

/// How old the list of nodes may be when it is used.
pub(crate) const TOPOLOGY_AGE_MAX: Duration = Duration::from_secs(5);
/// A list that is older is not used before it was asked for again, unless nobody tells.
pub(crate) const TOPOLOGY_STALE_MAX: Duration = Duration::from_secs(30);
/// Sentinels or nodes of a Cluster are not asked for the list more often than this, whatever fails.
pub(crate) const TOPOLOGY_PAUSE: Duration = Duration::from_secs(1);

/// New accounts are written to the disk at most so much later.
pub(crate) const SAVE_DELAY: Duration = Duration::from_secs(1);
/// The least pause between two times that a node writes its accounts, in which it serves nobody else.
pub(crate) const SAVE_PAUSE_MIN: Duration = Duration::from_millis(20);
/// The pause is no longer than this, however long writing took.
pub(crate) const SAVE_PAUSE_MAX: Duration = Duration::from_secs(10);
/// A node may take longer to write all accounts than for other calls.
pub(crate) const SAVE_TIMEOUT_FACTOR: u32 = 4;

/// Nodes are not compared more often than this, whatever came back.
pub(crate) const REPAIR_PAUSE: Duration = Duration::from_secs(2);
/// They are compared so often though nothing seems to have happened.
pub(crate) const REPAIR_INTERVAL: Duration = Duration::from_secs(600);
/// Accounts that are written to a node at once.
pub(crate) const REPAIR_BATCH: usize = 256;

/// Rules of one credential.
pub(crate) const RULES_MAX: usize = 64;
/// Bytes of one rule.
pub(crate) const RULE_BYTES_MAX: usize = 256;
/// Bytes of what fills one placeholder.
pub(crate) const VALUE_BYTES_MAX: usize = 128;

/// Bytes of a user's name in the settings.
pub(crate) const USERNAME_BYTES_MAX: usize = 128;
/// Bytes of a host name (RFC 1035 section 2.3.4).
pub(crate) const HOST_BYTES_MAX: usize = 253;

/// Random bytes of a password: 256 bits, since a server stores no more of it than its SHA-256.
pub(crate) const PASSWORD_BYTES: usize = 32;
