// SPDX-License-Identifier: Apache-2.0
//! What an operator is told before anyone asks for a credential: whether every node can be reached, lets the broker do what it has to,
//! and keeps accounts as the settings say. Nothing lasts that is done here: an account is made that lets nobody in, and removed.

use cress_domain::{Hex, Random};
use cress_provider::{Finding, Operation, ProviderError};
use futures_util::future::join_all;

use crate::config::{Persistence, TopologyKind};
use crate::error::{NodeError, all_of};
use crate::node::Node;
use crate::provider::Inner;
use crate::rules::Rules;
use crate::wire;

/// Since this version a server tells what an account may do.
const DRYRUN_SINCE: (u32, u32) = (7, 0);

/// What is asked of the broker's account.
const RIGHTS: [&[&str]; 6] = [
    &["ACL", "SETUSER", "cress", "reset"],
    &["ACL", "DELUSER", "cress"],
    &["ACL", "GETUSER", "cress"],
    &["ACL", "LIST"],
    &["ACL", "USERS"],
    &["PING"],
];

/// Looks at all nodes.
pub(crate) async fn provider(redis: &Inner) -> Result<Vec<Finding>, ProviderError> {
    let members = redis.members(Operation::Check).await?;
    let looked = join_all(members.iter().map(|member| node(redis, &member.node))).await;
    let mut findings = Vec::new();
    let mut failed = Vec::new();
    for outcome in looked {
        match outcome {
            Ok(found) => findings.extend(found),
            Err(error) => failed.push(error),
        }
    }
    // One that answers is enough to tell more than that nothing does.
    if failed.len() == members.len() {
        return Err(all_of(&failed, Operation::Check));
    }
    findings.extend(failed.iter().map(|error| Finding::Bad(format!("{error}; revocations wait for it"))));
    findings.extend(transport(redis));
    Ok(findings)
}

/// Tries the rules on all nodes.
pub(crate) async fn credential(redis: &Inner, rules: &Rules) -> Result<Vec<Finding>, ProviderError> {
    let members = redis.members(Operation::Check).await?;
    let name = trial_name(&*redis.ports.random);
    let sample = rules.sample();
    let tried = join_all(members.iter().map(|member| try_out(&member.node, &name, &sample))).await;
    let mut findings: Vec<_> = rules.doubts().into_iter().map(Finding::Doubtful).collect();
    let mut away = Vec::new();
    for error in tried.into_iter().filter_map(Result::err) {
        if error.is_away() {
            away.push(error);
        } else {
            findings.push(Finding::Bad(format!("its rules cannot be used: {error}")));
        }
    }
    if away.len() == members.len() {
        return Err(all_of(&away, Operation::Check));
    }
    if !findings.iter().any(|finding| matches!(finding, Finding::Bad(_))) {
        findings.push(Finding::Good(format!(
            "its rules are accepted by {} of {} nodes",
            members.len() - away.len(),
            members.len()
        )));
    }
    Ok(findings)
}

async fn node(redis: &Inner, node: &Node) -> Result<Vec<Finding>, NodeError> {
    let address = &node.address;
    node.call(&wire::words(&["PING"])).await?;
    let info = node.info();
    let (name, version) = info.map_or_else(|| (String::new(), DRYRUN_SINCE), |info| (info.name, info.version));
    let mut findings = vec![Finding::Good(format!("{address} answers and is {name}"))];
    // An account that lets nobody in, under a name that no deployment's accounts have.
    let trial = trial_name(&*redis.ports.random);
    if let Err(error) = try_out(node, &trial, &[]).await {
        findings.push(Finding::Bad(format!("accounts cannot be made and removed: {error}")));
    }
    if version >= DRYRUN_SINCE {
        findings.extend(rights(redis, node).await?);
    }
    if default_user_is_open(node).await? {
        findings.push(Finding::Doubtful(format!(
            "{address} lets everyone in as `default` without a password; disable it: ACL SETUSER default off"
        )));
    }
    findings.extend(persistence(redis.config.persistence, node).await?);
    Ok(findings)
}

async fn try_out(node: &Node, name: &str, rules: &[String]) -> Result<(), NodeError> {
    let made = node.call(&wire::set_user(name, rules)).await;
    let removed = node.call(&wire::delete_user(name)).await;
    made.and(removed).map(drop)
}

/// Not the name of an account of any deployment.
fn trial_name(random: &dyn Random) -> String {
    let mut bytes = [0; 6];
    random.fill(&mut bytes);
    format!("cress_check_{}", Hex(&bytes))
}

async fn rights(redis: &Inner, node: &Node) -> Result<Vec<Finding>, NodeError> {
    let Some(me) = wire::text(node.call(&wire::acl("WHOAMI")).await?) else { return Ok(Vec::new()) };
    let by_settings: &[&[&str]] = match redis.config.persistence {
        Persistence::None => &[],
        Persistence::Aclfile => &[&["ACL", "SAVE"]],
        Persistence::Rewrite => &[&["CONFIG", "REWRITE"]],
    };
    let by_topology: &[&[&str]] = match redis.config.topology {
        TopologyKind::Cluster => &[&["CLUSTER", "NODES"]],
        TopologyKind::Standalone | TopologyKind::Sentinel => &[],
    };
    let mut findings = Vec::new();
    for right in RIGHTS.iter().chain(by_settings).chain(by_topology) {
        let mut dry_run = wire::acl("DRYRUN");
        dry_run.arg(&me).arg(*right);
        match node.call(&dry_run).await.map(wire::text) {
            Ok(Some(answer)) if answer == "OK" => {}
            Ok(_) => findings.push(Finding::Bad(format!("{} does not let {me} do {}", node.address, right.join(" ")))),
            // Without the right to ask, the trial account has to do.
            Err(error) if !error.is_away() => return Ok(findings),
            Err(error) => return Err(error),
        }
    }
    Ok(findings)
}

async fn default_user_is_open(node: &Node) -> Result<bool, NodeError> {
    let lines = wire::texts(node.call(&wire::acl("LIST")).await?);
    let line = lines.iter().find(|line| line.starts_with("user default "));
    let has = |line: &String, word: &str| line.split_ascii_whitespace().any(|each| each == word);
    Ok(line.is_some_and(|line| has(line, "on") && has(line, "nopass")))
}

async fn persistence(persistence: Persistence, node: &Node) -> Result<Option<Finding>, NodeError> {
    let address = &node.address;
    let asked = match persistence {
        Persistence::None => {
            return Ok(Some(Finding::Doubtful(format!(
                "{address} keeps accounts in memory alone: after a restart it has none until they are copied from another node"
            ))));
        }
        Persistence::Aclfile => setting(node, "aclfile").await?,
        Persistence::Rewrite => {
            let aclfile = setting(node, "aclfile").await?;
            if aclfile.is_some_and(|path| !path.is_empty()) {
                return Ok(Some(Finding::Bad(format!(
                    "{address} keeps accounts in an aclfile; set persistence = \"aclfile\""
                ))));
            }
            config_file(node).await?
        }
    };
    Ok(match asked {
        Some(path) if path.is_empty() => {
            Some(Finding::Bad(format!("{address} has no file to keep accounts in, as the setting persistence expects")))
        }
        Some(path) => Some(Finding::Good(format!("{address} keeps accounts in {path}"))),
        None => Some(Finding::Doubtful(format!("{address} does not tell whether it has a file to keep accounts in"))),
    })
}

/// A setting of the server, if it may be read.
async fn setting(node: &Node, name: &str) -> Result<Option<String>, NodeError> {
    match node.call(&wire::words(&["CONFIG", "GET", name])).await {
        Ok(answer) => Ok(wire::texts(answer).into_iter().nth(1)),
        Err(error) if !error.is_away() => Ok(None),
        Err(error) => Err(error),
    }
}

async fn config_file(node: &Node) -> Result<Option<String>, NodeError> {
    let answer = node.call(&wire::words(&["INFO", "server"])).await?;
    let text = wire::text(answer).unwrap_or_default();
    Ok(text.lines().find_map(|line| line.strip_prefix("config_file:")).map(|path| path.trim().to_owned()))
}

fn transport(redis: &Inner) -> Option<Finding> {
    let plain = redis.config.tls.is_none() && redis.config.plaintext;
    plain.then(|| {
        Finding::Doubtful("the broker's own password crosses the network in clear text; set tls.ca".to_owned())
    })
}
