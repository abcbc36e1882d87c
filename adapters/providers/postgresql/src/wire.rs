// SPDX-License-Identifier: Apache-2.0
//! One connection to a server: how it is opened, and how statements go over it. Each call is one message and one answer of the simple
//! query protocol, since roles can be made in no other way than by whole statements.

use std::time::Duration;

use cress_domain::Secret;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row as _, raw_sql};
use tokio::time::timeout;

use crate::config::{Server, Tls};
use crate::error::Failure;
use crate::quote::Name;

/// How much longer than a statement's own time limit its answer may take.
const ANSWER_TIME: Duration = Duration::from_secs(2);
/// How long a connection that has rested gets to show that it works.
const PING_TIMEOUT: Duration = Duration::from_secs(1);

/// The oldest version whose roles are understood, as `server_version_num`.
pub(crate) const VERSION_MIN: u32 = 150_000;
/// From this one on, CREATEROLE alone changes nothing of others' roles: ADMIN OPTION is needed.
pub(crate) const VERSION_OF_ADMIN_OPTION: u32 = 160_000;

/// An open connection.
#[derive(Debug)]
pub(crate) struct Session {
    connection: PgConnection,
    version: u32,
    patience: Duration,
    state: State,
}

/// What the server makes of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    /// A statement failed: what was open has to be rolled back.
    Failed,
    /// An answer is outstanding, or will never come.
    InDoubt,
}

/// One row of an answer. Statements cast to text whatever is not one.
pub(crate) struct Row(PgRow);

impl Session {
    /// Connects. Everything is said, so that nothing is taken from the environment's PG variables.
    pub(crate) async fn open(
        server: &Server,
        database: &Name,
        password: Option<&Secret<String>>,
    ) -> Result<Self, Failure> {
        let options = options(server, database, password);
        let limit = server.limits.connect_timeout;
        let opening = async {
            let connection = PgConnection::connect_with(&options).await?;
            let patience = server.limits.statement_timeout.saturating_add(ANSWER_TIME);
            let mut session = Self { connection, version: 0, patience, state: State::Idle };
            session.begin(server).await?;
            Ok(session)
        };
        timeout(limit, opening).await.map_err(|_elapsed| Failure::Silent(limit))?
    }

    /// Pins what a statement's meaning depends on, and looks whom it talks to.
    async fn begin(&mut self, server: &Server) -> Result<(), Failure> {
        let rows = self.rows(pinned(server)).await?;
        let answer = rows.last().ok_or_else(|| Failure::Unexpected("no version".to_owned()))?;
        self.version = u32::try_from(answer.number(0)?).unwrap_or(0);
        if self.version < VERSION_MIN {
            return Err(Failure::Unfit(format!("expected PostgreSQL 15 or newer, got {}", answer.text(1)?)));
        }
        if answer.flag(2)? { Err(Failure::Standby) } else { Ok(()) }
    }

    /// `server_version_num`.
    pub(crate) const fn version(&self) -> u32 {
        self.version
    }

    /// Whether it may be used again.
    pub(crate) const fn is_good(&self) -> bool {
        !matches!(self.state, State::InDoubt)
    }

    /// Runs statements, and returns the rows of all of them. Without BEGIN they are one transaction.
    pub(crate) async fn rows(&mut self, statements: String) -> Result<Vec<Row>, Failure> {
        let statements = match self.state {
            State::Failed => format!("ROLLBACK; {statements}"),
            State::Idle | State::InDoubt => statements,
        };
        self.state = State::InDoubt;
        let answer = raw_sql(AssertSqlSafe(statements)).fetch_all(&mut self.connection);
        let answer = timeout(self.patience, answer).await.map_err(|_elapsed| Failure::Silent(self.patience))?;
        match answer.map_err(Failure::from) {
            Ok(rows) => {
                self.state = State::Idle;
                Ok(rows.into_iter().map(Row).collect())
            }
            Err(failure) => {
                // What ends the connection is an answer as well, and the next statement finds it broken.
                if failure.is_an_answer() && !failure.ends_the_connection() {
                    self.state = State::Failed;
                }
                Err(failure)
            }
        }
    }

    /// Whether the server still answers.
    pub(crate) async fn answers(&mut self) -> bool {
        matches!(timeout(PING_TIMEOUT, self.connection.ping()).await, Ok(Ok(())))
    }
}

impl Row {
    pub(crate) fn text(&self, column: usize) -> Result<String, Failure> {
        self.0.try_get(column).map_err(|error| Failure::Unexpected(error.to_string()))
    }

    pub(crate) fn number(&self, column: usize) -> Result<i64, Failure> {
        let text = self.text(column)?;
        text.parse().map_err(|_| Failure::Unexpected(format!("{text:?} instead of a number")))
    }

    /// A boolean as text.
    pub(crate) fn flag(&self, column: usize) -> Result<bool, Failure> {
        Ok(self.text(column)? == "true")
    }

    /// A name, or null.
    pub(crate) fn optional_name(&self, column: usize) -> Result<Option<Name>, Failure> {
        let text: Option<String> = self.0.try_get(column).map_err(|error| Failure::Unexpected(error.to_string()))?;
        let name = text.map(Name::try_from).transpose();
        name.map_err(|error| Failure::Unexpected(error.to_string()))
    }

    pub(crate) fn name(&self, column: usize) -> Result<Name, Failure> {
        Name::try_from(self.text(column)?).map_err(|error| Failure::Unexpected(error.to_string()))
    }
}

fn options(server: &Server, database: &Name, password: Option<&Secret<String>>) -> PgConnectOptions {
    let mut options = PgConnectOptions::new_without_pgpass()
        .host(&server.host)
        .port(server.port)
        .username(server.user.as_str())
        .password(password.map_or("", |password| password.expose()))
        .database(database.as_str())
        .ssl_mode(match server.tls {
            Tls::VerifyFull => PgSslMode::VerifyFull,
            Tls::VerifyCa => PgSslMode::VerifyCa,
            Tls::Prefer => PgSslMode::Prefer,
            Tls::Disable => PgSslMode::Disable,
        })
        .application_name("cress broker")
        // The statements have verifiers of passwords in them.
        .disable_statement_logging();
    if let Some(file) = &server.root_certificates {
        options = options.ssl_root_cert(file);
    }
    if let Some(client) = &server.client_certificate {
        options = options.ssl_client_cert(&client.certificate).ssl_client_key(&client.key);
    }
    options
}

/// Names mean what they mean in the catalog, whatever a tenant has made in a schema; a text is read in one way; nothing waits for ever.
/// A role that was reported as made or ended survives a crash of the server.
fn pinned(server: &Server) -> String {
    let limits = server.limits;
    format!(
        "SET search_path = pg_catalog; SET standard_conforming_strings = on; SET client_min_messages = error; \
         SET statement_timeout = {}; SET lock_timeout = {}; SET idle_in_transaction_session_timeout = {}; \
         SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'; \
         SELECT current_setting('server_version_num'), current_setting('server_version'), pg_is_in_recovery()::text",
        limits.statement_timeout.as_millis(),
        limits.lock_timeout.as_millis(),
        limits.statement_timeout.as_millis()
    )
}
