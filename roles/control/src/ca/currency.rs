// SPDX-License-Identifier: Apache-2.0
//! How current the list of authorities is, and that it is told when it is not: a replica that cannot follow the store goes on trusting an
//! authority that an operator retired elsewhere, perhaps because it was stolen.

use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use super::{CaError, CertificateAuthority};

/// How old the list may be.
pub(super) const AGE_MAX: Duration = Duration::from_secs(60);

/// What the last look at the store gave.
#[derive(Debug, Clone, Copy)]
pub(super) struct ListState {
    /// When the store was asked, on the monotonic clock.
    pub(super) read_at: Duration,
    /// How many authorities could not be used.
    pub(super) unusable: usize,
    /// When the database refused for good to clean up after removed ones.
    pub(super) scrub_refused_at: Option<Duration>,
}

/// The list is not current.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotCurrent {
    /// It could not be read for too long.
    #[error(
        "the certificate authorities could not be read from the store for {} s, so that one that was retired since then is trusted here still; the log says why",
        .0.as_secs()
    )]
    Old(Duration),
    /// Some authorities are left out.
    #[error("{0} of the stored certificate authorities cannot be used here and are left out; `cress doctor` says why")]
    Incomplete(usize),
}

impl CertificateAuthority {
    /// Whether everything that the store had lately counts here.
    ///
    /// # Errors
    /// [`NotCurrent`]
    pub(crate) fn check_current(&self) -> Result<(), NotCurrent> {
        let (age, unusable) = (self.list_age(), self.unusable());
        if age > AGE_MAX {
            return Err(NotCurrent::Old(age));
        }
        if unusable > 0 { Err(NotCurrent::Incomplete(unusable)) } else { Ok(()) }
    }

    /// How long ago the store was read.
    pub(crate) fn list_age(&self) -> Duration {
        self.0.clock.monotonic().saturating_sub(self.list_state().read_at)
    }

    /// How many of the stored authorities are of no use here.
    pub(crate) fn unusable(&self) -> usize {
        self.list_state().unusable
    }

    pub(super) fn note_list(&self, read_at: Duration, unusable: usize) {
        let mut state = self.list_state();
        (state.read_at, state.unusable) = (read_at, unusable);
    }

    pub(super) fn list_state(&self) -> MutexGuard<'_, ListState> {
        self.0.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was said already: the same is not said every two seconds.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    failing: bool,
    old: bool,
}

impl Complaints {
    pub(super) fn note(&mut self, outcome: &Result<(), CaError>, current: Result<(), NotCurrent>) {
        match outcome {
            Ok(()) if self.failing => tracing::info!("certificate authorities are followed again"),
            Ok(()) => {}
            Err(error) if self.failing => tracing::debug!(%error, "certificate authorities cannot be followed"),
            Err(error) => tracing::warn!(%error, "certificate authorities cannot be followed; trying again"),
        }
        let is_old = matches!(current, Err(NotCurrent::Old(_)));
        if let Err(not_current) = current
            && is_old
            && !self.old
        {
            tracing::error!("{not_current}");
        }
        (self.failing, self.old) = (outcome.is_err(), is_old);
    }
}
