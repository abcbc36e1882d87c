// SPDX-License-Identifier: Apache-2.0
//! The keys that protect private keys at rest.

use axum::extract::State;
use cress_api::Problem;
use cress_api::admin::{KeyEncryptionKeyUse, List, RotateKeyEncryptionKeys, RotatedKeyEncryptionKeys};
use cress_service::problem::Json;
use http::StatusCode;

use super::error::AdminError;
use super::state::Admin;
use crate::kek::{KekError, NewKey};

pub(super) async fn list(State(admin): State<Admin>) -> Result<Json<List<KeyEncryptionKeyUse>>, AdminError> {
    Ok(Json(List { items: admin.key_encryption.list().await? }))
}

pub(super) async fn reload(State(admin): State<Admin>) -> Result<StatusCode, AdminError> {
    admin.key_encryption.reload().await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn rotate(
    State(admin): State<Admin>,
    Json(RotateKeyEncryptionKeys { make_new }): Json<RotateKeyEncryptionKeys>,
) -> Result<Json<RotatedKeyEncryptionKeys>, AdminError> {
    let new = if make_new { NewKey::Make } else { NewKey::Configured };
    Ok(Json(admin.key_encryption.rotate(new).await?))
}

impl From<KekError> for AdminError {
    fn from(error: KekError) -> Self {
        let text = error.to_string();
        let refused = |code| Self::from(Problem::new(409, code, "Conflict").with_detail(text.clone()));
        match error {
            KekError::Store(error) => Self::Store(error),
            KekError::Ring(error) => error.into(),
            KekError::Authority(error) => error.into(),
            KekError::StillNeeded { .. } => refused("key-still-needed"),
            KekError::NotOwn => refused("keys-configured"),
            KekError::StillSealing { .. } => refused("key-still-sealing"),
            KekError::NotAlone { .. } => refused("key-not-shared"),
            KekError::SealedMeanwhile(_) => refused("keys-sealed-meanwhile"),
            KekError::NotEverywhere { .. } => refused("key-not-everywhere"),
            KekError::Unreadable(_) => refused("keys-unreadable"),
            // Neither says anything of a key but where it should be.
            KekError::Source(_) | KekError::File(_) => refused("key-sources"),
        }
    }
}
