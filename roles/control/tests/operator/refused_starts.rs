// SPDX-License-Identifier: Apache-2.0
//! Starts that fail, each with one sentence.

use std::sync::Arc;

use cress_control::Config;
use cress_service::tls::CertificateFiles;

use crate::support::{Control, config, directory, try_start};

async fn refusal(config: Config) -> String {
    match try_start(config, Arc::default(), 3).await {
        Ok(_) => panic!("it started"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn a_second_control_on_the_same_directory_is_refused() {
    let directory = directory();
    let control = Control::start(&directory).await;
    let message = refusal(config(&directory)).await;
    assert!(message.starts_with("another cress already uses ") && !message.contains('\n'), "{message}");
    control.stop().await;
    // What was stopped is free again.
    Control::start(&directory).await.stop().await;
}

#[tokio::test]
async fn a_taken_port_is_named_with_its_setting() {
    let (one, other) = (directory(), directory());
    let control = Control::start(&one).await;
    for (setting, take) in [
        ("--listen", (|config, control| config.listen = control.started.public) as fn(&mut Config, &Control)),
        ("--node-api-listen", |config, control| config.node_api.listen = control.started.node_api),
        ("--metrics-listen", |config, control| config.metrics.listen = control.started.metrics),
    ] {
        let mut config = config(&other);
        take(&mut config, &control);
        let message = refusal(config).await;
        assert!(message.contains("is taken by another program") && message.ends_with(setting), "{message}");
    }
    // A failed start leaves nothing behind that would hinder the next.
    Control::start(&other).await.stop().await;
    control.stop().await;
}

#[tokio::test]
async fn a_directory_that_cannot_be_used_is_named() {
    let directory = directory();
    std::fs::write(directory.path().join("data"), "").unwrap();
    let message = refusal(config(&directory)).await;
    assert!(message.ends_with("a file of that name is in the way"), "{message}");
    let message = refusal(Config { data_dir: "/proc/cress".into(), ..config(&directory) }).await;
    assert!(message.starts_with("cannot create the data directory /proc/cress: "), "{message}");
}

#[tokio::test]
async fn certificate_files_are_read_before_anything_is_opened() {
    let directory = directory();
    let mut config = config(&directory);
    let absent = |name: &str| directory.path().join(name);
    config.tls = Some(CertificateFiles { certificate_file: absent("c.pem"), key_file: absent("k.pem") });
    let message = refusal(config.clone()).await;
    assert!(message.starts_with("tls: cannot read ") && message.ends_with("c.pem: it does not exist"), "{message}");
    assert!(!config.data_dir.exists());
}

#[tokio::test]
async fn lost_and_wrong_key_encryption_keys_are_refused() {
    let directory = directory();
    Control::start(&directory).await.stop().await;
    let kek = directory.path().join("data.kek");
    let good = std::fs::read(&kek).unwrap();
    std::fs::remove_file(&kek).unwrap();
    let message = refusal(config(&directory)).await;
    assert!(message.contains("data.kek is missing") && message.contains("put it back"), "{message}");
    assert!(!kek.exists(), "no new key for an old database");

    std::fs::write(&kek, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n").unwrap();
    let message = refusal(config(&directory)).await;
    assert!(message.contains("is not configured"), "{message}");

    let mut named = config(&directory);
    named.key_encryption.keys = vec!["env:CRESS_TEST_NO_SUCH_VARIABLE".parse().unwrap()];
    let message = refusal(named).await;
    assert!(message.ends_with("the variable is not set"), "{message}");

    std::fs::write(&kek, good).unwrap();
    Control::start(&directory).await.stop().await;
}

#[tokio::test]
async fn an_issuer_too_long_for_the_stored_groups_is_refused() {
    let directory = directory();
    let control = Control::start(&directory).await.with_project().await;
    let groups = "/v1/organizations/acme/projects/web/containers";
    for length in [2, 30, 40, 50, 60, 61, 62, 63] {
        let name = "g".repeat(length);
        let body = serde_json::json!({"name": name, "definition": {"replicas": 1, "command": ["true"]}});
        control.admin_json("POST", groups, &body.to_string()).await;
    }
    control.stop().await;

    let longer = |issuer: usize, prefix: usize| {
        let mut config = config(&directory);
        config.issuer = Some(format!("https://{}.example", "i".repeat(issuer)).parse().unwrap());
        config.kid_prefix = "k".repeat(prefix);
        config
    };
    let messages = [longer(33, 15), longer(12, 50), longer(100, 15)];
    let mut refusals = Vec::new();
    for config in messages {
        refusals.push(refusal(config).await);
    }
    insta::assert_snapshot!(refusals.join("\n\n"));
    // Nothing was changed by it.
    Control::start(&directory).await.stop().await;
}
