// SPDX-License-Identifier: Apache-2.0
//! What the metadata service asks of the agent. Everything is answered from memory.

use std::fmt;

use bytes::Bytes;
use cress_api::imds::Status;
use cress_domain::Audience;

/// One instance as its metadata service sees it. No method of it may wait for another machine, except the two futures
/// that say so, and those are bounded by the caller and may be dropped at any point.
pub trait Backend: Send + Sync + 'static {
    /// The token for this audience, or for the default one. Called on the hot path: it must neither block nor sign.
    fn token(&self, audience: Option<&Audience>) -> TokenAnswer;

    /// Resolves as soon as [`Backend::token`] would no longer answer [`TokenAnswer::Pending`], with that answer. Asking
    /// for an audience for the first time is what makes the agent fetch a token for it.
    fn settled_token(&self, audience: Option<&Audience>) -> impl Future<Output = TokenAnswer> + Send;

    /// The latest results of the health probes.
    ///
    /// # Errors
    /// [`BackendError`]: the instance is gone, or cannot be asked now.
    fn status(&self) -> Result<Status, BackendError>;

    /// Has the same instance started again soon. Returns when the restart is on its way, not when it is done: the caller
    /// is the application that is about to be stopped.
    ///
    /// # Errors
    /// [`BackendError`]: the instance is gone, or cannot be restarted now.
    fn restart(&self) -> impl Future<Output = Result<(), BackendError>> + Send;

    /// The instance's deletion cost; 0 unless it was set.
    ///
    /// # Errors
    /// [`BackendError`]: the instance is gone, or cannot be asked now.
    fn deletion_cost(&self) -> Result<i32, BackendError>;

    /// Sets the instance's deletion cost.
    ///
    /// # Errors
    /// [`BackendError`]: the instance is gone, or the cost cannot be kept now.
    fn set_deletion_cost(&self, cost: i32) -> impl Future<Output = Result<(), BackendError>> + Send;
}

/// The answer to "which token?".
#[derive(Debug, Clone)]
pub enum TokenAnswer {
    /// This one, still good.
    Ready(TokenBody),
    /// None yet, but one is being fetched: worth a short wait.
    Pending,
    /// None, and waiting would not help: the last one has expired and control cannot be reached.
    Unavailable,
    /// The container group's allow-list does not have this audience.
    AudienceNotAllowed,
    /// The instance has ended, or never was.
    InstanceUnknown,
}

/// Why a question about the instance has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BackendError {
    /// The instance has ended, or never was.
    #[error("expected a running instance, found none")]
    InstanceUnknown,
    /// The agent cannot do it now; asking again later may help.
    #[error("the agent cannot do this now, try again later")]
    Unavailable,
}

/// The ready-made body of `GET /v1/token`, made once for each token and shared by all answers. It holds a token, so its
/// `Debug` says nothing.
#[derive(Clone)]
pub struct TokenBody(Bytes);

impl TokenBody {
    /// The body for a token in compact form. Its characters are base64url and dots, which JSON takes as they are.
    #[must_use]
    pub fn new(jwt: &str) -> Self {
        debug_assert!(jwt.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)));
        Self(Bytes::from([r#"{"jwt":""#, jwt, r#""}"#].concat()))
    }

    pub(crate) fn share(&self) -> Bytes {
        self.0.clone()
    }
}

impl fmt::Debug for TokenBody {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TokenBody(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_body_is_json_and_keeps_its_secret() {
        let body = TokenBody::new("aaa.bbb.ccc");
        let token: cress_api::imds::Token = serde_json::from_slice(&body.share()).unwrap();
        assert_eq!(token.jwt, "aaa.bbb.ccc");
        assert_eq!(format!("{body:?}"), "TokenBody(..)");
    }
}
