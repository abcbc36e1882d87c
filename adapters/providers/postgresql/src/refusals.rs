// SPDX-License-Identifier: Apache-2.0
//! Which group roles are not given out: those through which a leased role could escape from PostgreSQL, become somebody else, or let
//! somebody in for longer than it lives itself. What counts is all that a role can become through its memberships, whether it inherits
//! it or has to ask for it.

use crate::error::Failure;
use crate::quote::Name;
use crate::wire::Row;

/// Predefined roles that reach beyond the database (<https://www.postgresql.org/docs/current/predefined-roles.html>).
const REFUSED: [(&str, &str); 5] = [
    ("pg_execute_server_program", "runs programs on the server"),
    ("pg_read_server_files", "reads the server's files"),
    ("pg_write_server_files", "writes the server's files"),
    ("pg_signal_backend", "ends other sessions"),
    ("pg_create_subscription", "makes the server connect elsewhere"),
];
/// Those that should be known about.
const DOUBTFUL: [(&str, &str); 5] = [
    ("pg_monitor", "sees what others ask the server"),
    ("pg_read_all_stats", "sees what others ask the server"),
    ("pg_read_all_data", "reads everything"),
    ("pg_write_all_data", "writes everything"),
    ("pg_use_reserved_connections", "may take the last connections"),
];

/// A role that the group is or can become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reachable {
    name: String,
    /// Its attributes, in the words of CREATE ROLE, that a group role must not have.
    attributes: Vec<&'static str>,
    /// Whether it may grant memberships.
    admin: bool,
    /// Whether it is the broker's own role.
    broker: bool,
}

/// What is wrong with a group role. Both empty if nothing is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) refused: Vec<String>,
    pub(crate) doubtful: Vec<String>,
}

const ATTRIBUTES: [(&str, &str); 6] = [
    ("SUPERUSER", "rolsuper"),
    ("CREATEROLE", "rolcreaterole"),
    ("CREATEDB", "rolcreatedb"),
    ("REPLICATION", "rolreplication"),
    ("BYPASSRLS", "rolbypassrls"),
    ("LOGIN", "rolcanlogin"),
];

/// One row for the group and for each role that it can become.
pub(crate) fn query(group: &Name) -> String {
    let attributes: String = ATTRIBUTES.iter().map(|(_, column)| format!(", r.{column}::text")).collect();
    format!(
        "WITH RECURSIVE reachable (oid) AS (SELECT oid FROM pg_roles WHERE rolname = {} UNION \
         SELECT m.roleid FROM pg_auth_members m JOIN reachable ON m.member = reachable.oid) \
         SELECT r.rolname::text, EXISTS (SELECT FROM pg_auth_members m WHERE m.member = r.oid AND m.admin_option)::text, \
         (r.rolname = current_user)::text{attributes} FROM reachable JOIN pg_roles r USING (oid) ORDER BY 1",
        group.literal()
    )
}

/// Reads the answer.
pub(crate) fn read(rows: &[Row]) -> Result<Vec<Reachable>, Failure> {
    const FIRST_ATTRIBUTE: usize = 3;
    let read = |row: &Row| {
        let mut attributes = Vec::new();
        for (column, (attribute, _)) in (FIRST_ATTRIBUTE..).zip(ATTRIBUTES) {
            if row.flag(column)? {
                attributes.push(attribute);
            }
        }
        Ok(Reachable { name: row.text(0)?, attributes, admin: row.flag(1)?, broker: row.flag(2)? })
    };
    rows.iter().map(read).collect()
}

/// Judges a group by all that it can become.
pub(crate) fn judge(group: &Name, reachable: &[Reachable]) -> Verdict {
    let mut verdict = Verdict::default();
    if !reachable.iter().any(|role| role.name == group.as_str()) {
        verdict
            .refused
            .push(format!("there is no role {group}: make it with CREATE ROLE, and grant it what is to be given out"));
    }
    for role in reachable {
        judge_one(group, role, &mut verdict);
    }
    verdict
}

fn judge_one(group: &Name, role: &Reachable, verdict: &mut Verdict) {
    let itself = role.name == group.as_str();
    let who = if itself { group.to_string() } else { format!("{group} is a member of {}, which", role.name) };
    // Whoever acts as the group can give it a password, so it must let nobody in. The same of a role that it is a member of is for its
    // owner to judge.
    for attribute in role.attributes.iter().filter(|attribute| itself || **attribute != "LOGIN") {
        verdict.refused.push(format!("{who} has {attribute}, which no leased role may reach"));
    }
    if role.admin {
        verdict
            .refused
            .push(format!("{who} has ADMIN OPTION on a role: a leased role could let others in that outlive it"));
    }
    if role.broker {
        verdict.refused.push(format!("{who} is the broker's own role"));
    }
    if let Some((name, why)) = REFUSED.iter().find(|(name, _)| *name == role.name) {
        verdict.refused.push(format!("{who} {why} ({name})"));
    }
    if let Some((name, why)) = DOUBTFUL.iter().find(|(name, _)| *name == role.name) {
        verdict.doubtful.push(format!("{who} {why} ({name})"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group() -> Name {
        Name::try_from("app rw".to_owned()).unwrap()
    }

    fn role(name: &str) -> Reachable {
        Reachable { name: name.to_owned(), attributes: Vec::new(), admin: false, broker: false }
    }

    #[test]
    fn a_plain_group_is_good() {
        let other = Reachable { attributes: vec!["LOGIN"], ..role("reporting") };
        assert_eq!(judge(&group(), &[role("app rw"), other]), Verdict::default());
    }

    #[test]
    fn what_reaches_too_far_is_refused_directly_and_through_membership() {
        for attribute in ["SUPERUSER", "CREATEROLE", "CREATEDB", "REPLICATION", "BYPASSRLS"] {
            let with = |name| Reachable { attributes: vec![attribute], ..role(name) };
            assert_eq!(judge(&group(), &[with("app rw")]).refused.len(), 1, "{attribute}");
            assert_eq!(judge(&group(), &[role("app rw"), with("other")]).refused.len(), 1, "{attribute}");
        }
        assert_eq!(judge(&group(), &[Reachable { attributes: vec!["LOGIN"], ..role("app rw") }]).refused.len(), 1);
        for (name, _) in REFUSED {
            assert_eq!(judge(&group(), &[role("app rw"), role(name)]).refused.len(), 1, "{name}");
        }
        for role in [Reachable { admin: true, ..role("other") }, Reachable { broker: true, ..role("other") }] {
            assert_eq!(judge(&group(), &[self::role("app rw"), role]).refused.len(), 1);
        }
        assert_eq!(judge(&group(), &[]).refused.len(), 1);
        assert_eq!(judge(&group(), &[role("app rw"), role("pg_monitor")]).doubtful.len(), 1);
    }
}
