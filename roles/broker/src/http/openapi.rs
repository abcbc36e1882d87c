// SPDX-License-Identifier: Apache-2.0
//! The API for workloads in OpenAPI 3.1, made from the types that are sent, so that it cannot say anything else.

use cress_api::Problem;
use cress_api::admin::List;
use cress_api::broker::{
    AuthorizationServer, IDEMPOTENCY_KEY, IssueRequest, IssuedCredential, Lease, OAuthError, Offer, RenewRequest,
    RenewedLease, TokenAnswer, TokenRequest, paths,
};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// The document, pretty and with a line feed at its end.
#[must_use]
pub fn openapi() -> String {
    let mut schemas = Schemas::new();
    let paths = paths_of(&mut schemas);
    let document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "cress broker",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Trades a workload's token for the credentials that it may have.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"workload": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"workload": {
                "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                "description": "The workload's token, for the broker's audience.",
            }},
            "schemas": schemas.take(),
        },
    });
    let mut text = serde_json::to_string_pretty(&sorted(document)).unwrap_or_default();
    text.push('\n');
    text
}

fn paths_of(schemas: &mut Schemas) -> Value {
    let lease_id = parameter("id", "A lease's id.", json!({"type": "string", "format": "uuid"}));
    let name = parameter("name", "A credential's name.", json!({"type": "string"}));
    let after = json!({
        "name": "after", "in": "query", "required": false, "schema": {"type": "string", "format": "uuid"},
        "description": "The last lease of the page before.",
    });
    let key = json!({
        "name": IDEMPOTENCY_KEY, "in": "header", "required": false, "schema": {"type": "string", "maxLength": 255},
        "description": "Makes the request repeatable: within 120 s the same key and body have the same answer.",
    });
    let mut all = Map::new();
    let mut add = |path: &str, method: &str, operation: Value| {
        let entry = all.entry(path).or_insert_with(|| json!({}));
        if let Some(operations) = entry.as_object_mut() {
            operations.insert(method.to_owned(), operation);
        }
    };
    let offers = schemas.answer::<List<Offer>>("What the caller may have.");
    add(
        paths::CREDENTIALS,
        "get",
        operation("listCredentials", "What the caller may have", json!({}), ("200", offers)),
    );
    let issued = schemas.answer::<IssuedCredential>("The credential.");
    let more = json!({"parameters": [name, key], "requestBody": schemas.body::<IssueRequest>()});
    let summary = "Ask for a credential. 403: not permitted, or there is none of this name. 409: the same request is being answered. 422: the \
                   idempotency key came with another request. 429: too often, or too many leases. 502, 503: its system, the store or the records fail.";
    add(paths::CREDENTIAL, "post", operation("issueCredential", summary, more, ("201", issued)));
    let leases = schemas.answer::<List<Lease>>("The caller's leases.");
    let more = json!({"parameters": [after]});
    add(paths::LEASES, "get", operation("listLeases", "The caller's leases", more, ("200", leases)));
    let more = json!({"parameters": [lease_id.clone()]});
    let done = json!({"description": "It is being ended."});
    add(paths::LEASE, "delete", operation("endLease", "End a lease", more, ("204", done)));
    let renewed = schemas.answer::<RenewedLease>("Until when it lives now.");
    let more = json!({"parameters": [lease_id], "requestBody": schemas.body::<RenewRequest>()});
    let summary = "Let a lease live on. 409: it lives as long as it may.";
    add(paths::LEASE_RENEW, "post", operation("renewLease", summary, more, ("200", renewed)));
    add(paths::TOKEN, "post", exchange(schemas));
    let metadata = schemas.answer::<AuthorizationServer>("Where the token endpoint is.");
    add(paths::AUTHORIZATION_SERVER, "get", public("authorizationServer", "RFC 8414", metadata));
    let document = |description: &str| json!({"description": description, "content": {"application/json": {}}});
    add(
        paths::DISCOVERY,
        "get",
        public("discovery", "OpenID Connect Discovery of what the broker signs", document("The document.")),
    );
    add(paths::JWKS, "get", public("keySet", "The keys of what the broker signs", document("The key set.")));
    add(paths::OPENAPI, "get", public("openapi", "This document", document("This document.")));
    add(paths::HEALTH, "get", public("health", "Whether the process answers", document("It does.")));
    add(paths::READINESS, "get", public("readiness", "Whether credentials can be given out", document("They can.")));
    Value::Object(all)
}

fn exchange(schemas: &mut Schemas) -> Value {
    let form = schemas.schema::<TokenRequest>();
    let form = json!({"required": true, "content": {"application/x-www-form-urlencoded": {"schema": form}}});
    let error = json!({"description": "Why there is none.", "content": {"application/json": {"schema": schemas.schema::<OAuthError>()}}});
    json!({
        "operationId": "exchangeToken",
        "summary": "Token exchange (RFC 8693), for credentials that are tokens",
        "security": [],
        "requestBody": form,
        "responses": {"200": schemas.answer::<TokenAnswer>("The token."), "default": error},
    })
}

fn operation(id: &str, summary: &str, more: Value, (status, answer): (&str, Value)) -> Value {
    let problem =
        json!({"description": "Why not (RFC 9457).", "content": {"application/problem+json": {"schema": problem()}}});
    let mut operation =
        json!({"operationId": id, "summary": summary, "responses": {status: answer, "default": problem}});
    if let (Some(operation), Value::Object(more)) = (operation.as_object_mut(), more) {
        operation.extend(more);
    }
    operation
}

fn public(id: &str, summary: &str, answer: Value) -> Value {
    json!({"operationId": id, "summary": summary, "security": [], "responses": {"200": answer}})
}

fn parameter(name: &str, description: &str, schema: Value) -> Value {
    json!({"name": name, "in": "path", "required": true, "description": description, "schema": schema})
}

/// The members of [`Problem`].
fn problem() -> Value {
    let example = Problem::new(403, "credential-not-permitted", "Forbidden");
    json!({
        "type": "object",
        "required": ["title", "status"],
        "properties": {
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "code": {"type": "string"},
            "errors": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}},
        },
        "examples": [example],
    })
}

/// The schemas of types, each once.
struct Schemas(SchemaGenerator);

impl Schemas {
    fn new() -> Self {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        });
        Self(settings.into_generator())
    }

    fn schema<T: JsonSchema>(&mut self) -> Value {
        self.0.subschema_for::<T>().to_value()
    }

    fn answer<T: JsonSchema>(&mut self, description: &str) -> Value {
        let schema = self.schema::<T>();
        json!({"description": description, "content": {"application/json": {"schema": schema}}})
    }

    fn body<T: JsonSchema>(&mut self) -> Value {
        let schema = self.schema::<T>();
        json!({"required": false, "content": {"application/json": {"schema": schema}}})
    }

    fn take(mut self) -> Value {
        Value::Object(self.0.take_definitions(true))
    }
}

/// In alphabetical order, whatever order a map keeps in this build.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let members: std::collections::BTreeMap<String, Value> =
                members.into_iter().map(|(name, member)| (name, sorted(member))).collect();
            members.into_iter().collect()
        }
        Value::Array(items) => items.into_iter().map(sorted).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_leads_somewhere_and_every_path_is_there() {
        let text = openapi();
        let document: Value = serde_json::from_str(&text).unwrap();
        for reference in text.split("\"$ref\": \"#").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(document.pointer(reference).is_some(), "{reference}");
        }
        for (path, method) in [
            (paths::CREDENTIALS, "get"),
            (paths::CREDENTIAL, "post"),
            (paths::LEASES, "get"),
            (paths::LEASE, "delete"),
            (paths::LEASE_RENEW, "post"),
            (paths::TOKEN, "post"),
        ] {
            assert!(document["paths"][path][method].is_object(), "{method} {path}");
        }
        assert!(document["components"]["schemas"]["IssuedCredential"]["properties"]["lease_id"].is_object());
    }
}
