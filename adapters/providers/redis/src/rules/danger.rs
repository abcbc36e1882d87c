// SPDX-License-Identifier: Apache-2.0
//! Which commands no workload is given: those that make users, change or stop the server, watch or cut off others, and those that
//! read or write keys whatever the patterns say. Redis itself keeps nearly all of them in one category, `@dangerous`, but hands them
//! out with others too: FLUSHALL with `@write`, CLIENT KILL with `@connection`.

use super::command::{Command, Effect, What};

/// Never given, whatever the subcommand.
const FORBIDDEN: [&str; 20] = [
    "acl",
    "bgrewriteaof",
    "bgsave",
    "config",
    "debug",
    "failover",
    "migrate",
    "module",
    "monitor",
    "pfdebug",
    "pfselftest",
    "psync",
    "replconf",
    "replicaof",
    "restore-asking",
    "save",
    "shutdown",
    "slaveof",
    "slowlog",
    "sync",
];

/// Given by subcommand alone, and of those only these: clients need some, and others cut off everyone else.
const BY_SUBCOMMAND: [(&str, &[&str]); 2] = [
    (
        "client",
        &[
            "caching",
            "getname",
            "getredir",
            "id",
            "info",
            "no-touch",
            "reply",
            "setinfo",
            "setname",
            "tracking",
            "trackinginfo",
        ],
    ),
    (
        "cluster",
        &[
            "countkeysinslot",
            "getkeysinslot",
            "info",
            "keyslot",
            "links",
            "myid",
            "myshardid",
            "nodes",
            "replicas",
            "shards",
            "slaves",
            "slots",
        ],
    ),
];

/// Given if asked for by name, and told to whoever checks the configuration.
const DOUBTFUL: [(&str, &str); 5] = [
    ("flushall", "removes the keys of everyone, whatever the key patterns say"),
    ("flushdb", "removes the keys of everyone, whatever the key patterns say"),
    ("keys", "shows the names of all keys, and keeps the server busy"),
    ("scan", "shows the names of all keys, whatever the key patterns say"),
    ("swapdb", "changes the keys of everyone, whatever the key patterns say"),
];

const DANGEROUS: [&str; 2] = ["admin", "dangerous"];

/// Refuses rules that give what no workload is given.
pub(super) fn refuse(rules: &[&Command]) -> Result<(), String> {
    if !rules.iter().any(|rule| rule.effect == Effect::Give) {
        return Err(
            "expected a rule that gives a command, such as +@read or +get; an account without one can do nothing"
                .to_owned(),
        );
    }
    // A category that no later rule takes the dangerous commands from.
    let mut open = None;
    for rule in rules {
        match (&rule.what, rule.effect) {
            (What::Category(category), Effect::Take) if category == "dangerous" || category == "all" => open = None,
            (What::Category(category), Effect::Give) if DANGEROUS.contains(&category.as_str()) => {
                return Err(format!("{:?}: expected single commands: this makes an administrator", rule.to_string()));
            }
            (What::Category(_), Effect::Give) => open = Some(rule),
            (What::Command { name, subcommand }, Effect::Give) => refuse_command(rule, name, subcommand.as_deref())?,
            (What::Category(_) | What::Command { .. }, Effect::Take) => {}
        }
    }
    match open {
        Some(rule) => Err(format!(
            "{:?}: expected -@dangerous somewhere after it, as a category may bring commands that are held to no key pattern; name those \
             of them that are needed after that",
            rule.to_string()
        )),
        None => Ok(()),
    }
}

fn refuse_command(rule: &Command, name: &str, subcommand: Option<&str>) -> Result<(), String> {
    if FORBIDDEN.contains(&name) {
        return Err(format!("{:?}: expected no command that rules the server or others' sessions", rule.to_string()));
    }
    let Some((_, allowed)) = BY_SUBCOMMAND.iter().find(|(command, _)| *command == name) else { return Ok(()) };
    if subcommand.is_some_and(|subcommand| allowed.contains(&subcommand)) {
        return Ok(());
    }
    Err(format!("{:?}: expected one of its subcommands {}, such as +{name}|info", rule.to_string(), allowed.join(", ")))
}

/// What an operator should know about a rule.
pub(super) fn doubt(rule: &Command) -> Option<String> {
    let What::Command { name, .. } = &rule.what else { return None };
    let (_, reason) = DOUBTFUL.iter().find(|(command, _)| command == name)?;
    (rule.effect == Effect::Give).then(|| format!("{rule} {reason}"))
}
