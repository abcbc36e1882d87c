// SPDX-License-Identifier: Apache-2.0
//! Environment variables, read as what the schema asks for at their key.

use std::ffi::OsString;

use serde_json::{Number, Value};

use super::error::{ConfigError, Source, UnknownKey};
use super::schema::ConfigSchema;
use super::sources::json;

const LEVEL_SEPARATOR: &str = "__";

/// The variable that names the configuration file.
pub(super) fn file_variable(role: &str) -> String {
    variable(role, "config")
}

/// The variable that sets a dotted key.
pub(super) fn variable(role: &str, key: &str) -> String {
    format!("CRESS_{role}_{}", key.replace('.', LEVEL_SEPARATOR)).to_uppercase().replace('-', "_")
}

/// The role's variables as dotted keys and values.
pub(super) fn values(
    role: &str,
    variables: &[(OsString, OsString)],
    schema: &ConfigSchema,
) -> Result<Vec<(String, Source, Value)>, ConfigError> {
    let prefix = variable(role, "");
    let (mut values, mut unknown) = (Vec::new(), Vec::new());
    for (name, text) in variables {
        let Some(name) = name.to_str() else { continue };
        let Some(suffix) = name.strip_prefix(&prefix) else { continue };
        if name == file_variable(role) {
            continue;
        }
        let key = suffix.to_lowercase().replace(LEVEL_SEPARATOR, ".");
        match schema.kinds(&key) {
            Some(kinds) => {
                let text = text.to_str().ok_or_else(|| ConfigError::NotText { name: name.to_owned() })?;
                values.push((key, Source::Variable(name.to_owned()), value(text, &kinds)));
            }
            None => unknown.push(unknown_variable(role, name, key, schema)),
        }
    }
    values.sort_by(|(left, ..), (right, ..)| left.cmp(right));
    if unknown.is_empty() { Ok(values) } else { Err(ConfigError::Unknown(unknown)) }
}

fn unknown_variable(role: &str, name: &str, key: String, schema: &ConfigSchema) -> UnknownKey {
    let nearest = schema.nearest_to(&key);
    let known = if nearest.is_some() { Vec::new() } else { schema.top_keys() };
    UnknownKey {
        source: Source::Variable(name.to_owned()),
        key,
        nearest: nearest.map(|key| variable(role, &key)),
        known: known.iter().map(|key| variable(role, key)).collect(),
    }
}

/// Text that does not fit stays text, so that the error about it shows what came.
fn value(text: &str, kinds: &[String]) -> Value {
    let wants = |kind: &str| kinds.iter().any(|wanted| wanted == kind);
    let toml = || toml::from_str::<toml::Table>(&format!("value = {text}")).ok()?.remove("value").map(json);
    let number = || text.parse::<Number>().ok().map(Value::Number);
    let read = match text {
        "true" | "false" if wants("boolean") => Some(Value::Bool(text == "true")),
        _ if wants("integer") || wants("number") => number(),
        _ if wants("array") && !text.trim_start().starts_with('[') => Some(comma_separated(text)),
        _ if wants("array") || wants("object") => toml(),
        _ => None,
    };
    read.unwrap_or_else(|| Value::String(text.to_owned()))
}

fn comma_separated(text: &str) -> Value {
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(|item| Value::String(item.to_owned())).collect()
}
