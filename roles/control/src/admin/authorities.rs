// SPDX-License-Identifier: Apache-2.0
//! The certificate authorities of the node API.

use axum::extract::State;
use cress_api::Problem;
use cress_api::admin::{Authority, AuthorityState, List};
use cress_service::problem::{Json, Path};
use cress_store::CertificateFingerprint;
use cress_store::control::AuthorityRetirement;
use http::StatusCode;

use super::error::AdminError;
use super::state::Admin;
use crate::ca::{AuthorityState as AuthorityTerm, AuthoritySummary};

pub(super) async fn list(State(admin): State<Admin>) -> Result<Json<List<Authority>>, AdminError> {
    admin.ca.refresh_what_is_good().await?;
    Ok(Json(listed(&admin)))
}

pub(super) async fn rotate(State(admin): State<Admin>) -> Result<Json<List<Authority>>, AdminError> {
    admin.ca.rotate().await?;
    Ok(Json(listed(&admin)))
}

pub(super) async fn retire(
    State(admin): State<Admin>,
    Path(fingerprint): Path<String>,
) -> Result<StatusCode, AdminError> {
    let fingerprint: CertificateFingerprint = fingerprint.parse().map_err(|error| {
        Problem::new(400, "invalid-fingerprint", "Bad Request").with_detail(format!("the fingerprint: {error}"))
    })?;
    match admin.ca.retire(fingerprint).await? {
        AuthorityRetirement::Retired => Ok(StatusCode::NO_CONTENT),
        AuthorityRetirement::Only => Err(Problem::new(409, "only-authority", "Conflict")
            .with_detail("this is the only certificate authority; make another with `cress admin ca rotate` first")
            .into()),
        AuthorityRetirement::VouchedFor => Err(Problem::new(409, "authority-vouched-for", "Conflict")
            .with_detail("an older certificate authority, which is still trusted, vouches for this one, so retiring it would end no trust; retire every older one first, the oldest first, and if only this one is left, `cress admin ca rotate` before you retire it")
            .into()),
    }
}

fn listed(admin: &Admin) -> List<Authority> {
    List { items: admin.ca.list().into_iter().map(authority).collect() }
}

fn authority(summary: AuthoritySummary) -> Authority {
    Authority {
        fingerprint: summary.fingerprint.to_string(),
        state: match summary.state {
            AuthorityTerm::Next => AuthorityState::Next,
            AuthorityTerm::Signing => AuthorityState::Signing,
            AuthorityTerm::Retiring => AuthorityState::Retiring,
        },
        created_at: summary.created_at.rfc3339(),
        signs_from: summary.signs_from.rfc3339(),
        retires_at: summary.retires_at.map(|time| time.rfc3339()),
        not_after: summary.not_after.rfc3339(),
    }
}
