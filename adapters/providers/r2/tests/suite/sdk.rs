// SPDX-License-Identifier: Apache-2.0
//! The credentials in the hands of boto3, the S3 client that most workloads use.

use std::process::Command;

use cress_domain::Timestamp;
use cress_testkit::tool;

use crate::support::{Bench, secret, text};

/// Puts, gets, lists and deletes an object of its own, reads it by a presigned URL, and is refused what is not its own.
const SCRIPT: &str = r#"
import os, sys, urllib.request
import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

s3 = boto3.client(
    "s3",
    endpoint_url=os.environ["ENDPOINT"],
    region_name="auto",
    aws_access_key_id=os.environ["ACCESS_KEY_ID"],
    aws_secret_access_key=os.environ["SECRET_ACCESS_KEY"],
    aws_session_token=os.environ["SESSION_TOKEN"],
    config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}, signature_version="s3v4"),
)
key = "shared/from boto3 + \u00fc.txt"
s3.put_object(Bucket="models", Key=key, Body=b"hello")
assert s3.get_object(Bucket="models", Key=key)["Body"].read() == b"hello"
assert key in [item["Key"] for item in s3.list_objects_v2(Bucket="models", Prefix="shared/")["Contents"]]
url = s3.generate_presigned_url("get_object", Params={"Bucket": "models", "Key": key}, ExpiresIn=60)
assert urllib.request.urlopen(url).read() == b"hello"
s3.delete_object(Bucket="models", Key=key)

for name, call in [
    ("another prefix", lambda: s3.get_object(Bucket="models", Key="private/a")),
    ("another bucket", lambda: s3.get_object(Bucket="billing", Key="a")),
    ("a list of everything", lambda: s3.list_objects_v2(Bucket="models")),
    ("a new bucket", lambda: s3.create_bucket(Bucket="models")),
]:
    try:
        call()
    except ClientError as error:
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 403, (name, error)
    else:
        sys.exit(f"{name} was allowed")
print("done")
"#;

fn run(bench: &Bench, issued: &cress_provider::Issued) -> std::process::Output {
    Command::new(tool("CRESS_TEST_PYTHON_TARGETS", "python-targets/bin/python"))
        .args(["-c", SCRIPT])
        .env_remove("AWS_PROFILE")
        .env("ENDPOINT", format!("http://127.0.0.1:{}", bench.server.port()))
        .env("ACCESS_KEY_ID", text(issued, "access_key_id"))
        .env("SECRET_ACCESS_KEY", secret(issued, "secret_access_key"))
        .env("SESSION_TOKEN", secret(issued, "session_token"))
        .output()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn boto3_uses_what_is_given_and_nothing_else() {
    let bench = Bench::new(
        "parent = \"blue\"\nbucket = \"models\"\npermission = \"object-read-write\"\nprefixes = [\"shared/\"]",
        None,
    );
    bench.clock.set_now(real_now());
    let issued = bench.issue(&[]).await.unwrap();
    let output = run(&bench, &issued);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    bench.server.revoke_parent("b1ue");
    let output = run(&bench, &issued);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("InvalidAccessKeyId"), "{said}");
}

/// boto3 signs with the machine's time.
fn real_now() -> Timestamp {
    let file = tempfile::NamedTempFile::new().unwrap();
    let written = file.as_file().metadata().unwrap().modified().unwrap();
    let since = written.duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::from_unix_seconds(i64::try_from(since.as_secs()).unwrap())
}
