// SPDX-License-Identifier: Apache-2.0
//! The rules for a target that cannot be reached.

use cress_domain::AccountName;

use super::{Bench, Case, Cut, POLL_INTERVAL, Use, ensure, equal, refused, secrets, within};
use crate::{Footprint, Grant, Issued, Operation, ProviderError, ProviderErrorKind, Renewal};

pub(super) async fn away(bench: Bench<'_>) -> Case {
    for how in [Cut::Broken, Cut::Silent] {
        let (ended, _issued) = bench.issue_new().await?;
        let (kept, issued) = bench.issue_new().await?;
        if !within(bench.target.cut(how)).await?? {
            bench.revoke(&ended.account).await?;
            return bench.revoke(&kept.account).await;
        }
        let other = bench.grant()?;
        let told = while_away(bench, &ended, &other, &issued).await.map_err(|error| format!("{how:?}: {error}"));
        within(bench.target.mend()).await??;
        told?;
        again(bench).await.map_err(|error| format!("{how:?}, and mended: {error}"))?;
        bench.expect_use("a credential from before", &issued, Use::Works).await?;
        tidied(bench, &[ended.account, other.account], &kept.account).await?;
        bench.revoke(&kept.account).await?;
    }
    Ok(())
}

async fn while_away(bench: Bench<'_>, grant: &Grant, other: &Grant, issued: &Issued) -> Case {
    let provider = bench.target.provider();
    told(bench, issued, "issue", within(bench.target.credential().issue(other)).await?, Operation::Issue)?;
    if bench.capability().footprint == Footprint::Account {
        told(bench, issued, "check", within(provider.check()).await?, Operation::Check)?;
        told(bench, issued, "revoke", within(provider.revoke(&grant.account)).await?, Operation::Revoke)?;
        told(bench, issued, "accounts", within(provider.accounts(bench.deployment)).await?, Operation::List)?;
        if bench.capability().renewal == Renewal::Extends {
            let extended = within(provider.extend(&grant.account, grant.expires_at)).await?;
            told(bench, issued, "extend", extended, Operation::Extend)?;
        }
    }
    Ok(())
}

fn told<T>(bench: Bench<'_>, issued: &Issued, what: &str, got: Result<T, ProviderError>, operation: Operation) -> Case {
    let error = refused(what, got, ProviderErrorKind::Unavailable)?;
    equal("its operation", &error.operation(), &operation)?;
    let shown = format!("{error} {error:?}");
    for secret in bench.target.root_secrets().iter().map(String::as_str).chain(secrets(issued)) {
        ensure(&format!("no secret in the error of {what}"), !shown.contains(secret))?;
    }
    Ok(())
}

/// A target that is back is used again, perhaps after a connection was found broken.
async fn again(bench: Bench<'_>) -> Case {
    let retried = async {
        loop {
            let grant = bench.grant()?;
            let issued = bench.target.credential().issue(&grant).await;
            let attempt = match &issued {
                Ok(issued) => bench.expect_use("a credential", issued, Use::Works).await,
                Err(error) => Err(error.to_string()),
            };
            if bench.target.provider().revoke(&grant.account).await.is_ok() && attempt.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    };
    within(retried).await?
}

/// What was asked for while the target was away may still have happened there, or happen late: it is ended like the rest.
async fn tidied(bench: Bench<'_>, left: &[AccountName], kept: &AccountName) -> Case {
    if bench.capability().footprint == Footprint::Nothing {
        return Ok(());
    }
    let ended = async {
        loop {
            for account in left {
                bench.revoke(account).await?;
            }
            if bench.accounts(bench.deployment).await? == [*kept].into() {
                return Ok(());
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    };
    within(ended).await?
}
