// SPDX-License-Identifier: Apache-2.0
//! An envelope opens for what it was made for, and for nothing else.

use cress_store::Sealed;
use cress_store::keyring::RingName;

use super::*;
use crate::{EnvelopeError, KeyEncryptionKeyError, KeyEncryptionKeys, Purpose};

const WORKLOAD: Purpose = Purpose::SigningKey(RingName::new("workload"));
const ASSERTIONS: Purpose = Purpose::SigningKey(RingName::new("assertions"));
const CONTENT: &[u8] = b"the private half of a key pair";

fn content() -> Secret<Vec<u8>> {
    Secret::new(CONTENT.to_vec())
}

fn keys() -> KeyEncryptionKeys {
    KeyEncryptionKeys::new(key(Some("new"), 1), vec![key(Some("old"), 2)]).unwrap()
}

fn sealed() -> Sealed {
    keys().seal(WORKLOAD, "kid-1", &content()).unwrap()
}

#[track_caller]
fn check_refused(opened: Result<Secret<Vec<u8>>, EnvelopeError>, expected: &EnvelopeError) {
    assert_eq!(&opened.map(|_| "opened").unwrap_err(), expected);
}

#[test]
fn what_was_sealed_opens() {
    let sealed = sealed();
    assert_eq!(sealed.key_encryption_key, "new");
    assert_eq!(keys().open(WORKLOAD, "kid-1", &sealed).unwrap().expose(), CONTENT);
    let nothing = keys().seal(Purpose::CertificateAuthority, "ca", &Secret::new(Vec::new())).unwrap();
    assert!(keys().open(Purpose::CertificateAuthority, "ca", &nothing).unwrap().expose().is_empty());
}

#[test]
fn no_envelope_repeats_and_none_shows_its_content() {
    let (first, second) = (sealed(), sealed());
    assert_ne!(first.bytes, second.bytes);
    assert_eq!(first.bytes.len(), 1 + 8 + 12 + CONTENT.len() + 16);
    assert!(first.bytes.windows(CONTENT.len()).all(|window| window != CONTENT));
}

/// There are so many of them that each has a key of its own.
#[test]
fn a_lease_answer_opens_for_its_lease_alone() {
    let sealed = keys().seal(Purpose::LeaseAnswer, "lease-1", &content()).unwrap();
    assert_eq!(sealed.bytes[0], 2);
    assert_eq!(keys().open(Purpose::LeaseAnswer, "lease-1", &sealed).unwrap().expose(), CONTENT);
    check_refused(keys().open(Purpose::LeaseAnswer, "lease-2", &sealed), &EnvelopeError::Damaged);
    let length = sealed.bytes.len();
    check_refused(keys().open(WORKLOAD, "lease-1", &sealed), &EnvelopeError::Malformed { length });
    let mut damaged = sealed;
    damaged.bytes[length - 1] ^= 1;
    check_refused(keys().open(Purpose::LeaseAnswer, "lease-1", &damaged), &EnvelopeError::Damaged);
}

#[test]
fn it_opens_for_no_other_key_ring_or_purpose() {
    for (purpose, id) in [
        (WORKLOAD, "kid-2"),
        (WORKLOAD, "kid-"),
        (WORKLOAD, ""),
        (ASSERTIONS, "kid-1"),
        (Purpose::CertificateAuthority, "kid-1"),
        (Purpose::SigningKey(RingName::new("workloadkid")), "-1"),
    ] {
        check_refused(keys().open(purpose, id, &sealed()), &EnvelopeError::Damaged);
    }
}

#[test]
fn one_flipped_bit_anywhere_is_noticed() {
    let sealed = sealed();
    for index in 0..sealed.bytes.len() {
        for bit in 0..8 {
            let mut damaged = sealed.clone();
            damaged.bytes[index] ^= 1 << bit;
            let error = keys().open(WORKLOAD, "kid-1", &damaged).map(|_| "opened").unwrap_err();
            match index {
                0 => assert_eq!(error, EnvelopeError::Malformed { length: sealed.bytes.len() }),
                1..9 => assert_eq!(error, EnvelopeError::WrongKey { id: "new".parse().unwrap() }),
                _ => assert_eq!(error, EnvelopeError::Damaged),
            }
        }
    }
}

#[test]
fn a_cut_or_longer_envelope_is_noticed() {
    let whole = sealed();
    for length in 0..whole.bytes.len() {
        let cut = Sealed { bytes: whole.bytes[..length].to_vec(), ..whole.clone() };
        let expected =
            if length < 1 + 8 + 12 + 16 { EnvelopeError::Malformed { length } } else { EnvelopeError::Damaged };
        check_refused(keys().open(WORKLOAD, "kid-1", &cut), &expected);
    }
    let longer = Sealed { bytes: [&whole.bytes[..], &[0]].concat(), ..whole };
    check_refused(keys().open(WORKLOAD, "kid-1", &longer), &EnvelopeError::Damaged);
}

#[test]
fn a_missing_key_and_a_wrong_key_are_told_apart() {
    let sealed = sealed();
    let others = KeyEncryptionKeys::new(key(Some("a"), 3), vec![key(Some("b"), 4)]).unwrap();
    let missing = EnvelopeError::KeyMissing { id: "new".to_owned(), known: "a, b".to_owned() };
    check_refused(others.open(WORKLOAD, "kid-1", &sealed), &missing);
    let same_name = KeyEncryptionKeys::new(key(Some("new"), 3), vec![]).unwrap();
    let wrong = EnvelopeError::WrongKey { id: "new".parse().unwrap() };
    check_refused(same_name.open(WORKLOAD, "kid-1", &sealed), &wrong);
    let renamed = Sealed { key_encryption_key: "old".to_owned(), ..sealed.clone() };
    let wrong = EnvelopeError::WrongKey { id: "old".parse().unwrap() };
    check_refused(keys().open(WORKLOAD, "kid-1", &renamed), &wrong);
    let no_id = Sealed { key_encryption_key: "evil\n\u{1b}[2J".to_owned(), ..sealed };
    let error = keys().open(WORKLOAD, "kid-1", &no_id).unwrap_err().to_string();
    assert!(error.starts_with("its key-encryption key (not an id) is not configured"), "{error}");
}

#[test]
fn the_id_of_the_key_encryption_key_is_bound_too() {
    let one = KeyEncryptionKeys::new(key(Some("one"), 1), vec![]).unwrap();
    let two = KeyEncryptionKeys::new(key(Some("two"), 1), vec![]).unwrap();
    let mut sealed = one.seal(WORKLOAD, "kid-1", &content()).unwrap();
    sealed.key_encryption_key = "two".to_owned();
    check_refused(two.open(WORKLOAD, "kid-1", &sealed), &EnvelopeError::Damaged);
}

#[test]
fn rewrapping_changes_the_key_and_not_the_content() {
    let old = KeyEncryptionKeys::new(key(Some("old"), 2), vec![]).unwrap();
    let sealed = old.seal(WORKLOAD, "kid-1", &content()).unwrap();
    let rewrapped = keys().rewrap(WORKLOAD, "kid-1", &sealed).unwrap().unwrap();
    assert_eq!(rewrapped.key_encryption_key, "new");
    assert_eq!(keys().open(WORKLOAD, "kid-1", &rewrapped).unwrap().expose(), CONTENT);
    assert_eq!(keys().rewrap(WORKLOAD, "kid-1", &rewrapped), Ok(None));
    assert_eq!(keys().rewrap(WORKLOAD, "kid-2", &sealed), Err(EnvelopeError::Damaged));
}

#[test]
fn ids_are_unique_and_nothing_shows_a_key() {
    let repeated = KeyEncryptionKeys::new(key(Some("same"), 1), vec![key(Some("same"), 2)]).unwrap_err();
    assert_eq!(repeated, KeyEncryptionKeyError::RepeatedId("same".parse().unwrap()));
    assert!(KeyEncryptionKeys::new(key(Some("same"), 1), vec![key(Some("same"), 1)]).is_ok());
    let shown = format!("{:?}", keys());
    assert_eq!(
        shown,
        r#"KeyEncryptionKeys { active: KeyEncryptionKeyId("new"), others: [KeyEncryptionKeyId("old")] }"#
    );
    assert_ne!(key(None, 1).id(), key(None, 2).id());
    assert_eq!(key(None, 1).id(), key(None, 1).id());
}
