// SPDX-License-Identifier: Apache-2.0
//! The parts of a secret, as they are put and as they lie in an envelope.

use std::collections::BTreeMap;

use cress_domain::Secret;

/// Parts of a secret.
const FIELDS_MAX: usize = 16;
/// Of all of them together.
const BYTES_MAX: usize = 64 * 1024;
/// Longest name of a part.
const NAME_BYTES_MAX: usize = 63;
/// What the provider itself adds to each credential.
const RESERVED: &str = "version";

/// Says what is wrong with the parts. No value is repeated.
pub(super) fn check(fields: &BTreeMap<String, Secret<String>>) -> Result<(), String> {
    if !(1..=FIELDS_MAX).contains(&fields.len()) {
        return Err(format!("expected 1 to {FIELDS_MAX} parts, got {}", fields.len()));
    }
    if let Some(name) = fields.keys().find(|name| !is_name(name)) {
        return Err(format!(
            "expected names of parts of 1 to {NAME_BYTES_MAX} lower-case letters, digits and underscores, and not {RESERVED:?}, got {name:?}"
        ));
    }
    if let Some((name, _)) = fields.iter().find(|(_, value)| value.expose().is_empty()) {
        return Err(format!("expected a value for the part {name}, got an empty one"));
    }
    let bytes: usize = fields.values().map(|value| value.expose().len()).sum();
    if bytes > BYTES_MAX { Err(format!("expected at most {BYTES_MAX} bytes, got {bytes}")) } else { Ok(()) }
}

fn is_name(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(word) && text != RESERVED
}

/// As they go into an envelope. None if they cannot be written, which texts always can.
pub(super) fn written(fields: &BTreeMap<String, Secret<String>>) -> Option<Secret<Vec<u8>>> {
    let texts: BTreeMap<&str, &str> =
        fields.iter().map(|(name, value)| (name.as_str(), value.expose().as_str())).collect();
    serde_json::to_vec(&texts).ok().map(Secret::new)
}

/// As they come out of one.
pub(super) fn read(opened: &Secret<Vec<u8>>) -> Option<BTreeMap<String, Secret<String>>> {
    let texts: BTreeMap<String, String> = serde_json::from_slice(opened.expose()).ok()?;
    Some(texts.into_iter().map(|(name, value)| (name, Secret::new(value))).collect())
}
