// SPDX-License-Identifier: Apache-2.0
//! What the broker's repository takes and gives.

use std::fmt;
use std::str::FromStr;

use cress_domain::{CredentialName, Issuer, LeaseId, ProviderName, Timestamp};

use super::Owner;
use crate::Sealed;

/// Where a lease stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LeaseStatus {
    /// Written down, before the credential is made.
    Intended,
    /// The credential is good.
    Active,
    /// It is being ended, or waits for its end where nothing else ends it.
    Revoking,
    /// It is over, and kept for a while for those who look.
    Gone,
}

/// A text that is no status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected intended, active, revoking or gone as the status of a lease")]
pub struct LeaseStatusError;

impl LeaseStatus {
    /// The status as a word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Intended => "intended",
            Self::Active => "active",
            Self::Revoking => "revoking",
            Self::Gone => "gone",
        }
    }
}

impl fmt::Display for LeaseStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for LeaseStatus {
    type Err = LeaseStatusError;
    fn from_str(text: &str) -> Result<Self, LeaseStatusError> {
        [Self::Intended, Self::Active, Self::Revoking, Self::Gone]
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or(LeaseStatusError)
    }
}

/// How a lease ends when it is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// By itself: nothing is left of it anywhere.
    Lapses,
    /// By its provider, which removes an account.
    Revoked,
}

/// How many leases of one credential may be good at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    /// Of one owner.
    pub per_owner: u32,
    /// Of one container group.
    pub per_group: u32,
}

/// A lease that is to be written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLease {
    /// Its id.
    pub id: LeaseId,
    /// Of which credential.
    pub credential: CredentialName,
    /// At which target.
    pub provider: ProviderName,
    /// Whose it is.
    pub owner: Owner,
    /// Of which container group its owner is.
    pub group_id: Option<String>,
    /// How it ends.
    pub ending: Ending,
    /// When it was decided.
    pub granted_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Until when it may live with all renewals.
    pub renew_until: Timestamp,
    /// Until when its credential has to be made; none if it is good as soon as it is written.
    pub intended_until: Option<Timestamp>,
    /// How many there may be.
    pub caps: Caps,
    /// What its answer is found by, if it is to be given again.
    pub answer: Option<NewAnswer>,
}

/// An answer that is to be given again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAnswer {
    /// What it is found by.
    pub key: [u8; 32],
    /// What was asked for.
    pub request: [u8; 32],
    /// Until when it is given again.
    pub until: Timestamp,
    /// The answer itself, if it is known already.
    pub sealed: Option<Sealed>,
}

/// What became of a lease that was to be written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intention {
    /// It is written down.
    Written,
    /// Its owner has as many as it may have.
    TooManyOfOwner,
    /// Its container group has as many as it may have.
    TooManyOfGroup,
    /// The key of its answer was used for another request.
    KeyReused,
    /// The first answer is still being made.
    InProgress,
    /// This was the answer.
    Answered(KeptAnswer),
}

/// An answer that is given again. Its lease is still good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAnswer {
    /// Its lease.
    pub lease: LeaseId,
    /// When that ends now.
    pub expires_at: Timestamp,
    /// Until when it may live with all renewals.
    pub renew_until: Timestamp,
    /// The answer.
    pub sealed: Sealed,
}

/// A lease whose credential has been made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activation {
    /// The lease.
    pub lease: LeaseId,
    /// When its credential ends, if that is earlier than was decided.
    pub expires_at: Option<Timestamp>,
    /// The key of its answer and the answer, if it is to be given again.
    pub answer: Option<([u8; 32], Sealed)>,
}

/// A lease whose credential could not be made, or not given out: it is revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Abandonment {
    /// The lease.
    pub lease: LeaseId,
    /// Why, for the operator.
    pub error: String,
    /// The key of its answer, which is then free again.
    pub answer: Option<[u8; 32]>,
}

/// A lease that is to live longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewal {
    /// The lease.
    pub lease: LeaseId,
    /// Who asks. Nobody but its owner is heard.
    pub owner: Owner,
    /// Until when it is to live, cut to its longest life.
    pub expires_at: Timestamp,
}

/// A lease that lives longer now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewed {
    /// When it ends.
    pub expires_at: Timestamp,
    /// Until when it may live with all renewals.
    pub renew_until: Timestamp,
    /// Of which credential.
    pub credential: CredentialName,
    /// At which target.
    pub provider: ProviderName,
    /// Whether its provider has an account of it.
    pub ending: Ending,
}

/// A lease that its provider has to end now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueLease {
    /// The lease.
    pub id: LeaseId,
    /// How often that was tried in vain.
    pub attempts: u32,
    /// When it was decided, if nobody ever heard that its credential was made: then it may yet be made.
    pub unconfirmed_since: Option<Timestamp>,
}

/// A revocation that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedRevocation {
    /// The lease.
    pub lease: LeaseId,
    /// When to try again.
    pub due_at: Timestamp,
    /// Why, for the operator; no secret.
    pub error: String,
}

/// Which leases are revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// This one.
    Lease(LeaseId),
    /// Those of an instance.
    Instance {
        /// Whose instance it is; anybody's if that is not said.
        issuer: Option<Issuer>,
        /// Its id.
        instance_id: String,
    },
    /// Those of a credential.
    Credential(CredentialName),
    /// Those that this issuer's tokens got.
    Issuer(Issuer),
    /// Those at a target.
    Provider(ProviderName),
}

/// Which leases are listed: those that fit all of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LeaseFilter {
    /// Those of an instance.
    pub instance_id: Option<String>,
    /// Those of instances of a container group.
    pub group_id: Option<String>,
    /// Those of a credential.
    pub credential: Option<CredentialName>,
    /// Those at a target.
    pub provider: Option<ProviderName>,
    /// Those that this issuer's tokens got.
    pub issuer: Option<Issuer>,
    /// Those that stand there.
    pub status: Option<LeaseStatus>,
}

/// Which part of a list: leases are listed by their ids, which rise with the time of their grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// The last one of the part before.
    pub after: Option<LeaseId>,
    /// How many at most.
    pub limit: u32,
}

/// A lease, as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseRecord {
    /// Its id.
    pub id: LeaseId,
    /// Of which credential.
    pub credential: CredentialName,
    /// At which target.
    pub provider: ProviderName,
    /// Who says whose it is.
    pub issuer: Issuer,
    /// Whose it is, in words such as `instance 87659e43-19b0-4338-b3cc-d0a303c72af6`.
    pub owner: String,
    /// Of which container group its owner is.
    pub group_id: Option<String>,
    /// Where it stands.
    pub status: LeaseStatus,
    /// How it ends.
    pub ending: Ending,
    /// When it was granted.
    pub granted_at: Timestamp,
    /// When it ends, or would have.
    pub expires_at: Timestamp,
    /// Until when it may live with all renewals.
    pub renew_until: Timestamp,
    /// When something is done about it next.
    pub due_at: Timestamp,
    /// Since when its provider has owed the revocation.
    pub owed_since: Option<Timestamp>,
    /// How often the revocation was tried in vain.
    pub attempts: u32,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
}

/// What a target owes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Owed {
    /// How many revocations are due; no more than [`OWED_COUNTED_MAX`] are counted.
    pub due: u64,
    /// Since when the oldest of them is.
    pub oldest: Option<Timestamp>,
    /// Why the last attempt that failed did, of the lease that is due for the longest.
    pub last_error: Option<String>,
}

/// Due revocations that are counted at most.
pub const OWED_COUNTED_MAX: u32 = 100_000;

/// How the accounts at a target compared with the leases.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TargetRecord {
    /// When they were compared.
    pub compared_at: Option<Timestamp>,
    /// Accounts without a lease that were found then.
    pub strays: u64,
    /// Why nothing is removed before the operator says so, and since when.
    pub held: Option<(Timestamp, String)>,
    /// Until when the operator lets strays be removed, however many they are.
    pub released_until: Option<Timestamp>,
}
