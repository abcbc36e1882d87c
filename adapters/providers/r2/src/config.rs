// SPDX-License-Identifier: Apache-2.0
//! What the operator may say about it.

use std::collections::BTreeMap;

use cress_domain::Name;
use cress_provider::{SecretReference, Settings, SettingsError};
use serde::Deserialize;

use crate::paths::{Template, TemplateError};
use crate::permission::Permission;

/// Parent keys of one provider.
const PARENTS_MAX: usize = 64;
/// Prefixes and objects of one credential, together.
const PATHS_MAX: usize = 32;
/// Of an account's id.
const ACCOUNT_DIGITS: usize = 32;
/// Longest id of an access key.
const ACCESS_KEY_ID_BYTES_MAX: usize = 128;

/// Of the provider.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProviderConfig {
    /// The Cloudflare account's id.
    pub(crate) account: String,
    /// Where the bucket is reached, if that is not R2 itself.
    #[serde(default)]
    pub(crate) endpoint: Option<String>,
    /// Access keys that credentials are derived from, each of them a group that ends as one.
    pub(crate) parents: BTreeMap<Name, Parent>,
}

/// An R2 API token's S3 credentials.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parent {
    pub(crate) access_key_id: String,
    /// Where its secret is.
    pub(crate) secret_access_key: SecretReference,
}

/// Of one credential, as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    parent: Option<Name>,
    bucket: String,
    permission: Permission,
    #[serde(default)]
    prefixes: Vec<String>,
    #[serde(default)]
    objects: Vec<String>,
}

/// Of one credential.
#[derive(Debug, Clone)]
pub(crate) struct CredentialConfig {
    pub(crate) parent_name: Name,
    pub(crate) parent: Parent,
    pub(crate) bucket: String,
    pub(crate) permission: Permission,
    /// If there are neither prefixes nor objects, the whole bucket.
    pub(crate) prefixes: Vec<Template>,
    pub(crate) objects: Vec<Template>,
}

impl ProviderConfig {
    pub(crate) fn read(settings: &Settings) -> Result<Self, SettingsError> {
        let config: Self = settings.read()?;
        let hexadecimal = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f');
        if config.account.len() != ACCOUNT_DIGITS || !config.account.bytes().all(hexadecimal) {
            return Err(SettingsError::new(format!(
                "account: expected the account's id, {ACCOUNT_DIGITS} lower-case hexadecimal digits, got {:?}",
                config.account
            )));
        }
        if !(1..=PARENTS_MAX).contains(&config.parents.len()) {
            return Err(SettingsError::new(format!(
                "parents: expected 1 to {PARENTS_MAX} parent access keys, got {}",
                config.parents.len()
            )));
        }
        config.check_parents()?;
        config.check_endpoint().map(|()| config)
    }

    fn check_parents(&self) -> Result<(), SettingsError> {
        let printable = |id: &str| {
            (1..=ACCESS_KEY_ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
        };
        let bad = self.parents.iter().find(|(_, parent)| !printable(&parent.access_key_id));
        bad.map_or(Ok(()), |(name, _)| {
            Err(SettingsError::new(format!(
                "parents.{name}.access_key_id: expected the id of an access key, letters and digits"
            )))
        })
    }

    fn check_endpoint(&self) -> Result<(), SettingsError> {
        let Some(endpoint) = &self.endpoint else { return Ok(()) };
        let host = endpoint.strip_prefix("https://").or_else(|| endpoint.strip_prefix("http://")).unwrap_or_default();
        if !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_graphic() && !b"/?#\"\\@".contains(&byte)) {
            return Ok(());
        }
        Err(SettingsError::new(format!("endpoint: expected https:// and a host without a path, got {endpoint:?}")))
    }

    /// Where the buckets are.
    pub(crate) fn endpoint(&self) -> String {
        self.endpoint.clone().unwrap_or_else(|| format!("https://{}", self.audience()))
    }

    /// Whom the tokens are for.
    pub(crate) fn audience(&self) -> String {
        format!("{}.r2.cloudflarestorage.com", self.account)
    }

    fn parent(&self, named: Option<Name>) -> Result<(Name, Parent), SettingsError> {
        let only = || self.parents.first_key_value().filter(|_| self.parents.len() == 1).map(|(name, _)| name.clone());
        let names = || self.parents.keys().map(Name::as_str).collect::<Vec<_>>().join(", ");
        let name = named.or_else(only);
        let name = name.ok_or_else(|| SettingsError::new(format!("parent: expected one of {}, got none", names())))?;
        let parent = self.parents.get(&name).cloned();
        let parent = parent.ok_or_else(|| {
            SettingsError::new(format!("parent: expected one of {}, got {:?}", names(), name.as_str()))
        })?;
        Ok((name, parent))
    }
}

impl CredentialConfig {
    pub(crate) fn read(settings: &Settings, provider: &ProviderConfig) -> Result<Self, SettingsError> {
        let written: Written = settings.read()?;
        if !is_bucket(&written.bucket) {
            return Err(SettingsError::new(format!(
                "bucket: expected the name of a bucket, 3 to 63 lower-case letters, digits and hyphens, got {:?}",
                written.bucket
            )));
        }
        let paths = written.prefixes.len() + written.objects.len();
        if paths > PATHS_MAX {
            return Err(SettingsError::new(format!(
                "prefixes and objects: expected {PATHS_MAX} together at most, got {paths}"
            )));
        }
        let (parent_name, parent) = provider.parent(written.parent)?;
        Ok(Self {
            parent_name,
            parent,
            bucket: written.bucket,
            permission: written.permission,
            prefixes: templates("prefixes", written.prefixes)?,
            objects: templates("objects", written.objects)?,
        })
    }
}

fn templates(setting: &str, texts: Vec<String>) -> Result<Vec<Template>, SettingsError> {
    let template =
        |text: String| text.parse().map_err(|error: TemplateError| SettingsError::new(format!("{setting}: {error}")));
    texts.into_iter().map(template).collect()
}

/// R2's rule for the names of buckets.
fn is_bucket(text: &str) -> bool {
    let bytes = text.as_bytes();
    (3..=63).contains(&bytes.len())
        && bytes.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-')
        && bytes.first() != Some(&b'-')
        && bytes.last() != Some(&b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROVIDER: &str = r#"
        account = "0123456789abcdef0123456789abcdef"
        parents.blue = { access_key_id = "ab12", secret_access_key = "env:BLUE" }
        parents.green = { access_key_id = "cd34", secret_access_key = "file:/run/green" }
    "#;

    fn provider(text: &str) -> Result<ProviderConfig, SettingsError> {
        ProviderConfig::read(&Settings::new(text.parse().unwrap()))
    }

    fn credential(text: &str) -> Result<CredentialConfig, SettingsError> {
        CredentialConfig::read(&Settings::new(text.parse().unwrap()), &provider(PROVIDER).unwrap())
    }

    #[test]
    fn a_credential_hangs_on_one_parent() {
        let provider = provider(PROVIDER).unwrap();
        assert_eq!(provider.endpoint(), "https://0123456789abcdef0123456789abcdef.r2.cloudflarestorage.com");
        let green = credential("parent = \"green\"\nbucket = \"models\"\npermission = \"object-read-only\"").unwrap();
        assert_eq!((green.parent_name.as_str(), green.parent.access_key_id.as_str()), ("green", "cd34"));
    }

    #[test]
    fn anything_else_is_refused_by_name() {
        let parents = "parents.blue = { access_key_id = \"ab\", secret_access_key = \"env:B\" }";
        let account = "account = \"0123456789abcdef0123456789abcdef\"";
        for (bad, named) in [
            (parents.to_owned(), "account"),
            (format!("account = \"x\"\n{parents}"), "account: expected"),
            (format!("account = \"0123456789ABCDEF0123456789ABCDEF\"\n{parents}"), "account: expected"),
            (format!("{account}\nparents = {{}}"), "parents: expected"),
            (
                format!("{account}\nparents.b1 = {{ access_key_id = \"a b\", secret_access_key = \"env:B\" }}"),
                "parents.b1",
            ),
            (
                format!("{account}\nparents.b1 = {{ access_key_id = \"ab\", secret_access_key = \"hunter2\" }}"),
                "expected where",
            ),
            (format!("{account}\nendpoint = \"ftp://x\"\n{parents}"), "endpoint: expected"),
            (format!("{account}\nendpoint = \"https://x/y\"\n{parents}"), "endpoint: expected"),
            (format!("{account}\ntoken = \"x\"\n{parents}"), "unknown field `token`"),
        ] {
            let error = provider(&bad).unwrap_err().to_string();
            assert!(error.contains(named), "{bad}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        let most = format!("prefixes = {:?}", vec!["a/"; 33]);
        for (bad, named) in [
            ("bucket = \"models\"\npermission = \"object-read-only\"", "parent: expected one of blue, green, got none"),
            ("parent = \"red\"\nbucket = \"models\"\npermission = \"object-read-only\"", "got \"red\""),
            ("parent = \"blue\"\nbucket = \"Models\"\npermission = \"object-read-only\"", "bucket: expected"),
            ("parent = \"blue\"\nbucket = \"a/b\"\npermission = \"object-read-only\"", "bucket: expected"),
            ("parent = \"blue\"\nbucket = \"models\"\npermission = \"all\"", "unknown variant `all`"),
            (
                "parent = \"blue\"\nbucket = \"models\"\npermission = \"object-read-only\"\nprefixes = [\"\"]",
                "prefixes: expected",
            ),
            (&*format!("parent = \"blue\"\nbucket = \"models\"\npermission = \"object-read-only\"\n{most}"), "got 33"),
        ] {
            let error = credential(bad).unwrap_err().to_string();
            assert!(error.contains(named), "{bad}: {error}");
        }
    }
}
