// SPDX-License-Identifier: Apache-2.0
//! Stored secrets, as the operator puts, chooses and erases them. No value ever leaves here.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use cress_api::admin::List;
use cress_api::broker::{PutSecret, StoredSecretVersion, WhichSecret};
use cress_domain::Secret;
use cress_service::problem::Json;
use cress_store::StoreErrorKind;
use cress_store::broker::SecretVersionRecord;

use super::error::AdminError;
use crate::audit::{Event, Record, What, Who};
use crate::broker::Broker;
use crate::secrets::SecretsError;

pub(super) async fn list(State(broker): State<Arc<Broker>>) -> Result<Json<List<StoredSecretVersion>>, AdminError> {
    let versions = broker.parts.secrets.list().await?;
    Ok(Json(List { items: versions.into_iter().map(shown).collect() }))
}

pub(super) async fn put(
    State(broker): State<Arc<Broker>>,
    Json(put): Json<PutSecret>,
) -> Result<Json<WhichSecret>, AdminError> {
    let PutSecret { name, fields, activate } = put;
    let fields: BTreeMap<_, _> = fields.into_iter().map(|(name, value)| (name, Secret::new(value))).collect();
    let version = broker.parts.secrets.put(&name, &fields, activate).await?;
    note(&broker, format!("put version {version} of {name}"));
    Ok(Json(WhichSecret { name, version }))
}

pub(super) async fn activate(
    State(broker): State<Arc<Broker>>,
    Json(which): Json<WhichSecret>,
) -> Result<Json<WhichSecret>, AdminError> {
    broker.parts.secrets.activate(&which.name, which.version).await?;
    note(&broker, format!("activated version {} of {}", which.version, which.name));
    Ok(Json(which))
}

pub(super) async fn retire(
    State(broker): State<Arc<Broker>>,
    Json(which): Json<WhichSecret>,
) -> Result<Json<WhichSecret>, AdminError> {
    broker.parts.secrets.retire(&which.name, which.version).await?;
    note(&broker, format!("retired version {} of {}", which.version, which.name));
    Ok(Json(which))
}

fn note(broker: &Broker, name: String) {
    let what = What { name: Some(name), ..What::default() };
    broker.parts.audit.note(&Record::done(broker.parts.clock.now(), Event::SecretChange, Who::Operator, what));
}

fn shown(record: SecretVersionRecord) -> StoredSecretVersion {
    let state = match (record.retired_at, record.is_active) {
        (Some(_), _) => "retired",
        (None, true) => "active",
        (None, false) => "stored",
    };
    StoredSecretVersion {
        name: record.name,
        version: record.version,
        fields: record.field_names,
        state: state.to_owned(),
        created_at: record.created_at.rfc3339(),
        retired_at: record.retired_at.map(|moment| moment.rfc3339()),
    }
}

impl From<SecretsError> for AdminError {
    fn from(error: SecretsError) -> Self {
        match error {
            SecretsError::Refused(detail) => Self::bad_request(detail),
            SecretsError::Store(error) if error.kind() == StoreErrorKind::NotFound => {
                Self::not_found(format!("{error}, or it is retired"))
            }
            SecretsError::Store(error) => Self::Store(error),
            SecretsError::Envelope(error) => Self::unopened(&error),
        }
    }
}
