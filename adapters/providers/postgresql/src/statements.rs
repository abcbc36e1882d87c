// SPDX-License-Identifier: Apache-2.0
//! The statements that make, extend and end a role. Pure: names and texts in, SQL out.

use cress_domain::{AccountName, DeploymentId, Timestamp};

use crate::config::Access;
use crate::quote::{Name, literal};
use crate::wire::VERSION_OF_ADMIN_OPTION;

/// What an account depends on and what depends on it, but for its membership in its group, which ends with it.
macro_rules! dependencies_of {
    ($role:literal) => {
        concat!(
            "FROM pg_shdepend d WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = ",
            $role,
            " AND d.classid <> 'pg_auth_members'::regclass"
        )
    };
}

/// An account's name as SQL takes it. It has nothing in it that would have to be quoted, and is quoted all the same.
pub(crate) fn role(account: &AccountName) -> String {
    format!("\"{account}\"")
}

/// Who gets what an account leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Heir {
    /// Its group.
    Group(Name),
    /// The broker's role, where nobody knows the group any more, so that nothing is lost.
    Broker,
}

impl Heir {
    /// In the place of a role.
    fn role(&self) -> String {
        match self {
            Self::Group(name) => name.quoted(),
            Self::Broker => "CURRENT_USER".to_owned(),
        }
    }

    /// In the place of a value.
    fn value(&self) -> String {
        match self {
            Self::Group(name) => name.literal(),
            Self::Broker => "current_user".to_owned(),
        }
    }
}

/// Whoever makes, changes or ends an account has its turn: a creation that nobody waits for any more may still be under way when the
/// account is ended.
fn turn(account: &AccountName) -> String {
    let mut key = [0; 8];
    key.iter_mut().zip(account.lease().as_bytes()).for_each(|(to, from)| *to = *from);
    // No row: what it returns is never null.
    format!("SELECT WHERE pg_advisory_xact_lock({}) IS NULL", i64::from_be_bytes(key))
}

/// Makes the account. Both statements or none.
pub(crate) fn create(account: &AccountName, access: &Access, verifier: &str, until: Timestamp) -> String {
    let (role, turn) = (role(account), turn(account));
    let (group, connections) = (access.group.quoted(), access.connections_max);
    format!(
        "{turn}; \
         CREATE ROLE {role} LOGIN INHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE CONNECTION LIMIT {connections} \
         PASSWORD {} VALID UNTIL {} IN ROLE {group}; \
         ALTER ROLE {role} SET role = {}",
        literal(verifier),
        literal(&until.rfc3339_seven_digits()),
        access.group.literal()
    )
}

/// Lets the account's password be good until then.
pub(crate) fn extend(account: &AccountName, until: Timestamp) -> String {
    format!("{}; ALTER ROLE {} VALID UNTIL {}", turn(account), role(account), literal(&until.rfc3339_seven_digits()))
}

/// Lets nobody in any more. Written to the disk with the end of the role at the latest, so not waited for here. A lock of the
/// account's own, on its own row, is waited for briefly: its sessions are ended then.
pub(crate) fn shut(account: &AccountName) -> String {
    format!(
        "BEGIN; SET LOCAL synchronous_commit = off; SET LOCAL lock_timeout = '500ms'; {}; \
         ALTER ROLE {} NOLOGIN PASSWORD NULL; COMMIT",
        turn(account),
        role(account)
    )
}

/// Ends the sessions of the account. What `pg_stat_activity` and `pg_roles` would join to this costs as much as the rest. One row, if there is such a role: its number, how many sessions were told to end, and how much
/// depends on it.
pub(crate) fn end_sessions(account: &AccountName) -> String {
    format!(
        concat!(
            "SELECT r.oid::text, ",
            "(SELECT count(pg_terminate_backend(a.pid))::text FROM pg_stat_get_activity(NULL) a WHERE a.usesysid = r.oid), ",
            "(SELECT count(*)::text ",
            dependencies_of!("r.oid"),
            ") FROM (SELECT to_regrole({})::oid AS oid) r WHERE r.oid IS NOT NULL"
        ),
        literal(&role(account))
    )
}

/// Ends the sessions of roles that may be gone. One row: how many there were.
pub(crate) fn end_sessions_of(roles: &[i64]) -> String {
    let roles: Vec<_> = roles.iter().map(i64::to_string).collect();
    let roles = roles.join(", ");
    format!("SELECT count(pg_terminate_backend(pid))::text FROM pg_stat_get_activity(NULL) WHERE usesysid IN ({roles})")
}

/// Removes the account, and ends what came in at the last moment.
pub(crate) fn drop_role(account: &AccountName, number: i64) -> String {
    format!("BEGIN; {}; DROP ROLE IF EXISTS {}; COMMIT; {}", turn(account), role(account), end_sessions_of(&[number]))
}

/// The databases in which anything depends on a role. Null is for what all share.
pub(crate) fn databases_of(role: i64) -> String {
    format!(
        concat!(
            "SELECT DISTINCT b.datname::text FROM (SELECT d.dbid ",
            dependencies_of!("{}"),
            ") d LEFT JOIN pg_database b ON b.oid = d.dbid ORDER BY 1"
        ),
        role
    )
}

/// The roles that an account is a member of: one, unless an administrator has granted it more.
pub(crate) fn groups_of(role: i64) -> String {
    format!(
        "SELECT DISTINCT g.rolname::text FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid WHERE m.member = {role} ORDER BY 1"
    )
}

/// Lets the broker act as these roles: to give away what they own, and to take back what they granted.
pub(crate) fn act_as(roles: &[Name], version: u32) -> String {
    let how = if version >= VERSION_OF_ADMIN_OPTION { " WITH INHERIT TRUE, SET TRUE" } else { "" };
    let roles: Vec<_> = roles.iter().map(Name::quoted).collect();
    format!("GRANT {} TO CURRENT_USER{how}", roles.join(", "))
}

/// Other accounts of this deployment that own anything in the database at hand.
pub(crate) fn owning_siblings(deployment: DeploymentId) -> String {
    format!(
        "SELECT DISTINCT r.rolname::text FROM pg_shdepend d JOIN pg_roles r ON r.oid = d.refobjid \
         WHERE d.refclassid = 'pg_authid'::regclass AND d.deptype = 'o' AND starts_with(r.rolname::text, {}) \
         AND d.dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))",
        literal(&deployment.account_prefix())
    )
}

/// The schemas that a role owns in the database at hand.
pub(crate) fn schemas_of(role: i64) -> String {
    format!("SELECT nspname::text FROM pg_namespace WHERE nspowner = {role}")
}

/// What a role was granted in the database at hand, if the broker's role can act as its owner: how it is called after GRANT ON, and who
/// owns it.
pub(crate) fn granted_to(role: i64) -> String {
    format!(
        "SELECT CASE d.classid WHEN 'pg_class'::regclass THEN CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END \
         WHEN 'pg_namespace'::regclass THEN 'SCHEMA' WHEN 'pg_proc'::regclass THEN 'ROUTINE' WHEN 'pg_type'::regclass THEN 'TYPE' \
         WHEN 'pg_largeobject'::regclass THEN 'LARGE OBJECT' ELSE 'DATABASE' END \
         || ' ' || (pg_identify_object(d.classid, d.objid, 0)).identity, r.rolname::text \
         FROM pg_shdepend d \
         LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid \
         LEFT JOIN pg_namespace n ON d.classid = 'pg_namespace'::regclass AND n.oid = d.objid \
         LEFT JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid \
         LEFT JOIN pg_type t ON d.classid = 'pg_type'::regclass AND t.oid = d.objid \
         LEFT JOIN pg_largeobject_metadata l ON d.classid = 'pg_largeobject'::regclass AND l.oid = d.objid \
         LEFT JOIN pg_database b ON d.classid = 'pg_database'::regclass AND b.oid = d.objid \
         JOIN pg_roles r ON r.oid = coalesce(c.relowner, n.nspowner, p.proowner, t.typowner, l.lomowner, b.datdba) \
         WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = {role} AND d.deptype = 'a' \
         AND d.dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database())) AND pg_has_role(r.oid, 'MEMBER')"
    )
}

/// Takes back what an account was granted on objects, and what it granted others there, as each object's owner. DROP OWNED is not
/// enough: the server chooses in whose name a privilege is taken back, and where the account was given the right to pass it on, may
/// choose the account itself. Nor does it take back what the account passed on as long as the account may pass it on as a member of the
/// owner; so it is none meanwhile. What an object is called comes from the server, quoted.
pub(crate) fn take_back(account: &AccountName, granted: &[(String, Name)], heir: &Heir) -> String {
    let role = role(account);
    let each = |(object, owner): &(String, Name)| {
        format!(
            "SET LOCAL ROLE {}; GRANT ALL ON {object} TO {role} WITH GRANT OPTION; REVOKE ALL ON {object} FROM {role} CASCADE; RESET ROLE; ",
            owner.quoted()
        )
    };
    let all: String = granted.iter().map(each).collect();
    match heir {
        Heir::Group(group) if !granted.is_empty() => {
            format!("REVOKE {0} FROM {role}; {all}GRANT {0} TO {role}; ", group.quoted())
        }
        Heir::Group(_) | Heir::Broker => all,
    }
}

/// The schemas of other accounts of this deployment in which the heir may make nothing.
pub(crate) fn closed_schemas_of_siblings(deployment: DeploymentId, heir: &Heir) -> String {
    format!(
        "SELECT n.nspname::text FROM pg_namespace n JOIN pg_roles r ON r.oid = n.nspowner \
         WHERE starts_with(r.rolname::text, {}) AND NOT has_schema_privilege({}, n.oid, 'CREATE')",
        literal(&deployment.account_prefix()),
        heir.value()
    )
}

/// Gives what the account owns in the database at hand to the heir, and takes back what it was granted. Its own schemas go first, and
/// closed ones are opened meanwhile: what lies in a schema can be given only to who may make things there.
pub(crate) fn hand_over(account: &AccountName, heir: &Heir, own: &[Name], closed: &[Name], take_back: &str) -> String {
    let (role, heir) = (role(account), heir.role());
    let each = |schemas: &[Name], statement: &dyn Fn(String) -> String| -> String {
        schemas.iter().map(|schema| statement(schema.quoted())).collect()
    };
    format!(
        "BEGIN; {take_back}{}{}REASSIGN OWNED BY {role} TO {heir}; DROP OWNED BY {role}; {}COMMIT",
        each(own, &|schema| format!("ALTER SCHEMA {schema} OWNER TO {heir}; ")),
        each(closed, &|schema| format!("GRANT CREATE ON SCHEMA {schema} TO {heir}; ")),
        each(closed, &|schema| format!("REVOKE CREATE ON SCHEMA {schema} FROM {heir}; "))
    )
}

/// Every role with the prefix of a deployment.
pub(crate) fn accounts(deployment: DeploymentId) -> String {
    let prefix = literal(&deployment.account_prefix());
    format!("SELECT rolname::text FROM pg_roles WHERE starts_with(rolname::text, {prefix}) ORDER BY 1")
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use cress_domain::LeaseId;

    use super::*;
    use crate::config::Tls;

    fn account() -> AccountName {
        AccountName::of("abababababab".parse().unwrap(), LeaseId::from_bytes([0x1f; 16]))
    }

    fn name(text: &str) -> Name {
        Name::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn a_role_is_made_in_one_message_whatever_its_group_is_called() {
        let access = Access {
            group: name("a'b\"; DROP ROLE postgres; --"),
            database: name("orders"),
            host: "db.example".to_owned(),
            port: 5_432,
            sslmode: Tls::VerifyFull,
            connections_max: 20,
            scram_iterations: NonZeroU32::MIN,
        };
        let made = create(&account(), &access, "SCRAM-SHA-256$1:x$y:z", Timestamp::from_unix_seconds(0));
        assert_eq!(
            made,
            "SELECT WHERE pg_advisory_xact_lock(2242545357980376863) IS NULL; \
             CREATE ROLE \"cress_abababababab_1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f\" LOGIN INHERIT NOSUPERUSER NOCREATEDB \
             NOCREATEROLE CONNECTION LIMIT 20 PASSWORD 'SCRAM-SHA-256$1:x$y:z' VALID UNTIL '1970-01-01T00:00:00.0000000Z' \
             IN ROLE \"a'b\"\"; DROP ROLE postgres; --\"; \
             ALTER ROLE \"cress_abababababab_1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f\" SET role = 'a''b\"; DROP ROLE postgres; --'"
        );
    }

    #[test]
    fn what_is_handed_over_is_given_away_before_anything_is_dropped() {
        let heir = Heir::Group(name("orders_rw"));
        let role = role(&account());
        assert_eq!(
            hand_over(&account(), &heir, &[name("o\"wn")], &[name("closed")], ""),
            format!(
                "BEGIN; ALTER SCHEMA \"o\"\"wn\" OWNER TO \"orders_rw\"; GRANT CREATE ON SCHEMA \"closed\" TO \"orders_rw\"; \
                 REASSIGN OWNED BY {role} TO \"orders_rw\"; DROP OWNED BY {role}; \
                 REVOKE CREATE ON SCHEMA \"closed\" FROM \"orders_rw\"; COMMIT"
            )
        );
        assert!(hand_over(&account(), &Heir::Broker, &[], &[], "").contains("TO CURRENT_USER;"));
    }
}
