// SPDX-License-Identifier: Apache-2.0
//! From the merged tree to the role's type, with errors that name key and place.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::environment::variable;
use super::error::ConfigError;
use super::schema::ConfigSchema;
use super::sources::Merged;
use crate::serde_words::got_and_expected;

/// The longest value that a message repeats, in characters.
const SHOWN_MAX: usize = 100;

pub(super) fn deserialize<T: DeserializeOwned>(merged: &Merged, schema: &ConfigSchema) -> Result<T, ConfigError> {
    serde_path_to_error::deserialize(&Value::Object(merged.values.clone())).map_err(|error| {
        let path = error.path().to_string();
        let path = if path == "." { "" } else { &path };
        explain(path, &error.inner().to_string(), merged, schema)
    })
}

fn explain(path: &str, message: &str, merged: &Merged, schema: &ConfigSchema) -> ConfigError {
    if let Some(field) = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        let key = if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") };
        return ConfigError::Missing { variable: variable(merged.role, &key), key };
    }
    let origin = merged.source_of(path);
    if path.is_empty() {
        return ConfigError::Whole { origin, reason: message.to_owned() };
    }
    let reason = if schema.is_hidden(path) {
        "not a value it takes (it is not shown)".to_owned()
    } else {
        reword(message).unwrap_or_else(|| format!("{message}{}", shown(path, merged)))
    };
    ConfigError::Value { key: path.to_owned(), origin, reason }
}

/// serde says "invalid type: integer `5`, expected a string".
fn reword(message: &str) -> Option<String> {
    if message.starts_with("unknown variant `") {
        return Some(message.to_owned());
    }
    let (got, expected) = got_and_expected(message, "a table")?;
    Some(format!("expected {expected}, got {got}"))
}

/// What came, for messages that do not say.
fn shown(path: &str, merged: &Merged) -> String {
    let pointer = format!("/{}", path.replace(['.', '['], "/").replace(']', ""));
    match Value::Object(merged.values.clone()).pointer(&pointer) {
        Some(Value::String(text)) => format!(" (got {:?})", text.chars().take(SHOWN_MAX).collect::<String>()),
        Some(value @ (Value::Number(_) | Value::Bool(_))) => format!(" (got {value})"),
        _ => String::new(),
    }
}
