// SPDX-License-Identifier: Apache-2.0
//! What an operator is told of a server and of a group role before anyone asks for a credential. What a right is for is tried out where
//! it can be rolled back.

use std::time::Duration;

use cress_domain::Timestamp;
use cress_provider::Finding;

use crate::config::{Access, is_local};
use crate::error::Failure;
use crate::pool::{Borrowed, Pool};
use crate::quote::Name;
use crate::refusals::{self, Verdict};
use crate::wire::{Row, VERSION_OF_ADMIN_OPTION};

/// By this much the server's clock may differ: passwords end by it.
const CLOCK_DIFFERENCE_MAX: Duration = Duration::from_secs(30);
/// How many databases a finding names.
const NAMED_MAX: usize = 5;

const SERVER: &str = "SELECT current_setting('server_version'), r.rolname::text, r.rolsuper::text, r.rolcreaterole::text, \
    pg_has_role(r.oid, 'pg_signal_backend', 'USAGE')::text, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint::text, \
    coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false)::text \
    FROM pg_roles r WHERE r.rolname = current_user";

/// Databases in which a leased role might leave something that the broker's role could not reach.
const CLOSED_DATABASES: &str = "SELECT datname::text FROM pg_database \
    WHERE datallowconn AND NOT has_database_privilege(oid, 'CONNECT') ORDER BY 1";

/// What is to be said of the server.
pub(crate) async fn of_server(pool: &Pool) -> Result<Vec<Finding>, Failure> {
    let mut session = pool.take().await?;
    let rows = session.rows(SERVER.to_owned()).await?;
    let server = rows.last().ok_or_else(|| Failure::Unexpected("a role that is not there".to_owned()))?;
    let role = server.text(1)?;
    let mut findings = vec![Finding::Good(format!("PostgreSQL {} lets {role} in", server.text(0)?))];
    findings.push(superuser(&role, server.flag(2)?));
    findings.push(right(
        server.flag(3)? || server.flag(2)?,
        format!("{role} may make roles"),
        format!("ALTER ROLE {role} CREATEROLE"),
    ));
    findings.push(right(
        server.flag(4)?,
        format!("{role} may end sessions"),
        format!("GRANT pg_signal_backend TO {role}"),
    ));
    findings.push(clock(Timestamp::from_unix_microseconds(server.number(5)?), pool.clock().now()));
    if !server.flag(6)? && !is_local(&pool.server().host) {
        findings.push(Finding::Bad("the connection is not encrypted".to_owned()));
    }
    let closed = session.rows(CLOSED_DATABASES.to_owned()).await?;
    findings.extend(closed_databases(&role, &closed)?);
    Ok(findings)
}

fn superuser(role: &str, superuser: bool) -> Finding {
    if superuser {
        return Finding::Doubtful(format!(
            "{role} is a superuser, which the broker need not be: whoever gets hold of it has everything"
        ));
    }
    Finding::Good(format!("{role} is no superuser"))
}

fn right(held: bool, what: String, remedy: String) -> Finding {
    if held { Finding::Good(what) } else { Finding::Bad(format!("expected that {what}; as a superuser run {remedy}")) }
}

fn clock(theirs: Timestamp, ours: Timestamp) -> Finding {
    let difference = theirs.saturating_since(ours).max(ours.saturating_since(theirs));
    if difference <= CLOCK_DIFFERENCE_MAX {
        return Finding::Good("its clock agrees with ours".to_owned());
    }
    Finding::Doubtful(format!(
        "its clock differs from ours by {} seconds; passwords end by its clock",
        difference.as_secs()
    ))
}

fn closed_databases(role: &str, rows: &[Row]) -> Result<Option<Finding>, Failure> {
    let names = rows.iter().take(NAMED_MAX).map(|row| row.text(0)).collect::<Result<Vec<_>, _>>()?;
    if names.is_empty() {
        return Ok(None);
    }
    Ok(Some(Finding::Doubtful(format!(
        "{role} may not connect to {} database(s), so what leased roles leave there cannot be handed over; GRANT CONNECT on: {}",
        rows.len(),
        names.join(", ")
    ))))
}

/// What is to be said of a credential.
pub(crate) async fn of_access(pool: &Pool, access: &Access, probe: &Name) -> Result<Vec<Finding>, Failure> {
    let mut session = pool.take().await?;
    let verdict = verdict(&mut session, &access.group).await?;
    let mut findings: Vec<_> = verdict.refused.iter().cloned().map(Finding::Bad).collect();
    findings.extend(verdict.doubtful.iter().cloned().map(Finding::Doubtful));
    if verdict.refused.is_empty() {
        findings.push(Finding::Good(format!("{} is a role that may be given out", access.group)));
        findings.push(trial(&mut session, access, &pool.server().user, probe).await?);
        findings.push(heir(&mut session, access).await?);
        findings.push(connect_right(&mut session, access).await?);
    }
    findings.push(database(&mut session, access).await?);
    Ok(findings)
}

/// Judges a group role now.
pub(crate) async fn verdict(session: &mut Borrowed<'_>, group: &Name) -> Result<Verdict, Failure> {
    let rows = session.rows(refusals::query(group)).await?;
    Ok(refusals::judge(group, &refusals::read(&rows)?))
}

/// Makes a member of the group, and takes it back: what the right is called differs by version, what it does not.
async fn trial(session: &mut Borrowed<'_>, access: &Access, broker: &Name, probe: &Name) -> Result<Finding, Failure> {
    let (role, group) = (probe.quoted(), &access.group);
    let statements = format!(
        "BEGIN; CREATE ROLE {role} NOLOGIN IN ROLE {}; ALTER ROLE {role} SET role = {}; ROLLBACK",
        group.quoted(),
        group.literal()
    );
    match session.run(statements).await {
        Ok(()) => Ok(Finding::Good(format!("members of {group} can be made"))),
        Err(failure) if failure.is_an_answer() => Ok(Finding::Bad(format!(
            "members of {group} cannot be made: {failure}; as a superuser run GRANT {} TO {} WITH ADMIN OPTION",
            group.quoted(),
            broker.quoted()
        ))),
        Err(failure) => Err(failure),
    }
}

/// Whether the broker's role may give the group what leased roles leave.
async fn heir(session: &mut Borrowed<'_>, access: &Access) -> Result<Finding, Failure> {
    let rights: &[&str] = if session.version() >= VERSION_OF_ADMIN_OPTION { &["USAGE", "SET"] } else { &["USAGE"] };
    let has = rights.iter().map(|right| format!("pg_has_role({}, '{right}')", access.group.literal()));
    let rows = session.rows(format!("SELECT ({})::text", has.collect::<Vec<_>>().join(" AND "))).await?;
    if answer(&rows)? {
        return Ok(Finding::Good(format!("what its members leave can be handed over to {}", access.group)));
    }
    Ok(Finding::Bad(format!(
        "what members of {0} leave cannot be handed over to it; GRANT {1} TO the broker's role, with INHERIT and SET",
        access.group,
        access.group.quoted()
    )))
}

async fn connect_right(session: &mut Borrowed<'_>, access: &Access) -> Result<Finding, Failure> {
    let query = format!(
        "SELECT coalesce(bool_or(has_database_privilege({}, oid, 'CONNECT')), false)::text FROM pg_database WHERE datname = {}",
        access.group.literal(),
        access.database.literal()
    );
    let rows = session.rows(query).await?;
    let (group, database) = (&access.group, &access.database);
    if answer(&rows)? {
        return Ok(Finding::Good(format!("{group} may connect to {database}")));
    }
    Ok(Finding::Bad(format!(
        "{group} may not connect to {database}; GRANT CONNECT ON DATABASE {} TO {}",
        database.quoted(),
        group.quoted()
    )))
}

/// Whether the broker's role reaches the database, to hand over what is left there.
async fn database(session: &mut Borrowed<'_>, access: &Access) -> Result<Finding, Failure> {
    let database = &access.database;
    let query = format!(
        "SELECT has_database_privilege(oid, 'CONNECT')::text FROM pg_database WHERE datname = {}",
        database.literal()
    );
    let rows = session.rows(query).await?;
    Ok(match rows.last().map(|row| row.flag(0)).transpose()? {
        None => Finding::Bad(format!("there is no database {database}")),
        Some(false) => {
            Finding::Bad(format!("{database} does not let the broker's role in, to hand over what is left there"))
        }
        Some(true) => Finding::Good(format!("{database} lets the broker's role in")),
    })
}

fn answer(rows: &[Row]) -> Result<bool, Failure> {
    rows.last().ok_or_else(|| Failure::Unexpected("no answer".to_owned()))?.flag(0)
}

/// The name of a role for [`trial`], which no other one has.
pub(crate) fn probe(number: u64) -> Result<Name, Failure> {
    Name::try_from(format!("cress_check_{number:016x}")).map_err(|error| Failure::Unexpected(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_wrong_in_either_direction_is_told() {
        let ours = Timestamp::from_unix_seconds(1_000_000);
        for (theirs, good) in [(1_000_000, true), (1_000_030, true), (1_000_031, false), (999_969, false)] {
            let finding = clock(Timestamp::from_unix_seconds(theirs), ours);
            assert_eq!(matches!(finding, Finding::Good(_)), good, "{finding:?}");
        }
    }
}
