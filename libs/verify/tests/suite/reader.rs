// SPDX-License-Identifier: Apache-2.0
//! Key sets read to be handed on.

use cress_testkit::TestIssuer;
use cress_verify::{FetchError, KeySetReader, KeySource, RemoteKeys};

use crate::jwks_server::{Answer, JwksServer};

#[tokio::test]
async fn an_unchanged_set_is_the_set_and_a_bad_answer_is_an_error() {
    let issuer = TestIssuer::new();
    let with_etag = Answer { etag: Some("\"1\""), ..Answer::keys(&issuer) };
    let server = JwksServer::start(with_etag.clone()).await;
    let mut reader = KeySetReader::new(RemoteKeys::new(&server.url()).unwrap()).unwrap();
    for asked_for in [None, Some("\"1\"")] {
        assert_eq!(reader.look().await.unwrap().set, issuer.jwks());
        assert_eq!(server.last_etag_asked_for().as_deref(), asked_for);
    }
    server.answer(Answer::status(503));
    assert_eq!(reader.look().await, Err(FetchError::Status(503)));
    server.answer(Answer::body("[]"));
    assert!(matches!(reader.look().await, Err(FetchError::Malformed(_))));
    server.answer(with_etag);
    assert_eq!(reader.look().await.unwrap().set, issuer.jwks());
}

#[tokio::test]
async fn files_and_fixed_sets_are_read_too() {
    let issuer = TestIssuer::new();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), issuer.jwks_json()).unwrap();
    for source in [KeySource::File(file.path().to_owned()), KeySource::Fixed(issuer.jwks())] {
        let mut reader = KeySetReader::new(source).unwrap();
        for _ in 0..2 {
            assert_eq!(reader.look().await.unwrap().set, issuer.jwks());
        }
    }
    let mut reader = KeySetReader::new(file.path().join("none")).unwrap();
    assert!(matches!(reader.look().await, Err(FetchError::File(_))));
}
