// SPDX-License-Identifier: Apache-2.0
//! The verifier against the examples that AWS publishes, and against what must not pass.

use std::collections::BTreeMap;

use super::http::Request;
use super::signature::{Claimed, canonical, sha256_hex, signature};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn request(method: &str, path: &str, query: &[(&str, &str)], headers: &[(&str, &str)]) -> Request {
    let owned = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: owned(query),
        headers: owned(headers).into_iter().collect::<BTreeMap<_, _>>(),
        body: Vec::new(),
    }
}

/// "Authenticating Requests: Using the Authorization Header", Amazon S3 API reference: GET Object, GET Bucket Lifecycle, List Objects.
#[test]
fn the_published_signatures_are_made_again() {
    let scope = "20130524/us-east-1/s3/aws4_request";
    let moment = "20130524T000000Z";
    let common = [("host", "examplebucket.s3.amazonaws.com"), ("x-amz-content-sha256", EMPTY), ("x-amz-date", moment)];
    let ranged = [&[("range", "bytes=0-9")][..], &common].concat();
    for (request, names, expected) in [
        (
            request("GET", "/test.txt", &[], &ranged),
            "host;range;x-amz-content-sha256;x-amz-date",
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            request("GET", "/", &[("lifecycle", "")], &common),
            "host;x-amz-content-sha256;x-amz-date",
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (
            request("GET", "/", &[("max-keys", "2"), ("prefix", "J")], &common),
            "host;x-amz-content-sha256;x-amz-date",
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ] {
        let names: Vec<String> = names.split(';').map(str::to_owned).collect();
        assert_eq!(signature(SECRET, moment, scope, &canonical(&request, &names, EMPTY)), expected);
    }
}

#[test]
fn a_signature_covers_the_request() {
    let authorization = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
        SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,\
        Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41";
    let good = || {
        request(
            "GET",
            "/test.txt",
            &[],
            &[
                ("authorization", authorization),
                ("host", "examplebucket.s3.amazonaws.com"),
                ("range", "bytes=0-9"),
                ("x-amz-content-sha256", EMPTY),
                ("x-amz-date", "20130524T000000Z"),
            ],
        )
    };
    let claimed = Claimed::of(&good()).unwrap();
    assert_eq!(claimed.access_key_id, "AKIAIOSFODNN7EXAMPLE");
    assert_eq!(claimed.signed_at().unwrap().to_string(), "2013-05-24T00:00:00Z");
    assert!(claimed.is_of(&good(), SECRET));
    assert!(!claimed.is_of(&good(), "another"));
    let changes: [fn(&mut Request); 6] = [
        |request| request.method = "PUT".to_owned(),
        |request| request.path = "/test.txt2".to_owned(),
        |request| request.query.push(("acl".to_owned(), String::new())),
        |request| request.body = b"x".to_vec(),
        |request| drop(request.headers.insert("range".to_owned(), "bytes=0-".to_owned())),
        |request| drop(request.headers.insert("x-amz-acl".to_owned(), "public-read".to_owned())),
    ];
    for (position, change) in changes.iter().enumerate() {
        let mut changed = good();
        change(&mut changed);
        assert!(!claimed.is_of(&changed, SECRET), "change {position}");
    }
    assert_eq!(sha256_hex(b""), EMPTY);
}
