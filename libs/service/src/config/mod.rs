// SPDX-License-Identifier: Apache-2.0
//! Configuration: a TOML file, overridden by environment variables, overridden by flags.
//!
//! A variable's name is `CRESS_<ROLE>_` and the key in capitals, with two underscores between the levels: the key `tls.certificate_file` of
//! control is `CRESS_CONTROL_TLS__CERTIFICATE_FILE`. Its text is read as what the key's schema asks for: a number, `true`
//! or `false`, a list either in TOML's syntax or separated by commas, a table in TOML's syntax, else the text itself. `CRESS_<ROLE>_CONFIG` names the file
//! where no flag does.
//!
//! Unknown keys and variables are errors wherever they stand: a misspelt limit that is silently ignored is no limit.

mod environment;
mod error;
mod schema;
mod sources;
mod values;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use error::{ConfigError, Source, UnknownKey};
pub use sources::Sources;

/// The largest configuration file that is read, in bytes.
pub const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The JSON Schema of a role's configuration, for editors and for checks elsewhere; ends with a line feed.
#[must_use]
pub fn schema<T: JsonSchema>() -> String {
    let schema = schemars::SchemaGenerator::default().into_root_schema_for::<T>();
    // It writes its own words in an order of its own, and the rest as they come.
    let schema = schemars::Schema::try_from(sorted(schema.to_value())).unwrap_or_default();
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}

/// With the members of each object in alphabetical order. Whether `serde_json` keeps them so by itself depends on which packages are built
/// together, since one of them may ask it to keep the order of insertion.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let members: BTreeMap<String, Value> = members.into_iter().collect();
            Value::Object(members.into_iter().map(|(name, member)| (name, sorted(member))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

/// Reads, merges and checks a role's configuration.
///
/// # Errors
/// [`ConfigError`]: a file that cannot be read, an unknown key or variable, a missing key, or a value of the wrong type.
pub fn load<T: DeserializeOwned + JsonSchema>(sources: &Sources) -> Result<T, ConfigError> {
    let schema = schema::ConfigSchema::of::<T>();
    let merged = sources.merge(&schema)?;
    let unknown = schema.unknown_keys(&merged);
    if !unknown.is_empty() {
        return Err(ConfigError::Unknown(unknown));
    }
    values::deserialize(&merged, &schema)
}

#[cfg(test)]
mod tests;
