// SPDX-License-Identifier: Apache-2.0
//! First contact: a join token and the node's key are traded for a certificate.

use std::sync::Arc;
use std::time::Duration;

use cress_api::join_token::JoinToken;
use cress_api::node_protocol::enrolment_client::EnrolmentClient;
use cress_api::node_protocol::{EnrolRequest, EnrolResponse};
use cress_domain::{Hex, Secret, Timestamp};
use cress_service::plain_words;
use cress_service::shutdown::Shutdown;
use cress_service::tls::{ClientTls, Identity, Protocol, ServerTrust, fingerprint};
use tonic::{Code, Request, Status};

use super::key::NodeKey;
use super::record::Record;
use super::{Means, Membership, MembershipError, whatever_the_clock};
use crate::backoff::Backoff;
use crate::config::Config;
use crate::link::{ConnectError, Target, words};

/// How long control may take to answer an enrolment.
const ENROL_MAX: Duration = Duration::from_secs(15);
const RETRY_FIRST: Duration = Duration::from_millis(500);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// Why one try did not succeed.
enum Failure {
    /// It never will.
    Final(MembershipError),
    /// It may later.
    Temporary(String),
}

/// The membership that the data directory has, or a new one, for which control is asked until it answers.
pub(crate) async fn join(config: &Config, means: Means, shutdown: &Shutdown) -> Result<Membership, MembershipError> {
    let key = Arc::new(NodeKey::load_or_make(&means.data_dir)?);
    if let Some(record) = Record::load(means.data_dir.path())? {
        let membership = Membership::new(means.clone(), Arc::clone(&key), &record)?;
        return join_again(config, means, key, &record, shutdown).await.map(|again| again.unwrap_or(membership));
    }
    let token: JoinToken = join_token(config)?.expose().parse()?;
    let enrolment = Enrolment { config, target: Target::of(config).map_err(|error| control_name(&error))?, token };
    let record = shutdown.token().run_until_cancelled(enrolment.until_done(&key, &means)).await;
    joined(record.ok_or(MembershipError::Stopped)??, means, key)
}

/// A member that is given another join token than the one it joined with is to join again: it was removed, or is to have other bounds. If
/// that does not succeed at once, it stays what it is: the token may be a leftover, and a node must start without control.
async fn join_again(
    config: &Config,
    means: Means,
    key: Arc<NodeKey>,
    record: &Record,
    shutdown: &Shutdown,
) -> Result<Option<Membership>, MembershipError> {
    let token = join_token(config).ok().and_then(|token| token.expose().parse::<JoinToken>().ok());
    let Some(token) = token.filter(|token| record.join_token_hash.as_ref().is_some_and(|used| *used != hash(token)))
    else {
        return Ok(None);
    };
    let enrolment = Enrolment { config, target: Target::of(config).map_err(|error| control_name(&error))?, token };
    let attempt = shutdown.token().run_until_cancelled(enrolment.attempt(&key, &means)).await;
    match attempt.ok_or(MembershipError::Stopped)? {
        Ok(record) => joined(record, means, key).map(Some),
        Err(failure) => {
            let reason = match failure {
                Failure::Final(error) => error.to_string(),
                Failure::Temporary(reason) => reason,
            };
            tracing::warn!(reason, "not enrolled with the new join token; going on as the member that this node is");
            Ok(None)
        }
    }
}

fn joined(record: Record, means: Means, key: Arc<NodeKey>) -> Result<Membership, MembershipError> {
    let data_dir = Arc::clone(&means.data_dir);
    let membership = Membership::new(means, key, &record)?;
    record.save(&data_dir)?;
    membership.learn_time(record.control_time());
    tracing::info!(machine_id = %record.machine_id, certificate_until = %membership.not_after(), "this node is now a member of the fleet");
    Ok(membership)
}

/// What the secret is remembered by.
fn hash(token: &JoinToken) -> String {
    Hex(&fingerprint(token.secret().expose().as_bytes())).to_string()
}

struct Enrolment<'a> {
    config: &'a Config,
    target: Target,
    token: JoinToken,
}

impl Enrolment<'_> {
    async fn until_done(&self, key: &NodeKey, means: &Means) -> Result<Record, MembershipError> {
        let mut backoff = Backoff::new(RETRY_FIRST, RETRY_MAX, Arc::clone(&means.random));
        loop {
            match self.attempt(key, means).await {
                Ok(record) => return Ok(record),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Temporary(reason)) => {
                    let wait = backoff.wait();
                    tracing::warn!(reason, retry_seconds = wait.as_secs_f32(), "not enrolled yet; trying again");
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    async fn attempt(&self, key: &NodeKey, means: &Means) -> Result<Record, Failure> {
        let certificate_signing_request = key.signing_request().map_err(Failure::Final)?;
        let tls = ClientTls {
            servers: whatever_the_clock(
                ServerTrust::PinnedAuthority(*self.token.ca_fingerprint()),
                Timestamp::default(),
            ),
            identity: Identity::none(),
            protocol: Protocol::Http2,
            clock: Arc::clone(&means.clock),
        };
        // The secret is not even put into a message before the server has proved itself.
        let channel = self.target.connect(&tls).await.map_err(|error| self.not_connected(error))?;
        let request = EnrolRequest {
            join_token: self.token.secret().expose().clone(),
            certificate_signing_request,
            node_name: self.config.node_name(),
            capacity: self.config.capacity,
        };
        let mut request = Request::new(request);
        request.set_timeout(ENROL_MAX);
        let mut client = EnrolmentClient::new(channel);
        let answer = tokio::time::timeout(ENROL_MAX, client.enrol(request)).await;
        let answer = answer.map_err(|_elapsed| Failure::Temporary("control did not answer in time".to_owned()))?;
        let record = record(answer.map_err(|status| refusal(&status))?.into_inner()).map_err(Failure::Final)?;
        Ok(Record { join_token_hash: Some(hash(&self.token)), ..record })
    }

    fn not_connected(&self, error: ConnectError) -> Failure {
        match error {
            ConnectError::UnknownAuthority { address } => {
                Failure::Final(MembershipError::FingerprintMismatch { address })
            }
            ConnectError::WrongName { .. } => Failure::Final(MembershipError::ControlName(error.to_string())),
            error => Failure::Temporary(error.to_string()),
        }
    }
}

fn record(answer: EnrolResponse) -> Result<Record, MembershipError> {
    let certificate = answer.certificate.ok_or_else(|| MembershipError::Answer("no certificate".to_owned()))?;
    let record = Record::of(certificate)?;
    if answer.machine_id == record.machine_id.to_string() {
        Ok(record)
    } else {
        Err(MembershipError::Answer(format!(
            "a certificate for {} in an answer for {:?}",
            record.machine_id,
            answer.machine_id.chars().take(64).collect::<String>()
        )))
    }
}

fn refusal(status: &Status) -> Failure {
    match status.code() {
        Code::Unauthenticated
        | Code::PermissionDenied
        | Code::NotFound
        | Code::InvalidArgument
        | Code::FailedPrecondition
        | Code::AlreadyExists
        | Code::Unimplemented => Failure::Final(MembershipError::Refused(status.message().to_owned())),
        _ => Failure::Temporary(words(status)),
    }
}

fn control_name(error: &dyn std::error::Error) -> MembershipError {
    MembershipError::ControlName(error.to_string())
}

fn join_token(config: &Config) -> Result<Secret<String>, MembershipError> {
    match (&config.join_token, &config.join_token_file) {
        (Some(token), _) => Ok(token.clone()),
        (None, Some(path)) => std::fs::read_to_string(path)
            .map(Secret::new)
            .map_err(|error| MembershipError::File { path: path.clone(), reason: plain_words(&error) }),
        (None, None) => Err(MembershipError::NoJoinToken),
    }
}
