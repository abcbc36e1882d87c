// SPDX-License-Identifier: Apache-2.0
//! `/v1/leases`: the caller's own. Someone else's lease is answered as one that is not there.

use cress_api::Problem;
use cress_api::admin::List;
use cress_api::broker::{RenewRequest, RenewedLease};
use cress_domain::LeaseId;
use cress_service::listen::RequestBody;
use http::{HeaderMap, StatusCode};

use super::answer::{self, Answer};
use super::body;
use super::credentials::of_failure;
use super::service::Asking;
use crate::broker::shown;

pub(super) async fn list(asking: &Asking, query: Option<&str>) -> Answer {
    let after = match after(query) {
        Ok(after) => after,
        Err(problem) => return answer::problem(&problem),
    };
    match asking.broker.leases_of(&asking.caller, after).await {
        Ok(leases) => answer::json(StatusCode::OK, &List { items: leases.iter().map(shown).collect() }),
        Err(failure) => of_failure(&failure),
    }
}

pub(super) async fn renew(asking: &Asking, id: LeaseId, headers: &HeaderMap, body: RequestBody) -> Answer {
    let request: RenewRequest = match body::json(headers, body).await {
        Ok(request) => request,
        Err(problem) => return answer::problem(&problem),
    };
    match asking.broker.renew(&asking.running, &asking.caller, id, request, asking.source_address).await {
        Ok(renewed) => {
            let expires_at = renewed.expires_at.rfc3339();
            answer::json(StatusCode::OK, &RenewedLease { lease_id: id, expires_at, renewable: renewed.renewable })
        }
        Err(failure) => of_failure(&failure),
    }
}

pub(super) async fn end(asking: &Asking, id: LeaseId) -> Answer {
    match asking.broker.end(&asking.caller, id).await {
        Ok(()) => answer::nothing(),
        Err(failure) => of_failure(&failure),
    }
}

/// The lease that a page follows.
fn after(query: Option<&str>) -> Result<Option<LeaseId>, Box<Problem>> {
    let wrong = |name: &str, message: &str| {
        let problem = Problem::new(400, "invalid-query", "Bad Request");
        Box::new(problem.with_detail("the query is not what was expected; see errors").with_error(name, message))
    };
    let mut after = None;
    for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        match (&*name, value.parse()) {
            ("after", Ok(id)) if after.is_none() => after = Some(id),
            ("after", _) => return Err(wrong("after", "expected the id of one lease")),
            _ => return Err(wrong("query", "expected no parameter but after")),
        }
    }
    Ok(after)
}
