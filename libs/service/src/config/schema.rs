// SPDX-License-Identifier: Apache-2.0
//! What a JSON Schema says of keys: which are known, what type each takes, and which is nearest to a misspelt one.

use schemars::JsonSchema;
use serde_json::{Map, Value};

use super::error::UnknownKey;
use super::sources::Merged;

/// How deep configuration may nest; ends walks through recursive schemas.
const DEPTH_MAX: usize = 8;

/// The schema of a role's configuration.
#[derive(Debug)]
pub(super) struct ConfigSchema(Value);

impl ConfigSchema {
    pub(super) fn of<T: JsonSchema>() -> Self {
        Self(schemars::SchemaGenerator::default().into_root_schema_for::<T>().to_value())
    }

    /// Every key that no part of the schema knows.
    pub(super) fn unknown_keys(&self, merged: &Merged) -> Vec<UnknownKey> {
        let mut unknown = Vec::new();
        self.check(&Value::Object(merged.values.clone()), &[&self.0], "", &mut unknown);
        unknown
            .into_iter()
            .map(|Unknown { key, known }| {
                let nearest = self.nearest_to(&key).filter(|_| !known.is_empty());
                let known = if nearest.is_some() { Vec::new() } else { known };
                UnknownKey { source: merged.source_of(&key), key, nearest, known }
            })
            .collect()
    }

    /// The JSON types that a dotted key takes; none if the key is unknown.
    pub(super) fn kinds(&self, key: &str) -> Option<Vec<String>> {
        let mut schemas = vec![&self.0];
        for segment in key.split('.') {
            schemas = self.branches(&schemas).into_iter().filter_map(|branch| member(branch, segment)).collect();
            if schemas.is_empty() {
                return None;
            }
        }
        Some(self.branches(&schemas).into_iter().flat_map(types).collect())
    }

    /// Whether the value of a dotted key must not be shown: `#[schemars(extend("writeOnly" = true))]`.
    pub(super) fn is_hidden(&self, key: &str) -> bool {
        let mut schemas = vec![&self.0];
        for segment in key.split(['.', '[']) {
            schemas = self.branches(&schemas).into_iter().filter_map(|branch| member(branch, segment)).collect();
            if schemas.iter().any(|schema| schema.get("writeOnly") == Some(&Value::Bool(true))) {
                return true;
            }
        }
        false
    }

    /// The known key nearest to an unknown one, if any is near: first beside it, then anywhere.
    pub(super) fn nearest_to(&self, key: &str) -> Option<String> {
        let mut all = self.all_keys();
        // A key of another variant of the same enum is known, but not there.
        all.retain(|known| known != key);
        let (parent, last) = key.rsplit_once('.').unwrap_or(("", key));
        let siblings: Vec<String> = all.iter().filter(|known| parent_of(known) == parent).cloned().collect();
        nearest(last, &siblings).or_else(|| nearest(last, &all)).or_else(|| nearest_path(key, &all))
    }

    /// Every key of the outermost level.
    pub(super) fn top_keys(&self) -> Vec<String> {
        self.all_keys().into_iter().filter(|key| !key.contains('.')).collect()
    }

    fn all_keys(&self) -> Vec<String> {
        let mut all = Vec::new();
        self.collect(&[&self.0], "", DEPTH_MAX, &mut all);
        all
    }

    fn check(&self, value: &Value, schemas: &[&Value], path: &str, unknown: &mut Vec<Unknown>) {
        match value {
            Value::Object(members) => {
                let all = self.branches(schemas);
                let branches = fitting(all.clone(), members);
                let names_no_variant =
                    branches.iter().all(|branch| branch.get("properties").is_none()) && branches.len() < all.len();
                if branches.iter().any(|branch| takes_anything(branch)) || names_no_variant {
                    return;
                }
                for (key, value) in members {
                    let path = join(path, key);
                    let inner: Vec<&Value> = branches.iter().filter_map(|branch| member(branch, key)).collect();
                    if inner.is_empty() {
                        unknown.push(Unknown { key: path, known: properties(&branches) });
                    } else {
                        self.check(value, &inner, &path, unknown);
                    }
                }
            }
            Value::Array(items) => {
                let inner: Vec<&Value> =
                    self.branches(schemas).into_iter().filter_map(|branch| branch.get("items")).collect();
                for (index, item) in items.iter().enumerate() {
                    self.check(item, &inner, &format!("{path}[{index}]"), unknown);
                }
            }
            _ => {}
        }
    }

    /// The alternatives behind references and combinators.
    fn branches<'a>(&'a self, schemas: &[&'a Value]) -> Vec<&'a Value> {
        let mut found = Vec::new();
        let mut pending: Vec<(&Value, usize)> = schemas.iter().map(|schema| (*schema, DEPTH_MAX)).collect();
        while let Some((schema, depth)) = pending.pop() {
            found.push(schema);
            let Some(depth) = depth.checked_sub(1) else { continue };
            let reference = schema.get("$ref").and_then(Value::as_str).and_then(|reference| self.resolve(reference));
            let combined = ["allOf", "anyOf", "oneOf"].iter().filter_map(|word| schema.get(word)?.as_array()).flatten();
            pending.extend(reference.into_iter().chain(combined).map(|schema| (schema, depth)));
        }
        found
    }

    fn resolve(&self, reference: &str) -> Option<&Value> {
        self.0.pointer(reference.strip_prefix('#')?)
    }

    fn collect(&self, schemas: &[&Value], path: &str, depth: usize, all: &mut Vec<String>) {
        let Some(depth) = depth.checked_sub(1) else { return };
        for branch in self.branches(schemas) {
            for (key, schema) in branch.get("properties").and_then(Value::as_object).into_iter().flatten() {
                let path = join(path, key);
                self.collect(&[schema], &path, depth, all);
                if !all.contains(&path) {
                    all.push(path);
                }
            }
        }
    }
}

/// A key that is not known where it stands, and those that are.
#[derive(Debug)]
struct Unknown {
    key: String,
    known: Vec<String>,
}

fn properties(branches: &[&Value]) -> Vec<String> {
    let objects = branches.iter().filter_map(|branch| branch.get("properties")?.as_object());
    let mut names: Vec<String> = objects.flat_map(|properties| properties.keys().cloned()).collect();
    names.sort();
    names.dedup();
    names
}

/// The schema of one member, if this branch knows it. A map's keys are free; a struct's are its properties alone, whether or
/// not it denies others itself.
fn member<'a>(branch: &'a Value, key: &str) -> Option<&'a Value> {
    let listed = branch.get("properties").and_then(|properties| properties.get(key));
    listed.or_else(|| {
        branch.get("additionalProperties").filter(|schema| schema.is_object() || **schema == Value::Bool(true))
    })
}

/// Of a tagged enum, only the variant that the tag names.
fn fitting<'a>(branches: Vec<&'a Value>, members: &Map<String, Value>) -> Vec<&'a Value> {
    let contradicts = |branch: &&Value| {
        let properties = branch.get("properties").and_then(Value::as_object);
        properties.into_iter().flatten().any(|(key, schema)| match (schema.get("const"), members.get(key)) {
            (Some(expected), Some(value)) => expected != value,
            _ => false,
        })
    };
    branches.into_iter().filter(|branch| !contradicts(branch)).collect()
}

fn takes_anything(branch: &Value) -> bool {
    match branch {
        Value::Bool(truth) => *truth,
        Value::Object(members) => {
            members.keys().all(|word| matches!(word.as_str(), "title" | "description" | "default"))
        }
        _ => false,
    }
}

fn types(branch: &Value) -> Vec<String> {
    let mut found: Vec<String> = match branch.get("type") {
        Some(Value::String(kind)) => vec![kind.clone()],
        Some(Value::Array(kinds)) => kinds.iter().filter_map(|kind| kind.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    };
    found.extend(branch.get("const").filter(|value| value.is_string()).map(|_| "string".to_owned()));
    found
}

fn nearest(name: &str, candidates: &[String]) -> Option<String> {
    let distance = |candidate: &&String| strsim::damerau_levenshtein(name, last_of(candidate));
    let best = candidates.iter().min_by_key(distance)?;
    (distance(&best) <= name.len().max(3) / 3).then(|| best.clone())
}

/// Catches a wrong separator between levels, such as `tls_certificate_file`.
fn nearest_path(key: &str, candidates: &[String]) -> Option<String> {
    let flat = |path: &str| path.replace('.', "_");
    let distance = |candidate: &&String| strsim::damerau_levenshtein(&flat(key), &flat(candidate));
    let best = candidates.iter().min_by_key(distance)?;
    (distance(&best) <= key.len() / 4).then(|| best.clone())
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn parent_of(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(parent, _)| parent)
}

fn last_of(path: &str) -> &str {
    path.rsplit_once('.').map_or(path, |(_, last)| last)
}
