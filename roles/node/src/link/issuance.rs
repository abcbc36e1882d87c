// SPDX-License-Identifier: Apache-2.0
//! Asking control for tokens: the token cache's source.

use async_trait::async_trait;
use cress_api::node_protocol::fleet_client::FleetClient;
use cress_api::node_protocol::{self, IssueTokensRequest, IssueTokensResponse, MESSAGE_BYTES_MAX, token_result};
use cress_domain::{Audience, Secret, Timestamp};
use tonic::{Code, Request, Status};

use super::connection::Connection;
use super::target::words;
use crate::tokens::limits::CALL_TIME_MAX;
use crate::tokens::{Batch, IssuedToken, Refusal, SourceError, TokenRequest, TokenSource};

/// Control, over the link's connection.
#[derive(Debug)]
pub(crate) struct ControlTokens(Connection);

impl ControlTokens {
    pub(crate) const fn new(connection: Connection) -> Self {
        Self(connection)
    }
}

#[async_trait]
impl TokenSource for ControlTokens {
    /// Fails at once while there is no connection: the cache asks again when there is.
    async fn issue(&self, requests: Vec<TokenRequest>) -> Result<Batch, SourceError> {
        let unreachable = || SourceError::Unreachable("there is no connection at the moment".to_owned());
        let channel = self.0.current().ok_or_else(unreachable)?;
        let asked = requests.len();
        let mut request = Request::new(IssueTokensRequest { requests: requests.into_iter().map(wire).collect() });
        request.set_timeout(CALL_TIME_MAX);
        let mut client = FleetClient::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX);
        let answer = tokio::time::timeout(CALL_TIME_MAX, client.issue_tokens(request)).await;
        let answer = answer.map_err(|_elapsed| SourceError::TimedOut)?.map_err(|status| source_error(&status))?;
        batch(answer.into_inner(), asked)
    }
}

fn wire(request: TokenRequest) -> node_protocol::TokenRequest {
    node_protocol::TokenRequest {
        instance_id: request.instance_id.to_string(),
        audience: request.audience.map(Audience::into).unwrap_or_default(),
    }
}

fn batch(answer: IssueTokensResponse, asked: usize) -> Result<Batch, SourceError> {
    if answer.results.len() != asked {
        return Err(SourceError::Mismatch { asked, answered: answer.results.len() });
    }
    let results = answer.results.into_iter().map(|result| match result.result {
        Some(token_result::Result::Token(token)) => Ok(IssuedToken { jwt: Secret::new(token.jwt) }),
        Some(token_result::Result::Refusal(refusal)) => Err(self::refusal(refusal)),
        None => Err(Refusal::Unknown),
    });
    let control_time = Timestamp::from_unix_microseconds(answer.control_time);
    Ok(Batch { results: results.collect(), control_time })
}

fn refusal(number: i32) -> Refusal {
    use node_protocol::TokenRefusal;
    match TokenRefusal::try_from(number) {
        Ok(TokenRefusal::NotPlaced) => Refusal::NotPlaced,
        Ok(TokenRefusal::Audience) => Refusal::AudienceNotAllowed,
        Ok(TokenRefusal::Malformed) => Refusal::Malformed,
        Ok(TokenRefusal::NoSigningKey) => Refusal::NoSigningKey,
        Ok(TokenRefusal::Unspecified) | Err(_) => Refusal::Unknown,
    }
}

fn source_error(status: &Status) -> SourceError {
    match status.code() {
        Code::DeadlineExceeded => SourceError::TimedOut,
        Code::PermissionDenied | Code::Unauthenticated | Code::InvalidArgument | Code::Unimplemented => {
            SourceError::Refused(status.message().to_owned())
        }
        _ => SourceError::Unreachable(words(status)),
    }
}

#[cfg(test)]
mod tests {
    use cress_api::node_protocol::{Token, TokenRefusal, TokenResult};

    use super::*;

    fn result(result: token_result::Result) -> TokenResult {
        TokenResult { result: Some(result) }
    }

    #[test]
    fn every_result_is_understood_or_refused() {
        let token = Token { jwt: "a.b.c".to_owned(), issued_at: 1, expires_at: 2 };
        let refused = |refusal: i32| result(token_result::Result::Refusal(refusal));
        let results = vec![
            result(token_result::Result::Token(token)),
            refused(TokenRefusal::NotPlaced.into()),
            refused(TokenRefusal::Audience.into()),
            refused(TokenRefusal::Malformed.into()),
            refused(TokenRefusal::NoSigningKey.into()),
            refused(99),
            TokenResult { result: None },
        ];
        let batch = batch(IssueTokensResponse { results, control_time: 7 }, 7).unwrap();
        assert_eq!(batch.control_time, Timestamp::from_unix_microseconds(7));
        let mut results = batch.results.into_iter();
        assert_eq!(results.next().unwrap().unwrap().jwt.expose(), "a.b.c");
        let refusals: Vec<Refusal> = results.map(Result::unwrap_err).collect();
        let expected = [
            Refusal::NotPlaced,
            Refusal::AudienceNotAllowed,
            Refusal::Malformed,
            Refusal::NoSigningKey,
            Refusal::Unknown,
            Refusal::Unknown,
        ];
        assert_eq!(refusals, expected);
    }

    #[test]
    fn an_answer_that_does_not_fit_is_refused() {
        let answer = IssueTokensResponse { results: vec![], control_time: 0 };
        assert_eq!(batch(answer, 1).unwrap_err(), SourceError::Mismatch { asked: 1, answered: 0 });
    }
}
