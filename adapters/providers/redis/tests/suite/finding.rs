// SPDX-License-Identifier: Apache-2.0
//! What an operator is told before anyone asks for a credential.

use cress_provider::Finding;
use cress_testkit::redis::{Accounts, Flavour, RedisServer};

use super::site::{REFERENCE, Site, addresses, bad, doubtful, table};

#[tokio::test(flavor = "multi_thread")]
async fn a_fit_server_is_found_fit_and_left_as_it_was() {
    for flavour in [Flavour::Redis, Flavour::Valkey] {
        let server = RedisServer::start(flavour, Accounts::Aclfile);
        let site = Site::new(&format!("nodes = ['{}']\npersistence = 'aclfile'", server.address()));
        let before = server.users();
        let findings = site.provider.check().await.unwrap();
        assert!(findings.iter().all(|finding| matches!(finding, Finding::Good(_))), "{findings:?}");
        let findings = site.credential.check().await.unwrap();
        assert!(findings.iter().all(|finding| matches!(finding, Finding::Good(_))), "{findings:?}");
        assert_eq!(server.users(), before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_right_is_told() {
    let server = RedisServer::start(Flavour::Redis, Accounts::ConfigFile);
    let settings = |persistence: &str| format!("nodes = ['{}']\npersistence = '{persistence}'", server.address());
    let findings = Site::new(&settings("none")).provider.check().await.unwrap();
    assert!(doubtful(&findings).contains("in memory alone"), "{findings:?}");
    let findings = Site::new(&settings("aclfile")).provider.check().await.unwrap();
    assert!(bad(&findings).contains("has no file to keep accounts in"), "{findings:?}");
    server.command(&["ACL", "SETUSER", "default", "nopass"]);
    let findings = Site::new(&settings("rewrite")).provider.check().await.unwrap();
    assert!(doubtful(&findings).contains("lets everyone in"), "{findings:?}");
    assert_eq!(bad(&findings), "");

    let with_file = RedisServer::start(Flavour::Redis, Accounts::Aclfile);
    let site = Site::new(&format!("nodes = ['{}']\npersistence = 'rewrite'", with_file.address()));
    assert!(bad(&site.provider.check().await.unwrap()).contains("set persistence = \"aclfile\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_rights_are_named() {
    let server = RedisServer::start(Flavour::Redis, Accounts::Aclfile);
    let full = [
        "+ping",
        "+info",
        "+acl|setuser",
        "+acl|deluser",
        "+acl|getuser",
        "+acl|list",
        "+acl|users",
        "+acl|whoami",
        "+acl|dryrun",
        "+acl|save",
        "+config|get",
    ];
    for missing in ["+acl|setuser", "+acl|deluser", "+acl|getuser", "+acl|users", "+acl|save", "+config|get"] {
        let rights: Vec<_> = full.iter().copied().filter(|right| *right != missing).collect();
        server.command(&[&["ACL", "SETUSER", "broker", "reset", "on", ">pw-of-broker"][..], &rights].concat());
        let site =
            Site::new(&format!("nodes = ['{}']\nusername = 'broker'\npersistence = 'aclfile'", server.address()));
        site.secrets.set(REFERENCE, Some("pw-of-broker"));
        let findings = site.provider.check().await.unwrap();
        let told = if missing == "+config|get" { doubtful(&findings) } else { bad(&findings).to_lowercase() };
        let expected = if missing == "+config|get" { "does not tell" } else { missing.trim_start_matches("+acl|") };
        assert!(told.contains(expected), "without {missing}: {findings:?}");
        assert!(!told.contains("pw-of-broker"));
    }
    // And with all of them it does its work.
    server.command(&[&["ACL", "SETUSER", "broker", "reset", "on", ">pw-of-broker"][..], &full].concat());
    let site = Site::new(&format!("nodes = ['{}']\nusername = 'broker'\npersistence = 'aclfile'", server.address()));
    site.secrets.set(REFERENCE, Some("pw-of-broker"));
    assert_eq!(bad(&site.provider.check().await.unwrap()), "");
    let (account, _) = site.issue().await;
    site.provider.maintain().await.unwrap();
    site.provider.revoke(&account).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_that_the_server_does_not_know_are_told() {
    let server = RedisServer::start(Flavour::Redis, Accounts::Aclfile);
    let site = Site::new(&format!("nodes = ['{}']", server.address()));
    let credential = site.provider.credential(&table("rules = ['+json.get', '~cache:*']")).unwrap();
    let findings = credential.check().await.unwrap();
    assert!(bad(&findings).contains("+json.get"), "{findings:?}");
    let credential = site.provider.credential(&table("rules = ['+@read', '-@dangerous', '+keys', '~*']")).unwrap();
    let told = doubtful(&credential.check().await.unwrap());
    assert!(told.contains("every key") && told.contains("+keys"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_away_is_told_beside_those_that_are_not() {
    let mut servers: Vec<_> = (0..2).map(|_| RedisServer::start(Flavour::Redis, Accounts::Aclfile)).collect();
    let site = Site::new(&format!("nodes = {}\npersistence = 'aclfile'", addresses(&servers)));
    servers[1].stop();
    let findings = site.provider.check().await.unwrap();
    assert!(bad(&findings).contains(&servers[1].address()), "{findings:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_disagree_about_what_they_are_refuse_clearly() {
    let server = RedisServer::start(Flavour::Redis, Accounts::Aclfile);
    let site = Site::new(&format!("topology = 'cluster'\nnodes = ['{}']", server.address()));
    let error = site.provider.check().await.unwrap_err();
    assert!(error.to_string().contains("cluster support disabled"), "{error}");
    let settings = format!(
        "topology = 'sentinel'\nsentinels = ['{}']\nsentinel_password = '{REFERENCE}'\nmaster = 'm'\npersistence = 'aclfile'",
        server.address()
    );
    let error = Site::new(&settings).provider.check().await.unwrap_err();
    assert!(error.to_string().to_lowercase().contains("sentinel"), "{error}");
}
