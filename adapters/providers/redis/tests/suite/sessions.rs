// SPDX-License-Identifier: Apache-2.0
//! What becomes of sessions, and what of a credential can be seen at the server.

use cress_testkit::redis::{Accounts, Flavour, RedisServer};
use futures_util::future::join_all;

use super::site::{Site, field, log_in, may};

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_cuts_sessions_whatever_they_do() {
    for flavour in [Flavour::Redis, Flavour::Valkey] {
        let server = RedisServer::start(flavour, Accounts::ConfigFile);
        let site = Site::new(&format!("nodes = ['{}']", server.address()));
        let (account, issued) = site.issue().await;
        let (_, other) = site.issue().await;
        let mut idle = log_in(server.port(), &issued).await.unwrap();
        let mut stays = log_in(server.port(), &other).await.unwrap();
        let blocked = ["BLPOP cache:nothing 0", "SUBSCRIBE events:x", "XREAD BLOCK 0 STREAMS cache:s $"];
        let cut = blocked.map(|line| tokio::task::spawn_blocking(raw_session(server.port(), &issued, line)));
        super::site::eventually(async || {
            let clients = server.command(&["CLIENT", "LIST"]);
            let busy = ["cmd=blpop", "cmd=subscribe", "cmd=xread"].iter().filter(|cmd| clients.contains(**cmd)).count();
            if busy == blocked.len() { Ok(()) } else { Err(clients) }
        })
        .await;
        site.provider.revoke(&account).await.unwrap();
        for end in join_all(cut).await {
            end.unwrap();
        }
        assert!(!may(&mut idle, &["GET", "cache:x"]).await);
        assert!(may(&mut stays, &["GET", "cache:x"]).await);
    }
}

/// Logs in, sends a command that does not end, and reads until the server closes the connection.
fn raw_session(port: u16, issued: &cress_provider::Issued, line: &str) -> impl FnOnce() + Send + 'static {
    use std::io::{Read, Write};
    let hello = format!("AUTH {} {}\r\n{line}\r\n", field(issued, "username"), field(issued, "password"));
    move || {
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
        stream.write_all(hello.as_bytes()).unwrap();
        let mut answers = Vec::new();
        // A reset counts as an end too; a time-out does not.
        match stream.read_to_end(&mut answers) {
            Err(error) if error.kind() != std::io::ErrorKind::ConnectionReset => {
                panic!("the session was not cut: {error}")
            }
            Ok(_) | Err(_) => {}
        }
        assert!(answers.starts_with(b"+OK"), "{}", String::from_utf8_lossy(&answers));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_password_is_seen_at_the_server() {
    let lines = ["slowlog-log-slower-than 0", "slowlog-max-len 1000"];
    let server = RedisServer::start_with(Flavour::Redis, Accounts::Aclfile, &lines, &[]);
    let site = Site::new(&format!("nodes = ['{}']\npersistence = 'aclfile'", server.address()));
    let (account, issued) = site.issue().await;
    site.provider.maintain().await.unwrap();
    let seen = [
        server.command(&["SLOWLOG", "GET", "1000"]),
        server.command(&["ACL", "LIST"]),
        server.command(&["ACL", "LOG"]),
        std::fs::read_to_string(server.directory().join("users.acl")).unwrap(),
        server.log(),
    ];
    assert!(seen[1].contains(&account.to_string()));
    for text in seen {
        assert!(!text.contains(&field(&issued, "password")), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_is_all_that_a_client_needs() {
    let server = RedisServer::start(Flavour::Redis, Accounts::ConfigFile);
    let site = Site::new(&format!("nodes = ['{}']", server.address()));
    let (_, issued) = site.issue().await;
    let client = redis::Client::open(field(&issued, "url")).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    assert!(may(&mut connection, &["SET", "cache:x", "1"]).await);
    assert_eq!(field(&issued, "port"), server.port().to_string());
    assert_eq!((field(&issued, "host").as_str(), field(&issued, "tls").as_str()), ("127.0.0.1", "false"));
}
