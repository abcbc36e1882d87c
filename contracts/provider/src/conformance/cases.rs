// SPDX-License-Identifier: Apache-2.0
//! The rules that hold for every provider.

use cress_domain::{AccountName, DeploymentId, LeaseId};
use futures_util::future::try_join_all;

use super::{Bench, Case, LIFE, Use, ensure, equal, refused, revealed, secrets, text, whole_seconds, within};
use crate::{Finding, Footprint, Issued, Operation, ProviderErrorKind, Renewal, Revocation};

const AT_ONCE: usize = 16;

pub(super) async fn fit(bench: Bench<'_>) -> Case {
    let before = bench.state().await?;
    let of_provider = within(bench.target.provider().check()).await?.map_err(text)?;
    let of_credential = within(bench.target.credential().check()).await?.map_err(text)?;
    for finding in of_provider.into_iter().chain(of_credential) {
        if let Finding::Bad(finding) = finding {
            return Err(format!("expected a target that is fit, and it was said: {finding}"));
        }
    }
    equal("what the target holds after it was looked at", &bench.state().await?, &before)?;
    let kind = bench.target.provider().kind();
    ensure(
        "a lower-case word as its kind",
        !kind.is_empty() && kind.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()),
    )
}

pub(super) async fn works(bench: Bench<'_>) -> Case {
    let (grant, issued) = bench.issue_new().await?;
    bench.expect_use("a fresh credential", &issued, Use::Works).await?;
    bench.expect_use("a credential used again", &issued, Use::Works).await?;
    bench.expect_no_trespass("a fresh credential", &issued).await?;
    bench.revoke(&grant.account).await
}

pub(super) async fn parts(bench: Bench<'_>) -> Case {
    let (grant, issued) = bench.issue_new().await?;
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    for (name, value) in revealed(&issued) {
        ensure(&format!("a lower-case name and not {name:?}"), !name.is_empty() && name.bytes().all(word))?;
        ensure(&format!("{name} not to be empty"), !value.is_empty())?;
    }
    ensure("a secret in every credential", !secrets(&issued).is_empty())?;
    ensure("no credential to outlive its grant", issued.expires_at.is_none_or(|end| end <= grant.expires_at))?;
    bench.revoke(&grant.account).await
}

pub(super) async fn made_again(bench: Bench<'_>) -> Case {
    let (grant, first) = bench.issue_new().await?;
    let second = bench.issue(&grant).await?;
    bench.expect_use("a credential that was made again", &second, Use::Works).await?;
    if bench.capability().footprint == Footprint::Account {
        if secrets(&first) != secrets(&second) {
            bench.expect_use("what it replaced", &first, Use::Refused).await?;
        }
        equal("its account", &bench.accounts(bench.deployment).await?, &[grant.account].into())?;
    }
    bench.expect_no_trespass("a credential that was made again", &second).await?;
    bench.revoke(&grant.account).await
}

pub(super) async fn revoked_again(bench: Bench<'_>) -> Case {
    bench.revoke(&AccountName::of(bench.deployment, LeaseId::generate(bench.random))).await?;
    let (grant, _issued) = bench.issue_new().await?;
    let (first, second) = tokio::join!(bench.revoke(&grant.account), bench.revoke(&grant.account));
    first.and(second)?;
    bench.revoke(&grant.account).await?;
    let after = bench.issue(&grant).await?;
    bench.expect_use("a credential that was made after its revocation", &after, Use::Works).await?;
    bench.revoke(&grant.account).await
}

pub(super) async fn many_at_once(bench: Bench<'_>) -> Case {
    let before = bench.state().await?;
    let made = try_join_all((0..AT_ONCE).map(|_| bench.issue_new())).await?;
    for (_, issued) in &made {
        bench.expect_use("a credential made beside others", issued, Use::Works).await?;
    }
    let (ended, kept) = made.split_at(AT_ONCE / 2);
    try_join_all(ended.iter().map(|(grant, _)| bench.revoke(&grant.account))).await?;
    for (_, issued) in kept {
        bench.expect_use("a credential beside those that were ended", issued, Use::Works).await?;
    }
    try_join_all(kept.iter().map(|(grant, _)| bench.revoke(&grant.account))).await?;
    equal("what the target holds after all were ended", &bench.state().await?, &before)
}

pub(super) async fn nothing_shown(bench: Bench<'_>) -> Case {
    let (grant, issued) = bench.issue_new().await?;
    let shown = format!("{:?} {:?} {issued:?}", bench.target.provider(), bench.target.credential());
    for secret in bench.target.root_secrets().iter().map(String::as_str).chain(secrets(&issued)) {
        ensure("no secret in what is written to logs", !shown.contains(secret))?;
    }
    bench.revoke(&grant.account).await
}

pub(super) async fn extended(bench: Bench<'_>) -> Case {
    let (grant, issued) = bench.issue_new().await?;
    let later = whole_seconds(grant.expires_at + LIFE);
    if let Some(end) = within(bench.target.end_of(&grant.account)).await?? {
        equal("the end that the target knows", &whole_seconds(end), &grant.expires_at)?;
    }
    for _ in 0..2 {
        within(bench.target.provider().extend(&grant.account, later)).await?.map_err(text)?;
        if let Some(end) = within(bench.target.end_of(&grant.account)).await?? {
            equal("the extended end that the target knows", &whole_seconds(end), &later)?;
        }
    }
    bench.expect_use("an extended credential", &issued, Use::Works).await?;
    bench.expect_no_trespass("an extended credential", &issued).await?;
    bench.revoke(&grant.account).await?;
    if bench.capability().footprint == Footprint::Account {
        let gone = within(bench.target.provider().extend(&grant.account, later)).await?;
        let error = refused("an extension of what was ended", gone, ProviderErrorKind::Gone)?;
        equal("its operation", &error.operation(), &Operation::Extend)?;
        ensure("no account to be made by an extension", bench.accounts(bench.deployment).await?.is_empty())?;
    }
    Ok(())
}

/// Last of all, since it may let time pass and end what others hang on.
pub(super) async fn ends(bench: Bench<'_>) -> Case {
    let capability = bench.capability();
    if capability.renewal == Renewal::AskAgain {
        let (grant, issued) = bench.issue_new().await?;
        bench.expect_use("a credential before its end", &issued, Use::Works).await?;
        bench.revoke(&grant.account).await?;
        within(bench.target.pass(grant.expires_at)).await??;
        bench.wait_for_refusal("a credential after its end", &issued).await?;
    }
    let (grant, issued) = bench.issue_new().await?;
    bench.revoke(&grant.account).await?;
    after_revocation(bench, capability.revocation, &issued).await
}

async fn after_revocation(bench: Bench<'_>, revocation: Revocation, issued: &Issued) -> Case {
    match revocation {
        Revocation::Immediate => bench.expect_use("a revoked credential", issued, Use::Refused).await,
        Revocation::ByGroup => {
            within(bench.target.end_group(issued)).await??;
            bench.wait_for_refusal("a credential of a group that was ended", issued).await
        }
        // Nothing is promised before the end; that was seen.
        Revocation::AtExpiry => Ok(()),
    }
}

/// Another deployment than the suite's.
pub(super) fn other_deployment(bench: Bench<'_>) -> DeploymentId {
    DeploymentId::generate(bench.random)
}
