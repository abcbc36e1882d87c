// SPDX-License-Identifier: Apache-2.0
//! The connections to a server: a bounded number over all of its databases, each used again as long as it can be trusted. A connection
//! whose answer is outstanding, since it failed or since nobody waited for it any more, is closed and never used again.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cress_domain::{Clock, Secret};
use cress_provider::{SecretError, SecretReader};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::config::Server;
use crate::error::Failure;
use crate::quote::Name;
use crate::wire::{Row, Session};

/// A connection that has rested for longer shows that it works before it is used: something between may have forgotten it.
const TRUSTED_FOR: Duration = Duration::from_secs(5);
/// No connection is used for longer, so that a password that was changed, and memory that piled up, are not kept for ever.
const AGE_MAX: Duration = Duration::from_secs(30 * 60);

/// All connections to one server.
pub(crate) struct Pool {
    server: Server,
    clock: Arc<dyn Clock>,
    secrets: Arc<dyn SecretReader>,
    permits: Semaphore,
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    open: Open,
    since: Duration,
}

struct Open {
    session: Session,
    database: Name,
    opened_at: Duration,
}

/// A connection in use. It goes back when dropped, if it is good.
pub(crate) struct Borrowed<'a> {
    pool: &'a Pool,
    open: Option<Open>,
    _permit: SemaphorePermit<'a>,
}

impl Pool {
    pub(crate) fn new(server: Server, clock: Arc<dyn Clock>, secrets: Arc<dyn SecretReader>) -> Self {
        let permits = Semaphore::new(usize::try_from(server.limits.connections_max).unwrap_or(1));
        Self { server, clock, secrets, permits, idle: Mutex::default() }
    }

    pub(crate) const fn server(&self) -> &Server {
        &self.server
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    /// A connection to the database where the broker's role works.
    pub(crate) async fn take(&self) -> Result<Borrowed<'_>, Failure> {
        self.take_in(&self.server.database).await
    }

    /// A connection to this database. Whoever has one must not wait for another: all could be waiting so.
    pub(crate) async fn take_in(&self, database: &Name) -> Result<Borrowed<'_>, Failure> {
        let limits = self.server.limits;
        let acquiring = timeout(limits.acquire_timeout, self.permits.acquire()).await;
        let Ok(Ok(permit)) = acquiring else {
            return Err(Failure::Busy { connections_max: limits.connections_max, waited: limits.acquire_timeout });
        };
        let open = match self.rested(database).await {
            Some(open) => open,
            None => self.open(database).await.inspect_err(|_failed| self.lose_trust())?,
        };
        Ok(Borrowed { pool: self, open: Some(open), _permit: permit })
    }

    /// A connection that was used before and works.
    async fn rested(&self, database: &Name) -> Option<Open> {
        loop {
            let mut idle = self.pick(database)?;
            let now = self.clock.monotonic();
            if now.saturating_sub(idle.open.opened_at) > AGE_MAX {
                continue;
            }
            if now.saturating_sub(idle.since) <= TRUSTED_FOR || idle.open.session.answers().await {
                return Some(idle.open);
            }
        }
    }

    fn pick(&self, database: &Name) -> Option<Idle> {
        let mut idle = self.idle();
        let place = idle.iter().rposition(|each| each.open.database == *database)?;
        Some(idle.remove(place))
    }

    async fn open(&self, database: &Name) -> Result<Open, Failure> {
        self.make_room();
        let password = self.password().await?;
        let session = Session::open(&self.server, database, password.as_ref()).await?;
        Ok(Open { session, database: database.clone(), opened_at: self.clock.monotonic() })
    }

    /// Reads the password anew, so that it can be changed while the broker runs.
    async fn password(&self) -> Result<Option<Secret<String>>, Failure> {
        let Some(reference) = self.server.password.clone() else { return Ok(None) };
        let secrets = Arc::clone(&self.secrets);
        let reading = tokio::task::spawn_blocking(move || secrets.read(&reference)).await;
        Ok(Some(reading.map_err(|error| SecretError(error.to_string()))??))
    }

    /// Closes the connection that has rested longest, in whichever database, if those that rest and those in use are too many.
    fn make_room(&self) {
        let mut idle = self.idle();
        if idle.len() > self.permits.available_permits() {
            idle.remove(0);
        }
    }

    /// Where one connection broke, the others are hardly better.
    fn lose_trust(&self) {
        self.idle().clear();
    }

    fn give_back(&self, open: Open) {
        let since = self.clock.monotonic();
        self.idle().push(Idle { open, since });
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Pool").field("server", &self.server).finish_non_exhaustive()
    }
}

impl Borrowed<'_> {
    /// Runs statements whose answers do not matter.
    pub(crate) async fn run(&mut self, statements: String) -> Result<(), Failure> {
        self.rows(statements).await.map(|_rows| ())
    }

    /// [`Session::rows`]
    pub(crate) async fn rows(&mut self, statements: String) -> Result<Vec<Row>, Failure> {
        let open = self.open.as_mut().ok_or_else(|| Failure::Broken("it was closed".to_owned()))?;
        let answer = open.session.rows(statements).await;
        if !open.session.is_good() {
            self.pool.lose_trust();
        }
        answer
    }

    /// [`Session::version`]
    pub(crate) fn version(&self) -> u32 {
        self.open.as_ref().map_or(0, |open| open.session.version())
    }
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        if let Some(open) = self.open.take().filter(|open| open.session.is_good()) {
            self.pool.give_back(open);
        }
    }
}
