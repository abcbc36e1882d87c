// SPDX-License-Identifier: Apache-2.0
//! A workload with a credential, connecting by a client library that knows nothing of the provider.

use cress_provider::Issued;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, raw_sql};

use crate::site::text;

pub(crate) struct Tenant(PgConnection);

impl Tenant {
    /// Connects with the URL alone, to the database that it names.
    pub(crate) async fn connect(issued: &Issued) -> Result<Self, sqlx::Error> {
        Self::connect_to(issued, &text(issued, "database")).await
    }

    pub(crate) async fn connect_to(issued: &Issued, database: &str) -> Result<Self, sqlx::Error> {
        let options: PgConnectOptions = text(issued, "url").parse().expect("a connection URI");
        let options = options.database(database).disable_statement_logging();
        PgConnection::connect_with(&options).await.map(Self)
    }

    pub(crate) async fn run(&mut self, statements: &str) -> Result<(), sqlx::Error> {
        raw_sql(AssertSqlSafe(statements.to_owned())).execute(&mut self.0).await.map(|_| ())
    }

    /// Runs what must succeed.
    pub(crate) async fn must(&mut self, statements: &str) {
        self.run(statements).await.unwrap_or_else(|error| panic!("{statements}: {error}"));
    }

    pub(crate) async fn is_alive(&mut self) -> bool {
        self.run("SELECT count(*) FROM app.orders").await.is_ok()
    }
}

/// Whether the server let nobody in with this credential; anything else that went wrong fails the test.
pub(crate) fn is_refused(connected: &Result<Tenant, sqlx::Error>) -> bool {
    match connected {
        Ok(_) => false,
        Err(sqlx::Error::Database(error)) => match error.code().as_deref() {
            Some("28P01" | "28000") => true,
            code => panic!("expected a refusal, got {code:?}: {error}"),
        },
        Err(error) => panic!("expected a refusal, got {error}"),
    }
}
