// SPDX-License-Identifier: Apache-2.0
//! What tenants choose is data: whatever it is made of, it changes nothing but perhaps the answer to themselves.

use super::{Bench, Case, Use, equal, refused, text, within};
use crate::{Grant, Operation, ProviderErrorKind, Subject};

/// Texts that mean something to one target or another.
pub(super) fn texts() -> Vec<String> {
    let longest = "x".repeat(70_000);
    let texts = [
        "",
        " ",
        "*",
        "~*",
        "&*",
        "+@all",
        "allkeys",
        "nopass",
        "resetpass on",
        ">pass",
        "%RW~*",
        "(+@all ~*)",
        "default",
        "root",
        "postgres",
        "../..",
        "/",
        "a/../../b",
        "a b",
        "a\tb",
        "a\r\nACL SETUSER default on nopass ~* +@all\r\n",
        "\0",
        "a\0b",
        "\u{1b}[2J",
        "\u{7f}",
        "\u{202e}txt",
        "'",
        "''",
        "\"",
        "\"\"",
        "`",
        "\\",
        "\\'",
        "a'; DROP ROLE postgres; --",
        "a\"; ALTER ROLE postgres NOLOGIN; --",
        "$$",
        "$1",
        "${HOME}",
        "$(id)",
        "%s%n",
        "%2e%2e%2f",
        "?",
        "[a-z]*",
        "{a,b}",
        "a,b",
        "a+b",
        "/ * + ,",
        "a:b",
        "a|b",
        "&amp;",
        "<x>",
        "{\"role\":\"admin\"}",
        "null",
        "true",
        "-1",
        "18446744073709551616",
        "1e309",
        "admin-read-write",
        "cress_",
        "\u{fc}\u{df}\u{1f980}",
        "e\u{301}",
        "\u{feff}x",
    ];
    texts.into_iter().map(str::to_owned).chain([longest]).collect()
}

pub(super) async fn unknown_parameter(bench: Bench<'_>) -> Case {
    let before = bench.state().await?;
    let mut grant = bench.grant()?;
    grant.parameters.insert("no_such_parameter".to_owned(), "x".to_owned());
    let issued = within(bench.target.credential().issue(&grant)).await?;
    let error = refused("a parameter that it does not know", issued, ProviderErrorKind::Parameter)?;
    equal("its operation", &error.operation(), &Operation::Issue)?;
    bench.revoke(&grant.account).await?;
    equal("what the target holds afterwards", &bench.state().await?, &before)
}

pub(super) async fn parameters(bench: Bench<'_>) -> Case {
    let Some((name, _)) = bench.target.parameter() else { return Ok(()) };
    for value in texts() {
        let mut grant = bench.grant()?;
        grant.parameters.insert(name.to_owned(), value.clone());
        changes_nothing_else(bench, &grant).await.map_err(|error| format!("{}: {error}", shortened(&value)))?;
    }
    Ok(())
}

pub(super) async fn subjects(bench: Bench<'_>) -> Case {
    for value in texts() {
        let mut grant = bench.grant()?;
        grant.subject = subject(&grant.subject, &value);
        changes_nothing_else(bench, &grant).await.map_err(|error| format!("{}: {error}", shortened(&value)))?;
    }
    let mut unknown = bench.grant()?;
    let issuer = unknown.subject.issuer.clone();
    unknown.subject =
        Subject { issuer, subject: None, organization_id: None, group_id: None, instance_id: None, machine_id: None };
    changes_nothing_else(bench, &unknown).await.map_err(|error| format!("a token that says nothing: {error}"))
}

fn subject(subject: &Subject, value: &str) -> Subject {
    let value = Some(value.to_owned());
    Subject {
        issuer: subject.issuer.clone(),
        subject: value.clone(),
        organization_id: value.clone(),
        group_id: value.clone(),
        instance_id: value.clone(),
        machine_id: value,
    }
}

/// Either a credential that is kept to what it is for, or a refusal; and nothing else at the target is other than before.
async fn changes_nothing_else(bench: Bench<'_>, grant: &Grant) -> Case {
    let before = bench.state().await?;
    match within(bench.target.credential().issue(grant)).await? {
        Ok(issued) => {
            bench.expect_use("the credential", &issued, Use::Works).await?;
            bench.expect_no_trespass("the credential", &issued).await?;
        }
        Err(error) if matches!(error.kind(), ProviderErrorKind::Parameter | ProviderErrorKind::Refused) => {
            equal("its operation", &error.operation(), &Operation::Issue)?;
        }
        Err(error) => return Err(format!("expected a credential or a refusal, got {}", text(error))),
    }
    equal("everything else at the target", &bench.state_without(&grant.account).await?, &before)?;
    bench.revoke(&grant.account).await?;
    equal("what the target holds afterwards", &bench.state().await?, &before)
}

fn shortened(value: &str) -> String {
    format!("{:?}", value.chars().take(40).collect::<String>())
}
