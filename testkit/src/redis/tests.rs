// SPDX-License-Identifier: Apache-2.0

use super::*;
use crate::postgres::programs::wait_until;

#[test]
fn a_server_keeps_its_files_when_killed_and_is_gone_with_its_owner() {
    for flavour in [Flavour::Redis, Flavour::Valkey] {
        let mut server = RedisServer::start(flavour, Accounts::Aclfile);
        assert_eq!(server.command(&["ACL", "SETUSER", "someone", "on"]), "OK");
        assert_eq!(server.command(&["ACL", "SAVE"]), "OK");
        server.kill();
        server.restart_stopped();
        assert!(server.users().iter().any(|line| line.starts_with("user someone on ")), "{:?}", server.users());
        let directory = server.directory().to_owned();
        drop(server);
        assert!(wait_until(|| !directory.exists()), "{} is left", directory.display());
    }
}
