// SPDX-License-Identifier: Apache-2.0
//! From the merged tree to the role's type, with errors that name key and place.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::environment::variable;
use super::error::ConfigError;
use super::schema::ConfigSchema;
use super::sources::Merged;

pub(super) fn deserialize<T: DeserializeOwned>(mut merged: Merged, schema: &ConfigSchema) -> Result<T, ConfigError> {
    let values = Value::Object(std::mem::take(&mut merged.values));
    serde_path_to_error::deserialize(values).map_err(|error| {
        let path = error.path().to_string();
        let path = if path == "." { "" } else { &path };
        explain(path, &error.inner().to_string(), &merged, schema)
    })
}

fn explain(path: &str, message: &str, merged: &Merged, schema: &ConfigSchema) -> ConfigError {
    if let Some(field) = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        let key = if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") };
        return ConfigError::Missing { variable: variable(merged.role, &key), key };
    }
    let reason =
        if schema.is_hidden(path) { "not a value it takes (it is not shown)".to_owned() } else { reword(message) };
    ConfigError::Value { key: path.to_owned(), origin: merged.source_of(path), reason }
}

/// serde says "invalid type: integer `5`, expected a string".
fn reword(message: &str) -> String {
    let invalid =
        ["invalid type: ", "invalid value: ", "invalid length "].iter().find_map(|start| message.strip_prefix(start));
    match invalid.and_then(|rest| rest.rsplit_once(", expected ")) {
        Some((got, expected)) => format!("expected {expected}, got {got}"),
        None => message.to_owned(),
    }
}
