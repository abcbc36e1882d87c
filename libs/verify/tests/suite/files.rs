// SPDX-License-Identifier: Apache-2.0
//! Keys in files.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use cress_testkit::TestIssuer;
use cress_verify::{Clock, FetchError, JWKS_BYTES_MAX};

use crate::support::{eventually, refresh, start, verify};

#[tokio::test]
async fn a_changed_file_counts_and_a_broken_one_does_not() {
    let mut issuer = TestIssuer::new();
    let directory = tempfile::tempdir().unwrap();
    let path: PathBuf = directory.path().join("jwks.json");
    let (verifier, clock) = start(&issuer, path.clone());
    let error = verifier.ready().await.unwrap_err();
    assert!(error.to_string().contains("the key set's file cannot be read: entity not found"), "{error}");

    fs::write(&path, issuer.jwks_json()).unwrap();
    refresh(&verifier, &clock).await;
    let old = issuer.token(clock.now());
    assert_eq!(verify(&verifier, &old).await, "accepted");

    for (broken, expected) in [
        ("", "expected a JSON Web Key Set, an object with a list \"keys\""),
        ("{\"keys\":", "expected a JSON Web Key Set, an object with a list \"keys\""),
        (&" ".repeat(JWKS_BYTES_MAX + 1), "expected a key set of at most 262144 bytes, got more"),
    ] {
        fs::write(&path, broken).unwrap();
        refresh(&verifier, &clock).await;
        assert_eq!(verifier.status()[0].last_error.clone().unwrap().to_string(), expected);
        assert_eq!(verify(&verifier, &old).await, "accepted");
    }
    fs::remove_file(&path).unwrap();
    refresh(&verifier, &clock).await;
    assert_eq!(verifier.status()[0].last_error, Some(FetchError::File(std::io::ErrorKind::NotFound)));
    assert_eq!(verify(&verifier, &old).await, "accepted");

    issuer.add_key("test-2");
    issuer.drop_key("test-1");
    let other = directory.path().join("other.json");
    fs::write(&other, issuer.jwks_json()).unwrap();
    fs::rename(&other, &path).unwrap();
    clock.advance(Duration::from_secs(15));
    eventually("a look at the file", async || verifier.status()[0].last_error.is_none()).await;
    assert_eq!(verify(&verifier, &issuer.token(clock.now())).await, "accepted");
    clock.advance(Duration::from_secs(1));
    assert_eq!(verify(&verifier, &old).await, "key-unknown");
}
