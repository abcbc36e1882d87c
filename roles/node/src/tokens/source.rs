// SPDX-License-Identifier: Apache-2.0
//! Where tokens come from.

use async_trait::async_trait;
use cress_domain::{Audience, InstanceId, Secret, Timestamp};

/// Whoever signs tokens: control, reached over the node protocol.
#[async_trait]
pub trait TokenSource: Send + Sync + 'static {
    /// Asks for at most [`cress_domain::limits::ISSUE_BATCH_MAX`] tokens. One refused token does not fail the others.
    /// Dropping the future gives the call up.
    ///
    /// # Errors
    /// [`SourceError`]: no token at all could be had. Trying again later may help, always.
    async fn issue(&self, requests: Vec<TokenRequest>) -> Result<Batch, SourceError>;
}

/// One token that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TokenRequest {
    /// The instance that is to hold it.
    pub instance_id: InstanceId,
    /// Whom it is meant for; none means the instance's organization.
    pub audience: Option<Audience>,
}

/// The answer to a batch of requests.
#[derive(Debug)]
pub struct Batch {
    /// One for each request, in the same order.
    pub results: Vec<Result<IssuedToken, Refusal>>,
    /// Control's time when it signed.
    pub control_time: Timestamp,
}

/// A token as it came: nothing about it has been checked.
#[derive(Debug)]
pub struct IssuedToken {
    /// The token in compact form.
    pub jwt: Secret<String>,
}

/// Why control gives no token for one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No such instance is placed on this node, as far as this replica of control knows.
    #[error("control has not placed the instance on this node")]
    NotPlaced,
    /// The container group does not allow the audience.
    #[error("control does not allow the audience for the container group")]
    AudienceNotAllowed,
    /// An id or an audience is malformed.
    #[error("control cannot read the request")]
    Malformed,
    /// No key may sign at the moment.
    #[error("control has no key that may sign at the moment")]
    NoSigningKey,
    /// A reason that this agent does not know.
    #[error("control gives a reason that this version of the agent does not know")]
    Unknown,
}

/// Why a whole batch failed. The texts go to the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// There is no connection.
    #[error("control cannot be reached: {0}")]
    Unreachable(String),
    /// There was no answer in time.
    #[error("control did not answer within {} s", super::limits::CALL_TIME_MAX.as_secs())]
    TimedOut,
    /// Control refused the call as a whole.
    #[error("control refused to issue tokens: {0}")]
    Refused(String),
    /// The answer does not fit the requests.
    #[error("expected an answer for each of {asked} requests, got {answered}")]
    Mismatch {
        /// How many tokens were asked for.
        asked: usize,
        /// How many results came.
        answered: usize,
    },
}
