// SPDX-License-Identifier: Apache-2.0
//! The keys that sign tokens, and how they are protected at rest.

use axum::extract::State;
use cress_api::Problem;
use cress_api::admin::{List, RevokeKey, SigningKey, SigningKeyState};
use cress_keyring::{KeyRingError, KeyState, KeySummary};
use cress_service::problem::Json;
use http::StatusCode;

use super::error::AdminError;
use super::state::Admin;
use crate::ca::CaError;

pub(super) async fn list(State(admin): State<Admin>) -> Result<Json<List<SigningKey>>, AdminError> {
    let keys = admin.ring.list().await?;
    Ok(Json(List { items: keys.into_iter().map(signing_key).collect() }))
}

pub(super) async fn rotate(State(admin): State<Admin>) -> Result<StatusCode, AdminError> {
    let kid = admin.ring.rotate().await?;
    tracing::info!(%kid, "switched to the next signing key");
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn revoke(
    State(admin): State<Admin>,
    Json(RevokeKey { kid }): Json<RevokeKey>,
) -> Result<StatusCode, AdminError> {
    let signing = admin.ring.revoke(&kid).await?;
    tracing::warn!(%kid, %signing, "signing key revoked by an operator");
    Ok(StatusCode::NO_CONTENT)
}

fn signing_key(key: KeySummary) -> SigningKey {
    SigningKey {
        kid: key.kid,
        state: match key.state {
            KeyState::Next => SigningKeyState::Next,
            KeyState::Active => SigningKeyState::Active,
            KeyState::Retired => SigningKeyState::Retired,
            KeyState::Gone => SigningKeyState::Gone,
            KeyState::Revoked => SigningKeyState::Revoked,
        },
        created_at: key.created_at.rfc3339(),
        signs_from: key.signs_from.rfc3339(),
        signs_until: key.signs_until.rfc3339(),
        published_until: key.published_until.rfc3339(),
        key_encryption_key: key.key_encryption_key,
    }
}

impl From<KeyRingError> for AdminError {
    fn from(error: KeyRingError) -> Self {
        let text = error.to_string();
        let refused = |status, code, title| Self::from(Problem::new(status, code, title).with_detail(text));
        match error {
            KeyRingError::Store(error) => Self::Store(error),
            KeyRingError::TooEarly(_) => refused(409, "too-early", "Conflict"),
            KeyRingError::UnknownKey(_) => refused(404, "not-found", "Not Found"),
            KeyRingError::Contended => refused(409, "changed-meanwhile", "Conflict"),
            // Its messages hold no part of a secret, and an operator can act upon them.
            _ => refused(500, "key-ring-failed", "Internal Server Error"),
        }
    }
}

impl From<CaError> for AdminError {
    fn from(error: CaError) -> Self {
        match error {
            CaError::Store(error) => Self::Store(error),
            error => Self::internal(error),
        }
    }
}
