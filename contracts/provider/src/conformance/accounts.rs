// SPDX-License-Identifier: Apache-2.0
//! The rules for what is left at a target.

use std::collections::BTreeSet;

use cress_domain::{AccountName, LeaseId};

use super::cases::other_deployment;
use super::{Bench, Case, Use, ensure, equal, within};
use crate::{Operation, ProviderErrorKind, Renewal, Revocation};

pub(super) async fn none(bench: Bench<'_>) -> Case {
    let (grant, _issued) = bench.issue_new().await?;
    ensure("no accounts", bench.accounts(bench.deployment).await?.is_empty())?;
    bench.revoke(&grant.account).await
}

pub(super) async fn removed(bench: Bench<'_>) -> Case {
    let before = bench.state().await?;
    let (grant, issued) = bench.issue_new().await?;
    ensure("an account to be listed", bench.accounts(bench.deployment).await?.contains(&grant.account))?;
    let name = grant.account.to_string();
    ensure("an account to be called as granted", bench.state().await?.iter().any(|line| line.contains(&name)))?;
    within(bench.target.provider().maintain()).await?.map_err(super::text)?;
    bench.expect_use("a credential after maintenance", &issued, Use::Works).await?;
    bench.revoke(&grant.account).await?;
    within(bench.target.provider().maintain()).await?.map_err(super::text)?;
    bench.expect_use("a revoked credential after maintenance", &issued, Use::Refused).await?;
    equal("what the target holds afterwards", &bench.state().await?, &before)
}

pub(super) async fn sessions(bench: Bench<'_>) -> Case {
    let (ended, ended_issued) = bench.issue_new().await?;
    let (kept, kept_issued) = bench.issue_new().await?;
    let session = bench.target.open_session(&ended_issued).await?.zip(bench.target.open_session(&kept_issued).await?);
    if let Some((mut ending, mut staying)) = session {
        ensure("a session to work", ending.is_alive().await && staying.is_alive().await)?;
        bench.revoke(&ended.account).await?;
        if bench.capability().revocation == Revocation::Immediate {
            ensure("a revoked account's session to have ended", !within(ending.is_alive()).await?)?;
        }
        ensure("another account's session to go on", within(staying.is_alive()).await?)?;
    } else {
        bench.revoke(&ended.account).await?;
    }
    bench.expect_use("another account's credential", &kept_issued, Use::Works).await?;
    bench.revoke(&kept.account).await
}

pub(super) async fn own_only(bench: Bench<'_>) -> Case {
    let theirs = AccountName::of(other_deployment(bench), LeaseId::generate(bench.random));
    let lookalikes = lookalikes(bench);
    for name in lookalikes.iter().chain([&theirs.to_string()]) {
        within(bench.target.make_account(name)).await?.map_err(|error| format!("making {name}: {error}"))?;
    }
    let with_theirs = bench.state().await?;
    let mut own = BTreeSet::new();
    for _ in 0..3 {
        own.insert(bench.issue_new().await?.0.account);
    }
    equal("the accounts of this deployment", &bench.accounts(bench.deployment).await?, &own)?;
    equal("the accounts of another one", &bench.accounts(theirs.deployment()).await?, &[theirs].into())?;
    for account in &own {
        bench.revoke(account).await?;
    }
    equal("everyone else's accounts", &bench.state().await?, &with_theirs)?;
    for name in lookalikes.iter().chain([&theirs.to_string()]) {
        within(bench.target.remove_account(name)).await??;
    }
    Ok(())
}

/// Names that only look like this deployment's.
fn lookalikes(bench: Bench<'_>) -> Vec<String> {
    let prefix = bench.deployment.account_prefix();
    let lease = "0123456789abcdef0123456789abcdef";
    vec![
        "conformance_bystander".to_owned(),
        format!("{prefix}{}", lease.to_uppercase()),
        format!("{prefix}{lease}0"),
        format!("{}x{lease}", prefix.trim_end_matches('_')),
        format!("x{prefix}{lease}"),
    ]
}

pub(super) async fn removed_by_hand(bench: Bench<'_>) -> Case {
    let before = bench.state().await?;
    let (grant, issued) = bench.issue_new().await?;
    within(bench.target.remove_account(&grant.account.to_string())).await??;
    if bench.capability().renewal == Renewal::Extends {
        let extended = within(bench.target.provider().extend(&grant.account, grant.expires_at)).await?;
        let error = super::refused("an extension of what is not there", extended, ProviderErrorKind::Gone)?;
        equal("its operation", &error.operation(), &Operation::Extend)?;
    }
    bench.revoke(&grant.account).await?;
    bench.expect_use("a credential whose account was removed", &issued, Use::Refused).await?;
    equal("what the target holds afterwards", &bench.state().await?, &before)
}
