// SPDX-License-Identifier: Apache-2.0
//! The token exchange (RFC 8693), for clients that know OAuth and not this API. What may be asked for are credentials of the configuration
//! that are tokens, by their names: never another service of the caller's choice. Who asks and what he may have is decided as everywhere.

mod error;
mod form;

use std::net::IpAddr;
use std::sync::Arc;

use cress_api::broker::{
    ACCESS_TOKEN_TYPE, AuthorizationServer, IssueRequest, TOKEN_EXCHANGE_GRANT, TokenAnswer, paths,
};
use cress_domain::CredentialName;
use cress_provider::FieldValue;
use cress_service::listen::RequestBody;
use http::request::Parts;

use crate::broker::{Asked, Broker, Given, Running};
use crate::http::{Answer, json, with_retry_after};
use error::Refusal;
use form::Form;

/// Exchanges a workload's token for a credential that is a token.
pub(crate) async fn exchange(
    broker: &Arc<Broker>,
    running: &Running,
    source_address: Option<IpAddr>,
    (head, body): (&Parts, RequestBody),
) -> Answer {
    match exchanged(broker, running, source_address, (head, body)).await {
        Ok(answer) => answer,
        Err(refusal) => refusal.answer(),
    }
}

/// RFC 8414, below the broker's own URL.
pub(crate) fn metadata(url: &str) -> AuthorizationServer {
    AuthorizationServer {
        issuer: url.to_owned(),
        token_endpoint: format!("{url}{}", paths::TOKEN),
        jwks_uri: format!("{url}{}", paths::JWKS),
        grant_types_supported: vec![TOKEN_EXCHANGE_GRANT.into()],
        response_types_supported: Vec::new(),
        token_endpoint_auth_methods_supported: vec!["none".into()],
    }
}

async fn exchanged(
    broker: &Arc<Broker>,
    running: &Running,
    source_address: Option<IpAddr>,
    (head, body): (&Parts, RequestBody),
) -> Result<Answer, Refusal> {
    let form = Form::read(&head.headers, body).await?;
    let caller = broker.identify(running, form.subject_token.expose()).await.map_err(Refusal::of_caller)?;
    let credential: CredentialName = form.audience.parse().map_err(|_| Refusal::target())?;
    let field = match running.decisions.catalog().get(&credential) {
        Some(offered) => offered.oauth_field.clone(),
        // Decided as any other, so that nobody learns which there are, and records tell who tried.
        None => Some(String::new()),
    };
    let Some(field) = field else { return Err(Refusal::not_a_token()) };
    let request = IssueRequest::default();
    let asked = Asked { credential, request, idempotency: None, source_address };
    let given = broker.issue(running, &caller, asked).await.map_err(|failure| Refusal::of_failure(&failure))?;
    of_given(broker, &given, &field)
}

fn of_given(broker: &Broker, given: &Given, field: &str) -> Result<Answer, Refusal> {
    let granted = &given.granted;
    let token = match granted.issued.fields.get(field) {
        Some(FieldValue::Secret(secret)) => secret.expose().clone(),
        Some(FieldValue::Text(text)) => text.clone(),
        Some(FieldValue::Number(_)) | None => {
            tracing::error!(
                credential = given.offered.offer.name.as_str(),
                field,
                "oauth_field names no text of this credential; it cannot be had by token exchange"
            );
            return Err(Refusal::not_a_token());
        }
    };
    let now = broker.parts.clock.now();
    let mut answer = TokenAnswer {
        access_token: token,
        issued_token_type: ACCESS_TOKEN_TYPE.into(),
        token_type: "Bearer".into(),
        expires_in: granted.expires_at.saturating_since(now).as_secs(),
        lease_id: granted.lease_id,
    };
    let shown = json(http::StatusCode::OK, &answer);
    zeroize::Zeroize::zeroize(&mut answer.access_token);
    Ok(with_retry_after(shown, None))
}
