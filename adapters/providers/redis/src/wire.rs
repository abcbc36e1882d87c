// SPDX-License-Identifier: Apache-2.0
//! The commands that nodes are sent, and what is read from their answers.

use std::collections::HashMap;

use cress_domain::{AccountName, DeploymentId};
use redis::{Cmd, FromRedisValue, Value};

/// An account at a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Held {
    /// It lets in; these are its rules, the hash of its password among them, as ACL SETUSER takes them.
    Live(Vec<String>),
    /// It lets nobody in: its revocation could not be done on every node.
    Ended,
}

/// What INFO says of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerInfo {
    /// Another one after each start.
    pub(crate) run_id: String,
    /// The version of Redis that it is, or is like.
    pub(crate) version: (u32, u32),
    /// What it calls itself.
    pub(crate) name: String,
}

/// The earliest version: before, every user may read every channel.
pub(crate) const VERSION_MIN: (u32, u32) = (6, 2);

/// Makes the account, or replaces it: what it had before does not count. Valkey and Redis 6.2 give a new user every channel unless
/// they are configured otherwise.
pub(crate) fn set_user(name: &str, rules: &[String]) -> Cmd {
    let mut command = acl("SETUSER");
    command.arg(name).arg("reset").arg("resetchannels").arg(rules);
    command
}

/// What remains of an account that is ended here and not yet everywhere: it lets nobody in and may do nothing.
pub(crate) fn set_ended(name: &AccountName) -> Cmd {
    set_user(&name.to_string(), &[])
}

/// Removes it, and closes its connections.
pub(crate) fn delete_user(name: &str) -> Cmd {
    let mut command = acl("DELUSER");
    command.arg(name);
    command
}

/// What is known of one account.
pub(crate) fn get_user(name: &AccountName) -> Cmd {
    let mut command = acl("GETUSER");
    command.arg(name.to_string());
    command
}

/// A command of ACL.
pub(crate) fn acl(subcommand: &str) -> Cmd {
    words(&["ACL", subcommand])
}

/// A command of fixed words.
pub(crate) fn words(words: &[&str]) -> Cmd {
    let mut command = Cmd::new();
    command.arg(words);
    command
}

/// Whether an account that ACL GETUSER tells of lets in.
pub(crate) fn is_live(answer: Value) -> bool {
    let Ok(fields) = Vec::<Value>::from_redis_value(answer) else { return false };
    let mut fields = fields.into_iter();
    while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
        if text(name).as_deref() == Some("flags") {
            return texts(value).iter().any(|flag| flag == "on");
        }
    }
    false
}

/// A deployment's accounts of what ACL USERS tells.
pub(crate) fn accounts(answer: Value, deployment: DeploymentId) -> impl Iterator<Item = AccountName> {
    let names = texts(answer).into_iter().filter_map(|name| name.parse::<AccountName>().ok());
    names.filter(move |name| name.deployment() == deployment)
}

/// A deployment's accounts of what ACL LIST tells.
pub(crate) fn held(answer: Value, deployment: DeploymentId) -> HashMap<AccountName, Held> {
    let prefix = format!("user {}", deployment.account_prefix());
    texts(answer).iter().filter(|line| line.starts_with(&prefix)).filter_map(|line| held_line(line)).collect()
}

/// `user <name> on sanitize-payload #<hash> ~cache:* resetchannels -@all +@read`. No rule has a space in it.
fn held_line(line: &str) -> Option<(AccountName, Held)> {
    let mut words = line.split_ascii_whitespace().skip(1);
    let name = words.next()?.parse().ok()?;
    let rules: Vec<String> = words.map(str::to_owned).collect();
    let is_live = rules.iter().any(|rule| rule == "on");
    Some((name, if is_live { Held::Live(rules) } else { Held::Ended }))
}

/// What INFO server says.
pub(crate) fn server_info(answer: Value) -> Option<ServerInfo> {
    let text = text(answer)?;
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim);
    let mut numbers = field("redis_version")?.split('.').map(str::parse::<u32>);
    let version = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    let name = match field("valkey_version") {
        Some(valkey) => format!("Valkey {valkey}"),
        None => format!("Redis {}", field("redis_version")?),
    };
    Some(ServerInfo { run_id: field("run_id")?.to_owned(), version, name })
}

/// A text, if it is one.
pub(crate) fn text(value: Value) -> Option<String> {
    String::from_redis_value(value).ok()
}

/// Texts, if they are that.
pub(crate) fn texts(value: Value) -> Vec<String> {
    Vec::<String>::from_redis_value(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIVE: &str = "cress_abababababab_1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f";

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn list(texts: &[&str]) -> Value {
        Value::Array(texts.iter().map(|text| bulk(text)).collect())
    }

    #[test]
    fn accounts_are_read_from_lists_and_others_are_not_seen() {
        let name: AccountName = LIVE.parse().unwrap();
        let other = LIVE.replace("abababababab", "cdcdcdcdcdcd");
        let names = list(&["default", LIVE, &other, &LIVE.to_uppercase(), &format!("{LIVE}0")]);
        assert_eq!(accounts(names, name.deployment()).collect::<Vec<_>>(), [name]);

        let live = format!("user {LIVE} on sanitize-payload #00 ~a:* resetchannels &b -@all +get");
        let ended = format!("user {} off sanitize-payload resetchannels -@all", LIVE.replace("1f1f", "2e2e"));
        let foreign = format!("user {other} on nopass ~* +@all");
        let read = held(list(&["user default on nopass ~* &* +@all", &live, &ended, &foreign]), name.deployment());
        assert_eq!(read.len(), 2);
        let rules = ["on", "sanitize-payload", "#00", "~a:*", "resetchannels", "&b", "-@all", "+get"];
        assert_eq!(read.get(&name), Some(&Held::Live(rules.map(str::to_owned).to_vec())));
        assert!(read.values().any(|held| *held == Held::Ended));
    }

    #[test]
    fn an_account_is_live_if_it_is_there_and_on() {
        let user = |flags: &[&str]| Value::Array(vec![bulk("flags"), list(flags), bulk("passwords"), list(&["00"])]);
        assert!(is_live(user(&["on", "sanitize-payload"])));
        assert!(!is_live(user(&["off"])));
        assert!(!is_live(Value::Nil));
        assert!(!is_live(bulk("on")));
    }

    #[test]
    fn servers_are_told_apart() {
        let redis = server_info(bulk("# Server\r\nredis_version:7.0.15\r\nrun_id:ab12\r\n")).unwrap();
        assert_eq!(redis, ServerInfo { run_id: "ab12".to_owned(), version: (7, 0), name: "Redis 7.0.15".to_owned() });
        let valkey = bulk("redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:9.1.2\r\nrun_id:x\r\n");
        assert_eq!(server_info(valkey).unwrap().name, "Valkey 9.1.2");
        assert_eq!(server_info(bulk("run_id:x\r\n")), None);
    }
}
