// SPDX-License-Identifier: Apache-2.0
//! Where values come from, and how they are laid over each other.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Map, Value};

use super::error::{ConfigError, Source};
use super::schema::ConfigSchema;
use super::{FILE_BYTES_MAX, environment};
use crate::plain_words;

/// What a role's configuration is made from.
#[derive(Debug, Clone)]
pub struct Sources {
    role: &'static str,
    file: Option<PathBuf>,
    variables: Vec<(OsString, OsString)>,
    flags: Vec<(&'static str, &'static str, Value)>,
}

/// All values in one tree, and where each one that is not the file's came from.
#[derive(Debug)]
pub(super) struct Merged {
    pub(super) role: &'static str,
    pub(super) values: Map<String, Value>,
    pub(super) base: Source,
    pub(super) overrides: Vec<(String, Source)>,
}

impl Sources {
    /// Those of a role (lower case, such as `control`): as yet no file, no variables and no flags.
    #[must_use]
    pub const fn new(role: &'static str) -> Self {
        Self { role, file: None, variables: Vec::new(), flags: Vec::new() }
    }

    /// The TOML file; it must exist. Without one, `CRESS_<ROLE>_CONFIG` may name it.
    #[must_use]
    pub fn file(mut self, path: Option<&Path>) -> Self {
        self.file = path.map(Path::to_owned);
        self
    }

    /// Environment variables: `std::env::vars_os()`. Those that do not begin with `CRESS_<ROLE>_` are left alone.
    #[must_use]
    pub fn environment(mut self, variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        self.variables.extend(variables);
        self
    }

    /// A flag's value for a dotted key, if the flag was given: `.flag("--listen", "listen", args.listen)`.
    #[must_use]
    pub fn flag(mut self, flag: &'static str, key: &'static str, value: Option<impl Serialize>) -> Self {
        if let Some(value) = value.and_then(|value| serde_json::to_value(value).ok()) {
            self.flags.push((flag, key, value));
        }
        self
    }

    pub(super) fn merge(&self, schema: &ConfigSchema) -> Result<Merged, ConfigError> {
        let (values, base) = match self.file_path() {
            Some(path) => (read_toml(&path)?, Source::File(path)),
            None => (Map::new(), Source::Default),
        };
        let mut merged = Merged { role: self.role, values, base, overrides: Vec::new() };
        for (key, source, value) in environment::values(self.role, &self.variables, schema)? {
            merged.lay_over(&key, source, value);
        }
        for (flag, key, value) in &self.flags {
            merged.lay_over(key, Source::Flag((*flag).to_owned()), value.clone());
        }
        Ok(merged)
    }

    fn file_path(&self) -> Option<PathBuf> {
        self.file.clone().or_else(|| {
            let name = environment::file_variable(self.role);
            let (_, path) = self.variables.iter().find(|(variable, _)| variable == OsStr::new(&name))?;
            Some(PathBuf::from(path))
        })
    }
}

impl Merged {
    /// Where the value at a dotted key came from; the nearest enclosing override, else the file.
    pub(super) fn source_of(&self, key: &str) -> Source {
        let encloses = |path: &str| {
            key.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.') || rest.starts_with('['))
        };
        self.overrides
            .iter()
            .rev()
            .find(|(path, _)| encloses(path))
            .map_or_else(|| self.base.clone(), |(_, source)| source.clone())
    }

    fn lay_over(&mut self, key: &str, source: Source, value: Value) {
        let mut tree = &mut self.values;
        let mut segments = key.split('.').peekable();
        while let Some(segment) = segments.next() {
            if segments.peek().is_none() {
                tree.insert(segment.to_owned(), value);
                break;
            }
            let child = tree.entry(segment).or_insert_with(|| Value::Object(Map::new()));
            if !child.is_object() {
                *child = Value::Object(Map::new());
            }
            let Value::Object(child) = child else { return };
            tree = child;
        }
        self.overrides.push((key.to_owned(), source));
    }
}

fn read_toml(path: &Path) -> Result<Map<String, Value>, ConfigError> {
    let unreadable = |reason: String| ConfigError::Unreadable { path: path.to_owned(), reason };
    let text = read_limited(path).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => unreadable("expected text in UTF-8".to_owned()),
        io::ErrorKind::FileTooLarge => unreadable(format!("expected at most {FILE_BYTES_MAX} bytes")),
        _ => unreadable(plain_words(&error)),
    })?;
    let table: toml::Table = toml::from_str(&text).map_err(|error| syntax_error(path, &text, &error))?;
    Ok(table.into_iter().map(|(key, value)| (key, json(value))).collect())
}

fn read_limited(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(FILE_BYTES_MAX.saturating_add(1)).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_BYTES_MAX { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(text) }
}

fn syntax_error(path: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    let before = text.get(..error.span().map_or(0, |span| span.start)).unwrap_or(text);
    let line = before.split('\n').count();
    let column = before.rsplit('\n').next().map_or(0, |rest| rest.chars().count()).saturating_add(1);
    ConfigError::Syntax { path: path.to_owned(), line, column, reason: error.message().to_owned() }
}

/// TOML in JSON's types, which the schema speaks of. Dates become text.
pub(super) fn json(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => Value::from(number),
        toml::Value::Float(number) => Value::from(number),
        toml::Value::Boolean(truth) => Value::Bool(truth),
        toml::Value::Datetime(moment) => Value::String(moment.to_string()),
        toml::Value::Array(items) => items.into_iter().map(json).collect(),
        toml::Value::Table(table) => Value::Object(table.into_iter().map(|(key, value)| (key, json(value))).collect()),
    }
}
