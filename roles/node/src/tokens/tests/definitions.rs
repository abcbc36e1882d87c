// SPDX-License-Identifier: Apache-2.0
//! A container group's definition that changes while its instances run.

use super::control::Link;
use super::rig::{Rig, audience, definition, jwt, kind, seconds, settle, with_claim};

#[tokio::test(start_paused = true)]
async fn an_audience_that_is_not_allowed_is_refused_at_once_and_control_not_asked() {
    let rig = Rig::start();
    let (_, tokens) = rig.open_ready(&["reports"]).await;
    for text in ["other", "report", "REPORTS", "reports/", "11111111-2222-3333-4444-555555555555"] {
        assert_eq!(kind(&tokens.token(Some(&audience(text)))), "audience-not-allowed", "{text}");
        assert_eq!(kind(&tokens.settled_token(Some(&audience(text))).await), "audience-not-allowed", "{text}");
    }
    settle().await;
    assert_eq!(rig.control.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_allow_list_follows_the_definition() {
    let rig = Rig::start();
    let (identity, tokens) = rig.open_ready(&["old", "both"]).await;
    let [old, both, new] = ["old", "both", "new"].map(audience);
    for audience in [&old, &both] {
        rig.verified(&tokens.settled_token(Some(audience)).await, audience);
    }
    assert_eq!(kind(&tokens.token(Some(&new))), "audience-not-allowed");

    tokens.update(&definition(&["both", "new"]));
    assert_eq!(kind(&tokens.token(Some(&old))), "audience-not-allowed");
    rig.verified(&tokens.token(Some(&both)), &both);
    rig.default_claims(&identity, &tokens);
    rig.verified(&tokens.settled_token(Some(&new)).await, &new);

    // Allowed again, it is fetched again.
    tokens.update(&definition(&["old"]));
    assert_eq!(kind(&tokens.token(Some(&old))), "pending");
    rig.verified(&tokens.settled_token(Some(&old)).await, &old);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_waits_for_an_audience_learns_that_it_is_refused_now() {
    let rig = Rig::start();
    let (_, tokens) = rig.open_ready(&["reports"]).await;
    rig.control.set_link(Link::Held);
    let reports = audience("reports");
    let (answer, ()) = tokio::join!(tokens.settled_token(Some(&reports)), async {
        settle().await;
        tokens.update(&definition(&[]));
    });
    assert_eq!(kind(&answer), "audience-not-allowed");
    rig.control.release();
    settle().await;
    assert_eq!(kind(&tokens.token(Some(&reports))), "audience-not-allowed");
}

#[tokio::test(start_paused = true)]
async fn new_claims_reach_the_tokens_soon_and_without_a_gap() {
    let rig = Rig::start();
    let (identity, tokens) = rig.open_ready(&[]).await;
    let mut changed = definition(&[]);
    changed.extra_claims = serde_json::from_str(r#"{"team":"vision"}"#).unwrap();
    *rig.control.extra.lock().unwrap() = changed.extra_claims.clone();
    tokens.update(&changed);
    assert!(rig.default_claims(&identity, &tokens).claim("team").is_none(), "the old one is served until then");
    settle().await;
    assert_eq!(rig.default_claims(&identity, &tokens).claim("team").unwrap(), "vision");
}

#[tokio::test(start_paused = true)]
async fn a_definition_that_says_the_same_changes_nothing() {
    let rig = Rig::start();
    let (_, tokens) = rig.open_ready(&["reports"]).await;
    let mut same = definition(&["reports"]);
    same.replicas = 7;
    same.command.push("infinity".to_owned());
    tokens.update(&same);
    seconds(100).await;
    assert_eq!(rig.control.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_change_replaces_what_is_in_use_without_a_gap() {
    let rig = Rig::start();
    let (identity, tokens) = rig.open_ready(&["reports", "unused"]).await;
    let reports = audience("reports");
    let before = [jwt(&tokens.token(None)), jwt(&tokens.settled_token(Some(&reports)).await)];
    tokens.update(&with_claim(&["reports", "unused"], 1));
    assert_eq!([jwt(&tokens.token(None)), jwt(&tokens.token(Some(&reports)))], before);
    settle().await;
    let after = [jwt(&tokens.token(None)), jwt(&tokens.token(Some(&reports)))];
    assert!(after[0] != before[0] && after[1] != before[1]);
    rig.default_claims(&identity, &tokens);
    assert_eq!(rig.control.asked(), 4);
}
