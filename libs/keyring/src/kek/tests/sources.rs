// SPDX-License-Identifier: Apache-2.0
//! Where key-encryption keys come from, and what is refused there without being repeated.

use std::ffi::OsString;
use std::fs;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tempfile::TempDir;

use super::*;
use crate::{KeyEncryptionKeyError, KeyEncryptionKeySource, KeyEncryptionKeys, generate_file};

fn encoded(byte: u8) -> String {
    STANDARD.encode([byte; 32])
}

fn environment(value: Option<String>) -> Result<KeyEncryptionKey, KeyEncryptionKeyError> {
    let source: KeyEncryptionKeySource = "env:CRESS_KEK".parse().unwrap();
    let keys = source.load_with(|name| value.clone().filter(|_| name == "CRESS_KEK").map(OsString::from));
    keys.map(|mut keys| keys.remove(0))
}

#[test]
fn sources_have_one_spelling() {
    for text in ["file:/etc/cress/kek", "file:relative/kek", "env:CRESS_KEK", "credential:kek"] {
        assert_eq!(text.parse::<KeyEncryptionKeySource>().unwrap().to_string(), text);
    }
    for bad in ["", "file:", "env:", "credential:", "kek", "File:/x", "credential:../kek", "credential:..", "env:A=B"] {
        assert_eq!(bad.parse::<KeyEncryptionKeySource>(), Err(KeyEncryptionKeyError::Source), "{bad}");
    }
    let pasted = encoded(7).parse::<KeyEncryptionKeySource>().unwrap_err().to_string();
    assert!(!pasted.contains(&encoded(7)));
}

#[test]
fn a_key_may_have_a_name_and_comments() {
    let named = environment(Some(format!("# of March\n\n  2025-03: {} \n", encoded(1)))).unwrap();
    assert_eq!(named.id().as_str(), "2025-03");
    let unnamed = environment(Some(encoded(1))).unwrap();
    assert!(unnamed.id().as_str().starts_with("kek-"), "{}", unnamed.id());
    assert_eq!(unnamed.fingerprint(), named.fingerprint());
}

#[test]
fn of_several_keys_in_a_file_the_first_seals() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("keks");
    fs::write(&path, format!("new:{}\n# retired\nold:{}\n", encoded(2), encoded(1))).unwrap();
    let keys = KeyEncryptionKeys::load(&[KeyEncryptionKeySource::File(path)], None).unwrap();
    assert_eq!(keys.active().as_str(), "new");
    let ids: Vec<_> = keys.descriptions().into_iter().map(|text| text.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(ids, ["new", "old"]);
}

#[test]
fn what_is_no_key_is_refused_and_not_repeated() {
    let long = "x".repeat(65);
    for bad in [
        String::new(),
        "# nothing".to_owned(),
        "hunter2".to_owned(),
        STANDARD.encode([1; 16]),
        STANDARD.encode([1; 33]),
        encoded(1).replace('=', ""),
        format!("{}\nhunter2", encoded(1)),
        format!("bad name:{}", encoded(1)),
        format!("{long}:{}", encoded(1)),
        format!(":{}", encoded(1)),
        format!("a:b:{}", encoded(1)),
    ] {
        let error = environment(Some(bad.clone())).map(|_| "a key").unwrap_err();
        assert!(matches!(error, KeyEncryptionKeyError::Malformed { .. }), "{bad:?}: {error:?}");
        assert!(bad.len() < 5 || !error.to_string().contains(&bad), "{error}");
    }
}

#[test]
fn an_absent_source_is_named() {
    let unset = environment(None).unwrap_err().to_string();
    assert_eq!(unset, "cannot read the key-encryption key from env:CRESS_KEK: the variable is not set");
    let credential: KeyEncryptionKeySource = "credential:kek".parse().unwrap();
    let error = credential.load_with(|_| None).unwrap_err().to_string();
    assert!(error.contains("from credential:kek: CREDENTIALS_DIRECTORY is not set"), "{error}");
    let file: KeyEncryptionKeySource = "file:/nonexistent/kek".parse().unwrap();
    let error = file.load().unwrap_err().to_string();
    assert!(error.starts_with("cannot read the key-encryption key from file:/nonexistent/kek: "), "{error}");
}

#[test]
fn a_credential_lies_in_the_directory_that_systemd_names() {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("kek"), encoded(5)).unwrap();
    let credential: KeyEncryptionKeySource = "credential:kek".parse().unwrap();
    let found =
        credential.load_with(|name| (name == "CREDENTIALS_DIRECTORY").then(|| directory.path().into())).unwrap();
    assert_eq!(found[0].fingerprint(), key(None, 5).fingerprint());
}

#[test]
fn a_file_that_is_too_large_is_no_key() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("kek");
    fs::write(&path, "#".repeat(5_000)).unwrap();
    let error = KeyEncryptionKeySource::File(path).load().unwrap_err().to_string();
    assert!(error.ends_with("expected at most 4096 bytes"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_new_file_is_its_owners_alone_and_never_replaced() {
    use std::os::unix::fs::PermissionsExt;
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("cress.kek");
    generate_file(&path).unwrap();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 1, "nothing is left beside it");

    let before = fs::read(&path).unwrap();
    let error = generate_file(&path).unwrap_err();
    assert!(matches!(error, KeyEncryptionKeyError::Exists { .. }), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before);

    let sources = [KeyEncryptionKeySource::File(path)];
    let keys = KeyEncryptionKeys::load(&sources, None).unwrap();
    assert!(keys.active().as_str().starts_with("kek-"));
    let error = generate_file(&directory.path().join("absent/kek")).unwrap_err();
    assert!(matches!(error, KeyEncryptionKeyError::Write { .. }), "{error}");
}

#[test]
fn the_first_source_is_active_unless_another_is_named() {
    let directory = TempDir::new().unwrap();
    let source = |name: &str, byte| {
        let path = directory.path().join(name);
        fs::write(&path, format!("{name}:{}", encoded(byte))).unwrap();
        KeyEncryptionKeySource::File(path)
    };
    let sources = [source("one", 1), source("two", 2)];
    assert_eq!(KeyEncryptionKeys::load(&sources, None).unwrap().active().as_str(), "one");
    let two = "two".parse().unwrap();
    assert_eq!(KeyEncryptionKeys::load(&sources, Some(&two)).unwrap().active().as_str(), "two");
    let three = "three".parse().unwrap();
    let error = KeyEncryptionKeys::load(&sources, Some(&three)).unwrap_err().to_string();
    assert_eq!(error, "expected the active key-encryption key three among the configured ones (there are: one, two)");
    assert_eq!(KeyEncryptionKeys::load(&[], None).unwrap_err(), KeyEncryptionKeyError::NoSource);
}
