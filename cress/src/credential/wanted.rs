// SPDX-License-Identifier: Apache-2.0
//! The forms in which a credential is had: for a shell, as JSON, or each part in a file of its own. What a broker answers is data here: it
//! can become no other shell command, and no other file than was named.

use std::fmt::Write;
use std::path::PathBuf;
use std::str::FromStr;

use cress_api::broker::IssuedCredential;
use cress_domain::Secret;
use cress_service::data_dir::write_atomically;
use serde_json::Value;

use crate::output;

/// One form that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Assignments for a shell, on standard output.
    Environment,
    /// The broker's answer, on standard output.
    Json,
    /// The same, in a file.
    EnvironmentFile(PathBuf),
    /// The same, in a file.
    JsonFile(PathBuf),
    /// One part, in a file.
    Part {
        /// Its name.
        name: String,
        /// The file.
        file: PathBuf,
    },
}

impl FromStr for Wanted {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            None if text == "env" => Ok(Self::Environment),
            None if text == "json" => Ok(Self::Json),
            Some((_, "")) | None => Err("expected env, json, or NAME=FILE with a part of the credential".to_owned()),
            Some(("env", file)) => Ok(Self::EnvironmentFile(file.into())),
            Some(("json", file)) => Ok(Self::JsonFile(file.into())),
            Some((name, file)) if is_part(name) => Ok(Self::Part { name: name.to_owned(), file: file.into() }),
            Some((name, _)) => {
                Err(format!("expected a name of small letters, digits and underscores before the =, got {name:?}"))
            }
        }
    }
}

impl Wanted {
    /// Whether it goes to standard output.
    pub(super) const fn is_printed(&self) -> bool {
        matches!(self, Self::Environment | Self::Json)
    }

    /// Writes or prints it.
    pub(super) fn put(&self, issued: &IssuedCredential, prefix: &str) -> anyhow::Result<()> {
        let (file, content) = match self {
            Self::Environment => return output::line(environment(issued, prefix)?.expose().trim_end()),
            Self::Json => return output::json(issued),
            Self::EnvironmentFile(file) => (file, environment(issued, prefix)?),
            Self::JsonFile(file) => (file, Secret::new(serde_json::to_string_pretty(issued)? + "\n")),
            Self::Part { name, file } => (file, part(issued, name)?),
        };
        Ok(write_atomically(file, content.expose().as_bytes())?)
    }
}

fn part(issued: &IssuedCredential, name: &str) -> anyhow::Result<Secret<String>> {
    let value = issued.credential.get(name).ok_or_else(|| {
        let names: Vec<&str> = issued.credential.keys().map(String::as_str).collect();
        anyhow::anyhow!("the credential has no part {name:?}; it has {}", names.join(", "))
    })?;
    text(name, value)
}

fn text(name: &str, value: &Value) -> anyhow::Result<Secret<String>> {
    match value {
        Value::String(text) => Ok(Secret::new(text.clone())),
        Value::Number(number) => Ok(Secret::new(number.to_string())),
        Value::Bool(_) | Value::Null | Value::Array(_) | Value::Object(_) => {
            anyhow::bail!("expected the part {name:?} to be a text or a number; take all of it with -o json")
        }
    }
}

/// `export NAME='value'` for each part: `eval` of it in any POSIX shell sets them, and can do nothing else.
fn environment(issued: &IssuedCredential, prefix: &str) -> anyhow::Result<Secret<String>> {
    let mut lines = String::new();
    for (name, value) in &issued.credential {
        anyhow::ensure!(is_part(name), "expected parts of small letters, digits and underscores, got {name:?}");
        assign(&mut lines, prefix, name, text(name, value)?.expose())?;
    }
    assign(&mut lines, prefix, "lease_id", &issued.lease_id.to_string())?;
    assign(&mut lines, prefix, "expires_at", &issued.expires_at)?;
    Ok(Secret::new(lines))
}

fn assign(lines: &mut String, prefix: &str, name: &str, value: &str) -> anyhow::Result<()> {
    anyhow::ensure!(!value.contains('\0'), "the part {name:?} holds a NUL, which no environment variable can");
    let name = name.to_ascii_uppercase();
    writeln!(lines, "export {prefix}{name}='{}'", value.replace('\'', r"'\''"))?;
    Ok(())
}

/// What providers name the parts of a credential.
fn is_part(name: &str) -> bool {
    name.bytes().next().is_some_and(|first| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    use serde_json::json;

    use super::*;

    fn issued(credential: &Value) -> IssuedCredential {
        serde_json::from_value(json!({
            "lease_id": "87659e43-19b0-4338-b3cc-d0a303c72af6",
            "expires_at": "2026-01-01T00:00:00Z",
            "renewable": true,
            "credential": credential,
        }))
        .unwrap()
    }

    #[test]
    fn a_shell_gets_each_value_as_it_is_and_runs_none() {
        let hostile = "it's $(touch /nowhere) `id` \"x\" \\ \n;rm -rf *\u{1b}[31m";
        let lines = environment(&issued(&json!({"password": hostile, "port": 6379})), "CACHE_RW_").unwrap();
        let script = format!("{}\nprintf '%s|%s' \"$CACHE_RW_PASSWORD\" \"$CACHE_RW_PORT\"", lines.expose());
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{hostile}|6379"));
    }

    #[test]
    fn what_cannot_be_an_assignment_is_refused() {
        for credential in
            [json!({"a;b": "x"}), json!({"A": "x"}), json!({"": "x"}), json!({"a": "x\u{0}"}), json!({"a": {"b": 1}})]
        {
            assert!(environment(&issued(&credential), "").is_err(), "{credential}");
        }
    }

    #[test]
    fn a_part_is_written_for_its_owner_alone_and_replaces_what_was_there() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("password");
        std::fs::write(&file, "former").unwrap();
        let wanted: Wanted = format!("password={}", file.display()).parse().unwrap();
        wanted.put(&issued(&json!({"password": "p'w"})), "").unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "p'w");
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
        let message = wanted.put(&issued(&json!({"username": "u"})), "").unwrap_err().to_string();
        assert_eq!(message, r#"the credential has no part "password"; it has username"#);
    }

    #[test]
    fn forms_are_told_apart() {
        assert_eq!("env".parse(), Ok(Wanted::Environment));
        assert_eq!("json=/a=b".parse(), Ok(Wanted::JsonFile("/a=b".into())));
        assert_eq!("password=/a".parse(), Ok(Wanted::Part { name: "password".to_owned(), file: "/a".into() }));
        for bad in ["", "yaml", "password=", "=x", "Pass=/a", "a-b=/a"] {
            assert!(bad.parse::<Wanted>().is_err(), "{bad}");
        }
    }
}
