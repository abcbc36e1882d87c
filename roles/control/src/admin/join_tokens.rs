// SPDX-License-Identifier: Apache-2.0
//! Join tokens: made, listed and revoked. The secret is in the answer to the one who asked for it, and nowhere else.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use axum::extract::State;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cress_api::Problem;
use cress_api::admin::{CreateJoinToken, JoinToken, JoinTokenState, List, NewJoinToken};
use cress_api::join_token::{JoinToken as JoinTokenText, SECRET_BYTES};
use cress_domain::{JoinTokenId, Name, OrganizationId, Random, Secret, Timestamp};
use cress_service::problem::{Json, Path};
use cress_store::control::{JoinTokenRecord, JoinTokenState as StoredState, NewJoinToken as NewRecord};
use http::StatusCode;

use super::error::AdminError;
use super::organization_names::Names;
use super::state::Admin;
use crate::enrolment::secret_hash;

/// Organizations that one node may be for.
const ORGANIZATIONS_MAX: usize = 64;
/// A minute to seven days.
const TTL_SECONDS: RangeInclusive<u32> = 60..=7 * 24 * 3_600;

pub(super) async fn list(State(admin): State<Admin>) -> Result<Json<List<JoinToken>>, AdminError> {
    let now = admin.clock.now();
    let tokens = admin.store.join_tokens().await?;
    let names = Names::load(&admin.store).await?;
    Ok(Json(List { items: tokens.iter().map(|record| join_token(record, &names, now)).collect() }))
}

pub(super) async fn create(
    State(admin): State<Admin>,
    Json(request): Json<CreateJoinToken>,
) -> Result<(StatusCode, Json<NewJoinToken>), AdminError> {
    check(&request)?;
    let organizations = organizations(&admin, &request.organizations).await?;
    let ca_fingerprint = admin.ca.fingerprint()?;
    let secret = secret(admin.random.as_ref());
    let id = JoinTokenId::generate(admin.random.as_ref());
    let expires_at = admin.clock.now() + Duration::from_secs(request.ttl_seconds.into());
    let record = NewRecord {
        id,
        secret_hash: secret_hash(&secret),
        expires_at,
        capacity_max: request.capacity_max,
        organizations,
    };
    admin.store.create_join_token(&record).await?;
    tracing::info!(%id, %expires_at, capacity_max = request.capacity_max, "join token created");
    let text = JoinTokenText::new(secret, ca_fingerprint).expose_text();
    let created = NewJoinToken { id, join_token: text.expose().clone(), expires_at: expires_at.rfc3339() };
    Ok((StatusCode::CREATED, Json(created)))
}

pub(super) async fn revoke(State(admin): State<Admin>, Path(id): Path<JoinTokenId>) -> Result<StatusCode, AdminError> {
    admin.store.revoke_join_token(id, admin.clock.now()).await?;
    tracing::info!(%id, "join token revoked");
    Ok(StatusCode::NO_CONTENT)
}

/// The ids of these organizations; none for everyone's.
async fn organizations(admin: &Admin, names: &[Name]) -> Result<Option<BTreeSet<OrganizationId>>, AdminError> {
    let mut ids = BTreeSet::new();
    for name in names {
        ids.insert(admin.store.organization_by_name(name).await?.id);
    }
    Ok((!ids.is_empty()).then_some(ids))
}

fn invalid(property: &'static str, message: String) -> Box<Problem> {
    let problem = Problem::new(400, "invalid-join-token", "Bad Request");
    Box::new(problem.with_detail("the join token is not within its bounds; see errors").with_error(property, message))
}

fn check(request: &CreateJoinToken) -> Result<(), Box<Problem>> {
    let got = request.organizations.len();
    if got > ORGANIZATIONS_MAX {
        return Err(invalid("organizations", format!("expected at most {ORGANIZATIONS_MAX}, got {got}")));
    }
    let (shortest, longest) = (TTL_SECONDS.start(), TTL_SECONDS.end());
    if !TTL_SECONDS.contains(&request.ttl_seconds) {
        return Err(invalid("ttl_seconds", format!("expected {shortest} to {longest}, got {}", request.ttl_seconds)));
    }
    if request.capacity_max == Some(0) {
        return Err(invalid("capacity_max", "expected at least 1, got 0; leave it out for no cap".to_owned()));
    }
    Ok(())
}

fn secret(random: &dyn Random) -> Secret<String> {
    let mut bytes = [0; SECRET_BYTES];
    random.fill(&mut bytes);
    let bytes = Secret::new(bytes);
    Secret::new(URL_SAFE_NO_PAD.encode(bytes.expose()))
}

fn join_token(record: &JoinTokenRecord, names: &Names, now: Timestamp) -> JoinToken {
    let state = match record.state {
        StoredState::Used => JoinTokenState::Used,
        StoredState::Revoked => JoinTokenState::Revoked,
        StoredState::Open if record.expires_at <= now => JoinTokenState::Expired,
        StoredState::Open => JoinTokenState::Open,
    };
    let machine_id = record.used_by.map(|used_by| used_by.machine_id);
    JoinToken {
        id: record.id,
        expires_at: record.expires_at.rfc3339(),
        state,
        capacity_max: record.capacity_max,
        organizations: names.of(record.organizations.as_ref()),
        machine_id,
    }
}
