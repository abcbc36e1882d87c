// SPDX-License-Identifier: Apache-2.0
//! What every provider must do, told by doing it at the real target: says which rule the first misfit breaks.

mod accounts;
mod cases;
mod failures;
mod hostile;
mod target;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::time::Duration;

use cress_domain::{AccountName, Clock, DeploymentId, Issuer, LeaseId, Random, Timestamp};

pub use self::target::{Cut, Session, TestTarget, Use};
use crate::{Capability, FieldValue, Footprint, Grant, Issued, ProviderError, ProviderErrorKind, Renewal, Subject};

/// Longer than any step takes on a slow machine; a test's own time limit is no concern of the rules.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// Life of the credentials here.
const LIFE: Duration = Duration::from_secs(900);

/// A rule that the provider breaks.
#[derive(Debug)]
pub struct Failure {
    case: &'static str,
    message: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.case, self.message)
    }
}

impl std::error::Error for Failure {}

/// Runs all cases. `clock` is the one that the provider was given.
///
/// # Errors
/// The first rule that is broken.
pub async fn run(target: &dyn TestTarget, clock: &dyn Clock, random: &dyn Random) -> Result<(), Failure> {
    let bench = Bench { target, clock, random, deployment: DeploymentId::generate(random) };
    let capability = target.provider().capability();
    bench.case("its target is found fit", cases::fit(bench)).await?;
    bench.case("a credential works, and no further than it should", cases::works(bench)).await?;
    bench.case("a credential's parts are named and marked as they should be", cases::parts(bench)).await?;
    bench.case("a grant made again comes to the same end", cases::made_again(bench)).await?;
    bench.case("a revocation can be asked for at any time", cases::revoked_again(bench)).await?;
    bench.case("many at once do not disturb each other", cases::many_at_once(bench)).await?;
    bench.case("no secret is shown", cases::nothing_shown(bench)).await?;
    bench.case("an unknown parameter is refused", hostile::unknown_parameter(bench)).await?;
    bench.case("no parameter means more than it says", hostile::parameters(bench)).await?;
    bench.case("no claim means more than it says", hostile::subjects(bench)).await?;
    if capability.renewal == Renewal::Extends {
        bench.case("a credential can be extended", cases::extended(bench)).await?;
    }
    if capability.footprint == Footprint::Account {
        bench.case("no account is left behind", accounts::removed(bench)).await?;
        bench.case("a revoked account's session ends as declared", accounts::sessions(bench)).await?;
        bench.case("the accounts listed are its own", accounts::own_only(bench)).await?;
        bench.case("an account that was removed by hand has been ended", accounts::removed_by_hand(bench)).await?;
    } else {
        bench.case("there are no accounts", accounts::none(bench)).await?;
    }
    bench.case("a target that is away is told as such", failures::away(bench)).await?;
    bench.case("a credential stops working as declared", cases::ends(bench)).await
}

/// What the cases share.
#[derive(Clone, Copy)]
struct Bench<'a> {
    target: &'a dyn TestTarget,
    clock: &'a dyn Clock,
    random: &'a dyn Random,
    deployment: DeploymentId,
}

type Case = Result<(), String>;

impl Bench<'_> {
    async fn case(self, name: &'static str, case: impl Future<Output = Case>) -> Result<(), Failure> {
        let limited = tokio::time::timeout(PATIENCE.saturating_mul(5), case).await;
        let outcome = limited.unwrap_or_else(|_elapsed| Err("expected the case to come to an end".to_owned()));
        outcome.map_err(|message| Failure { case: name, message })
    }

    fn capability(self) -> Capability {
        self.target.provider().capability()
    }

    /// A grant of a lease of its own.
    fn grant(self) -> Result<Grant, String> {
        let lease = LeaseId::generate(self.random);
        let now = self.clock.now();
        let parameter = self.target.parameter();
        Ok(Grant {
            lease,
            account: AccountName::of(self.deployment, lease),
            credential: "conformance".parse().map_err(|error| format!("{error}"))?,
            subject: subject()?,
            granted_at: now,
            expires_at: whole_seconds(now + LIFE),
            parameters: parameter.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect(),
        })
    }

    async fn issue(self, grant: &Grant) -> Result<Issued, String> {
        within(self.target.credential().issue(grant)).await?.map_err(text)
    }

    async fn issue_new(self) -> Result<(Grant, Issued), String> {
        let grant = self.grant()?;
        let issued = self.issue(&grant).await?;
        Ok((grant, issued))
    }

    async fn revoke(self, account: &AccountName) -> Case {
        within(self.target.provider().revoke(account)).await?.map_err(text)
    }

    async fn accounts(self, deployment: DeploymentId) -> Result<BTreeSet<AccountName>, String> {
        let listed = within(self.target.provider().accounts(deployment)).await?.map_err(text)?;
        let distinct: BTreeSet<_> = listed.iter().copied().collect();
        equal("the number of distinct accounts", &distinct.len(), &listed.len())?;
        Ok(distinct)
    }

    async fn expect_use(self, what: &str, issued: &Issued, expected: Use) -> Case {
        equal(what, &within(self.target.attempt(issued)).await??, &expected)
    }

    async fn expect_no_trespass(self, what: &str, issued: &Issued) -> Case {
        ensure(&format!("{what} to be kept to what it is for"), !within(self.target.trespass(issued)).await??)
    }

    async fn state(self) -> Result<BTreeSet<String>, String> {
        Ok(within(self.target.state()).await??.into_iter().collect())
    }

    /// The state but for the lines of this account.
    async fn state_without(self, account: &AccountName) -> Result<BTreeSet<String>, String> {
        let name = account.to_string();
        Ok(self.state().await?.into_iter().filter(|line| !line.contains(&name)).collect())
    }

    /// Waits until the credential is refused.
    async fn wait_for_refusal(self, what: &str, issued: &Issued) -> Case {
        let poll = async {
            while within(self.target.attempt(issued)).await?? == Use::Works {
                tokio::time::sleep(POLL_INTERVAL).await;
            }
            Ok(())
        };
        within(poll).await.map_err(|error| format!("{error}: waiting for {what} to be refused"))?
    }
}

/// A subject with everything that a token can say.
fn subject() -> Result<Subject, String> {
    let id = |digit: char| Some(format!("{0}{0}{0}{0}{0}{0}{0}{0}-0000-4000-8000-{1}", digit, "0".repeat(12)));
    Ok(Subject {
        issuer: "https://issuer.example".parse::<Issuer>().map_err(|error| error.to_string())?,
        subject: Some("instance:conformance".to_owned()),
        organization_id: id('1'),
        group_id: id('2'),
        instance_id: id('3'),
        machine_id: id('4'),
    })
}

/// What of a credential must not be seen.
fn secrets(issued: &Issued) -> Vec<&str> {
    issued.fields.values().filter_map(secret_of).collect()
}

fn secret_of(value: &FieldValue) -> Option<&str> {
    match value {
        FieldValue::Secret(secret) => Some(secret.expose()),
        FieldValue::Text(_) | FieldValue::Number(_) => None,
    }
}

/// The fields as they can be compared.
fn revealed(issued: &Issued) -> BTreeMap<&str, String> {
    let reveal = |value: &FieldValue| match value {
        FieldValue::Text(text) => text.clone(),
        FieldValue::Number(number) => number.to_string(),
        FieldValue::Secret(secret) => secret.expose().clone(),
    };
    issued.fields.iter().map(|(name, value)| (name.as_str(), reveal(value))).collect()
}

const fn whole_seconds(moment: Timestamp) -> Timestamp {
    Timestamp::from_unix_seconds(moment.unix_seconds())
}

async fn within<T>(work: impl Future<Output = T>) -> Result<T, String> {
    tokio::time::timeout(PATIENCE, work).await.map_err(|_elapsed| format!("expected an end within {PATIENCE:?}"))
}

fn equal<T: PartialEq + fmt::Debug>(what: &str, got: &T, expected: &T) -> Case {
    if got == expected { Ok(()) } else { Err(format!("expected {what} to be {expected:?}, got {got:?}")) }
}

fn ensure(what: &str, holds: bool) -> Case {
    if holds { Ok(()) } else { Err(format!("expected {what}")) }
}

fn refused<T>(what: &str, got: Result<T, ProviderError>, kind: ProviderErrorKind) -> Result<ProviderError, String> {
    match got {
        Err(error) if error.kind() == kind => Ok(error),
        Err(error) => Err(format!("expected {what} to fail as {kind:?}, got {:?}: {error}", error.kind())),
        Ok(_) => Err(format!("expected {what} to fail as {kind:?}, and it succeeded")),
    }
}

fn text(error: ProviderError) -> String {
    format!("{error} ({:?})", error.kind())
}
