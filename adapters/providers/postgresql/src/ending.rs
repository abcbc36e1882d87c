// SPDX-License-Identifier: Apache-2.0
//! How an account is ended: nobody is let in, its sessions end, what it owns goes to its group, it is removed. Every step may have been
//! done before. What the account did itself (another password, another default role, objects, grants, open transactions) is undone and
//! never relied on.

use std::collections::BTreeSet;
use std::time::Duration;

use cress_domain::AccountName;

use crate::error::Failure;
use crate::pool::{Borrowed, Pool};
use crate::quote::Name;
use crate::statements::{self as sql, Heir};
use crate::wire::Row;

/// How often what holds the account's own row is ended before the revocation is left for later.
const SHUT_ATTEMPTS_MAX: u32 = 8;
/// How often what appeared meanwhile is handed over before the revocation is left for later.
const ROUNDS_MAX: u32 = 3;
/// How often in a row no session has to be there: one that is being let in shows late.
const QUIET_LOOKS: u32 = 3;
const POLL_FIRST: Duration = Duration::from_millis(5);
const POLL_MAX: Duration = Duration::from_millis(200);
/// How many databases an error names.
const NAMED_MAX: usize = 5;

/// What ends accounts on one server.
pub(crate) struct Ending<'a> {
    pub(crate) pool: &'a Pool,
    /// The group roles of all configured credentials.
    pub(crate) groups: &'a BTreeSet<Name>,
    pub(crate) account: &'a AccountName,
}

/// What was seen of a role.
#[derive(Debug, Clone, Copy)]
struct Seen {
    number: i64,
    sessions: i64,
    dependencies: i64,
}

/// Whose rights are needed to take back what others granted to the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rights {
    /// The account's own.
    Own,
    /// Those of the deployment's other accounts too: one may have granted something of its own to this one.
    Siblings,
}

impl Ending<'_> {
    /// Ends the account, or finds that it has been ended. The number of the role that was removed.
    pub(crate) async fn run(&self) -> Result<Option<i64>, Failure> {
        let Some(seen) = self.shut().await? else { return Ok(None) };
        match self.clear_and_remove(seen).await {
            // Another call of the same, or somebody by hand, may have been faster.
            Err(failure) if failure.is_an_answer() && self.look().await?.is_none() => Ok(Some(seen.number)),
            outcome => outcome.map(|()| Some(seen.number)),
        }
    }

    async fn clear_and_remove(&self, mut seen: Seen) -> Result<(), Failure> {
        let busy = seen.sessions > 0;
        if busy {
            self.wait_for_sessions(seen.number).await?;
            let Some(again) = self.look().await? else { return Ok(()) };
            seen = again;
        }
        if seen.dependencies > 0 {
            self.hand_over(seen.number, Rights::Own).await?;
        }
        self.remove(seen.number).await?;
        // Where there were sessions, somebody may be trying to get in all the time.
        if busy { self.wait_for_sessions(seen.number).await } else { Ok(()) }
    }

    /// Lets nobody in any more, and tells the sessions to end.
    async fn shut(&self) -> Result<Option<Seen>, Failure> {
        let mut attempt = 1;
        loop {
            let statements = format!("{}; {}", sql::shut(self.account), sql::end_sessions(self.account));
            let mut session = self.pool.take().await?;
            match session.rows(statements).await {
                Ok(rows) => return seen(&rows),
                Err(failure) if failure.is_missing_role() => return Ok(None),
                // A session of the account may hold its row by a statement of its own, such as ALTER ROLE without a COMMIT.
                Err(failure) if failure.is_in_use() && attempt < SHUT_ATTEMPTS_MAX => {
                    session.run(sql::end_sessions(self.account)).await?;
                    attempt += 1;
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    async fn look(&self) -> Result<Option<Seen>, Failure> {
        let mut session = self.pool.take().await?;
        seen(&session.rows(sql::end_sessions(self.account)).await?)
    }

    /// Tells the sessions to end until none is left, nor any appears.
    async fn wait_for_sessions(&self, number: i64) -> Result<(), Failure> {
        let waited = self.pool.server().limits.session_end_timeout;
        let mut left = 0;
        let poll = async {
            let (mut pause, mut quiet) = (POLL_FIRST, 0);
            loop {
                let mut session = self.pool.take().await?;
                left = count(&session.rows(sql::end_sessions_of(&[number])).await?)?;
                drop(session);
                quiet = if left == 0 { quiet + 1 } else { 0 };
                if quiet == QUIET_LOOKS {
                    return Ok(());
                }
                tokio::time::sleep(pause).await;
                pause = pause.saturating_mul(2).min(POLL_MAX);
            }
        };
        let ended = tokio::time::timeout(waited, poll).await;
        ended.unwrap_or_else(|_elapsed| {
            Err(Failure::Sessions { account: self.account.to_string(), sessions: left, waited })
        })
    }

    /// Removes the role, handing over what has appeared since it was looked at.
    async fn remove(&self, number: i64) -> Result<(), Failure> {
        let mut round = 1;
        loop {
            let mut session = self.pool.take().await?;
            let removed = session.rows(sql::drop_role(self.account, number)).await;
            drop(session);
            match removed {
                Ok(rows) if count(&rows)? == 0 => return Ok(()),
                // One that was being let in when the role was shut.
                Ok(_) => return self.wait_for_sessions(number).await,
                Err(failure) if failure.is_still_needed() && round < ROUNDS_MAX => {
                    self.hand_over(number, Rights::Siblings).await?;
                    round += 1;
                }
                Err(failure) if failure.is_still_needed() => return Err(self.explain(number).await?),
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Gives what the account owns to its group, in every database where it owns or is granted anything.
    async fn hand_over(&self, number: i64, rights: Rights) -> Result<(), Failure> {
        match self.hand_over_with(number, rights).await {
            Err(failure) if failure.is_denied() && rights == Rights::Own => {}
            outcome => return outcome,
        }
        match self.hand_over_with(number, Rights::Siblings).await {
            Err(failure) if failure.is_denied() => Err(self.explain(number).await?),
            outcome => outcome,
        }
    }

    async fn hand_over_with(&self, number: i64, rights: Rights) -> Result<(), Failure> {
        let heir = self.heir(number).await?;
        self.act_as(&[account_name(self.account)?]).await?;
        for database in self.databases(number).await? {
            // What all databases share can be handed over in any of them.
            let database = database.as_ref().unwrap_or(&self.pool.server().database);
            self.hand_over_in(database, number, &heir, rights).await.map_err(|failure| within(database, failure))?;
        }
        Ok(())
    }

    async fn hand_over_in(&self, database: &Name, number: i64, heir: &Heir, rights: Rights) -> Result<(), Failure> {
        let mut session = self.pool.take_in(database).await?;
        let (mut closed, mut take_back) = (Vec::new(), String::new());
        if rights == Rights::Siblings {
            self.act_as_siblings(&mut session).await?;
            closed = names(&session.rows(sql::closed_schemas_of_siblings(self.account.deployment(), heir)).await?)?;
            let granted = session.rows(sql::granted_to(number)).await?;
            let granted =
                granted.iter().map(|row| Ok((row.text(0)?, row.name(1)?))).collect::<Result<Vec<_>, Failure>>()?;
            take_back = sql::take_back(self.account, &granted, heir);
        }
        let own = names(&session.rows(sql::schemas_of(number)).await?)?;
        closed.retain(|schema| !own.contains(schema));
        session.run(sql::hand_over(self.account, heir, &own, &closed, &take_back)).await
    }

    async fn act_as_siblings(&self, session: &mut Borrowed<'_>) -> Result<(), Failure> {
        let siblings = names(&session.rows(sql::owning_siblings(self.account.deployment())).await?)?;
        if siblings.is_empty() {
            return Ok(());
        }
        let version = session.version();
        session.run(sql::act_as(&siblings, version)).await
    }

    async fn act_as(&self, roles: &[Name]) -> Result<(), Failure> {
        let mut session = self.pool.take().await?;
        let version = session.version();
        session.run(sql::act_as(roles, version)).await
    }

    async fn databases(&self, number: i64) -> Result<Vec<Option<Name>>, Failure> {
        let mut session = self.pool.take().await?;
        let rows = session.rows(sql::databases_of(number)).await?;
        rows.iter().map(|row| row.optional_name(0)).collect()
    }

    /// Who gets what the account owns. What it says of itself (its default role) is not asked.
    async fn heir(&self, number: i64) -> Result<Heir, Failure> {
        let mut session = self.pool.take().await?;
        let groups = names(&session.rows(sql::groups_of(number)).await?)?;
        let group = groups.iter().find(|group| self.groups.contains(group)).or(groups.first());
        Ok(group.map_or(Heir::Broker, |group| Heir::Group(group.clone())))
    }

    /// Where something is left that the broker's role may not change.
    async fn explain(&self, number: i64) -> Result<Failure, Failure> {
        let databases = self.databases(number).await?;
        let named = databases.iter().flatten().take(NAMED_MAX).map(Name::as_str).collect::<Vec<_>>().join(", ");
        Ok(Failure::Unfit(format!(
            "{0} is locked out and has no sessions, but something that the broker's role may not change depends on it, in: {named}; as a \
             superuser run there REASSIGN OWNED BY {0} TO its group, and DROP OWNED BY {0}",
            self.account
        )))
    }
}

fn account_name(account: &AccountName) -> Result<Name, Failure> {
    Name::try_from(account.to_string()).map_err(|error| Failure::Unexpected(error.to_string()))
}

fn names(rows: &[Row]) -> Result<Vec<Name>, Failure> {
    rows.iter().map(|row| row.name(0)).collect()
}

fn seen(rows: &[Row]) -> Result<Option<Seen>, Failure> {
    let see = |row: &Row| Ok(Seen { number: row.number(0)?, sessions: row.number(1)?, dependencies: row.number(2)? });
    rows.last().map(see).transpose()
}

fn count(rows: &[Row]) -> Result<i64, Failure> {
    rows.last().ok_or_else(|| Failure::Unexpected("no count of sessions".to_owned()))?.number(0)
}

/// Says in which database it failed.
fn within(database: &Name, failure: Failure) -> Failure {
    match failure {
        Failure::Server { code, message } => {
            Failure::Server { code, message: format!("in the database {database}: {message}") }
        }
        failure => failure,
    }
}
