// SPDX-License-Identifier: Apache-2.0
//! What the operator may say about it.

use cress_domain::Name;
use cress_provider::{Settings, SettingsError};
use serde::Deserialize;

/// Most parts of a secret that a credential may name.
const FIELDS_MAX: usize = 16;
/// Longest name of a part.
const FIELD_NAME_BYTES_MAX: usize = 63;
/// What the provider itself adds.
pub(crate) const VERSION_FIELD: &str = "version";

/// Of the provider: nothing. The broker's store is the only system behind it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProviderConfig {}

/// Of one credential.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CredentialConfig {
    /// Which stored secret.
    pub(crate) secret: Name,
    /// Which of its parts are given out; all of them if nothing is said.
    #[serde(default)]
    pub(crate) fields: Option<Vec<String>>,
}

impl CredentialConfig {
    pub(crate) fn read(settings: &Settings) -> Result<Self, SettingsError> {
        let config: Self = settings.read()?;
        let fields = config.fields.as_deref().unwrap_or_default();
        if config.fields.is_some() && !(1..=FIELDS_MAX).contains(&fields.len()) {
            return Err(SettingsError::new(format!(
                "fields: expected 1 to {FIELDS_MAX} names of parts of the secret, got {}; leave it out for all of them",
                fields.len()
            )));
        }
        match fields.iter().find(|field| !is_field_name(field)) {
            Some(field) => Err(SettingsError::new(format!(
                "fields: expected the name of a part of the secret, lower-case letters, digits and underscores, and not \
                 {VERSION_FIELD:?}, which is added to every credential; got {field:?}"
            ))),
            None => Ok(config),
        }
    }
}

fn is_field_name(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=FIELD_NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(word) && text != VERSION_FIELD
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<CredentialConfig, SettingsError> {
        CredentialConfig::read(&Settings::new(text.parse().unwrap()))
    }

    #[test]
    fn a_credential_names_its_secret_and_perhaps_its_parts() {
        assert_eq!(read("secret = \"mail-api\"").unwrap().secret.as_str(), "mail-api");
        assert_eq!(read("secret = \"mail-api\"\nfields = [\"api_key\"]").unwrap().fields.unwrap(), ["api_key"]);
    }

    #[test]
    fn anything_else_is_refused_by_name() {
        for (bad, named) in [
            ("", "secret"),
            ("secret = \"Mail API\"", "expected a name"),
            ("secret = \"mail-api\"\nfields = []", "fields: expected 1 to 16"),
            ("secret = \"mail-api\"\nfields = [\"api-key\"]", "\"api-key\""),
            ("secret = \"mail-api\"\nfields = [\"\"]", "fields: expected the name"),
            ("secret = \"mail-api\"\nfields = [\"version\"]", "which is added to every credential"),
            ("secret = \"mail-api\"\nvalue = \"hunter2\"", "unknown field `value`"),
        ] {
            let error = read(bad).unwrap_err().to_string();
            assert!(error.contains(named), "{bad}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        assert!(Settings::new("x = 1".parse().unwrap()).read::<ProviderConfig>().is_err());
    }
}
