// SPDX-License-Identifier: Apache-2.0
//! Leases, as the operator sees and ends them.

use std::sync::Arc;

use axum::extract::State;
use cress_api::admin::List;
use cress_api::broker::{OperatorLease, ReleaseTarget, ReleasedTarget, RevokeLeases, RevokedLeases, StuckTarget};
use cress_domain::{CredentialName, Issuer, LeaseId, ProviderName, Timestamp};
use cress_service::problem::{Json, Path, Query};
use serde::Deserialize;

use super::error::AdminError;
use crate::audit::What;
use crate::broker::{Broker, status};
use crate::lease::{Ending, LeaseFilter, LeaseStatus, LeaseView, Page, Selection, TargetState};

const LIMIT_DEFAULT: u32 = 100;
const LIMIT_MAX: u32 = 10_000;

/// Which leases are listed, and which part of them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    instance: Option<String>,
    group: Option<String>,
    credential: Option<CredentialName>,
    provider: Option<ProviderName>,
    issuer: Option<Issuer>,
    status: Option<String>,
    after: Option<LeaseId>,
    limit: Option<u32>,
}

pub(super) async fn list(
    State(broker): State<Arc<Broker>>,
    Query(which): Query<Which>,
) -> Result<Json<List<OperatorLease>>, AdminError> {
    let limit = which.limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(AdminError::bad_request(format!("expected a limit of 1 to {LIMIT_MAX}, got {limit}")));
    }
    let status: Option<LeaseStatus> = which
        .status
        .map(|status| status.parse())
        .transpose()
        .map_err(|error| AdminError::bad_request(format!("{error}")))?;
    let filter = LeaseFilter {
        instance_id: which.instance,
        group_id: which.group,
        credential: which.credential,
        provider: which.provider,
        issuer: which.issuer,
        status,
    };
    let leases = broker.parts.leases.list(&filter, Page { after: which.after, limit }).await?;
    Ok(Json(List { items: leases.into_iter().map(|lease| shown(&broker, lease)).collect() }))
}

pub(super) async fn show(
    State(broker): State<Arc<Broker>>,
    Path(id): Path<LeaseId>,
) -> Result<Json<OperatorLease>, AdminError> {
    let lease = broker.parts.leases.show(id).await?.ok_or_else(AdminError::no_lease)?;
    Ok(Json(shown(&broker, lease)))
}

pub(super) async fn revoke(
    State(broker): State<Arc<Broker>>,
    Json(which): Json<RevokeLeases>,
) -> Result<Json<RevokedLeases>, AdminError> {
    let mut what = What::default();
    let selection = selection(which, &mut what).ok_or_else(|| {
        AdminError::bad_request("expected exactly one of lease, instance, credential, provider and issuer; issuer may stand beside instance")
    })?;
    let leases = broker.parts.leases.revoke(&selection).await?;
    what.count = Some(leases);
    broker.note_operator(what);
    Ok(Json(RevokedLeases { leases }))
}

pub(super) async fn stuck(State(broker): State<Arc<Broker>>) -> Result<Json<List<StuckTarget>>, AdminError> {
    let targets = broker.parts.leases.stuck().await?;
    Ok(Json(List { items: targets.into_iter().map(shown_target).collect() }))
}

fn shown_target(target: TargetState) -> StuckTarget {
    StuckTarget {
        state: target.condition.to_string(),
        provider: target.provider,
        leases: target.leases,
        due: target.due,
        oldest_due_at: target.oldest_due_at.map(Timestamp::rfc3339),
        strays: target.strays,
        last_error: target.last_error,
    }
}

/// Lets accounts that no lease is known of be removed at a target, for an operator who has looked at what is held there.
pub(super) async fn release(
    State(broker): State<Arc<Broker>>,
    Json(which): Json<ReleaseTarget>,
) -> Result<Json<ReleasedTarget>, AdminError> {
    let was_held = broker.parts.leases.release(&which.provider).await?;
    if was_held {
        let name = Some("released accounts without a lease".to_owned());
        broker.note_operator(What { provider: Some(which.provider), name, ..What::default() });
    }
    Ok(Json(ReleasedTarget { was_held }))
}

fn selection(which: RevokeLeases, what: &mut What) -> Option<Selection> {
    let RevokeLeases { lease, instance, credential, provider, issuer } = which;
    match (lease, instance, credential, provider, issuer) {
        (Some(lease), None, None, None, None) => {
            what.lease = Some(lease);
            Some(Selection::Lease(lease))
        }
        (None, Some(instance_id), None, None, issuer) => {
            what.name = Some(format!("instance {instance_id}"));
            Some(Selection::Instance { issuer, instance_id })
        }
        (None, None, Some(credential), None, None) => {
            what.credential = Some(credential.clone());
            Some(Selection::Credential(credential))
        }
        (None, None, None, Some(provider), None) => {
            what.provider = Some(provider.clone());
            Some(Selection::Provider(provider))
        }
        (None, None, None, None, Some(issuer)) => {
            what.name = Some(format!("issuer {issuer}"));
            Some(Selection::Issuer(issuer))
        }
        _ => None,
    }
}

fn shown(broker: &Broker, lease: LeaseView) -> OperatorLease {
    let has_account = lease.ending == Ending::Revoked;
    OperatorLease {
        lease_id: lease.id,
        credential: lease.credential,
        provider: lease.provider,
        status: status(lease.status),
        issuer: lease.issuer,
        owner: lease.owner,
        account: has_account.then(|| broker.parts.leases.account(lease.id).to_string()),
        granted_at: lease.granted_at.rfc3339(),
        expires_at: lease.expires_at.rfc3339(),
        renewable_until: lease.renew_until.rfc3339(),
        attempts: lease.attempts,
        due_at: lease.due_at.rfc3339(),
        last_error: lease.last_error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_one_thing_is_revoked() {
        let of = |json: &str| selection(serde_json::from_str(json).unwrap(), &mut What::default()).is_some();
        for json in [
            r#"{"lease":"87659e43-19b0-4338-b3cc-d0a303c72af6"}"#,
            r#"{"instance":"a"}"#,
            r#"{"instance":"a","issuer":"https://issuer.example"}"#,
            r#"{"credential":"cache-rw"}"#,
            r#"{"provider":"cache"}"#,
            r#"{"issuer":"https://issuer.example"}"#,
        ] {
            assert!(of(json), "{json}");
        }
        for json in [
            "{}",
            r#"{"instance":"a","credential":"cache-rw"}"#,
            r#"{"provider":"cache","issuer":"https://a.example"}"#,
        ] {
            assert!(!of(json), "{json}");
        }
    }
}
