// SPDX-License-Identifier: Apache-2.0
//! What is allowed in a configuration and yet worth a second look, to be said when it is checked, started and reloaded. Nothing here
//! refuses anything.

use cress_token::ClaimRule;
use cress_verify::{AudienceRule, ClaimKind, IdentityClaim, Preset};

use crate::config::{Access, Config, IssuerConfig, RuleConfig};
use crate::rules::{Admits, RuleSet};

/// All of it, each a sentence that names the place.
pub(crate) fn of(config: &Config, rules: &RuleSet) -> Vec<String> {
    let issuers = config.issuers.iter().filter_map(of_issuer);
    let rules = config.rules.iter().zip(rules.iter()).flat_map(|(written, rule)| match &rule.admits {
        Admits::Claims(claims_rule) => match claims_rule.policies() {
            Some(policies) => policies.warnings().iter().map(ToString::to_string).collect(),
            None => of_claims(written, &config.issuers),
        }
        .into_iter()
        .map(|warning| format!("rule {:?}: {warning}", written.name))
        .collect(),
        Admits::Everyone | Admits::Nobody => Vec::new(),
    });
    issuers.chain(rules).collect()
}

/// Says all of it in the log.
pub(crate) fn log(config: &Config, rules: &RuleSet) {
    for warning in of(config, rules) {
        tracing::warn!("{warning}");
    }
}

/// Tokens that others may have been shown.
fn of_issuer(issuer: &IssuerConfig) -> Option<String> {
    let audiences = if issuer.any_audience { AudienceRule::Any } else { AudienceRule::OneOf(issuer.audiences.clone()) };
    // What is said of any audience is the same for all.
    let preset = issuer.preset.or(issuer.any_audience.then_some(Preset::Cress))?;
    preset.caution(&audiences).map(|caution| format!("issuer {:?}: {caution}", issuer.name))
}

/// A rule without policies.
fn of_claims(written: &RuleConfig, known: &[IssuerConfig]) -> Vec<String> {
    debug_assert!(written.access == Access::Claims, "only such rules look at claims");
    let compared: Vec<ClaimRule> =
        written.claims.iter().filter_map(|text| text.parse().ok()).filter(is_compared).collect();
    let mut warnings: Vec<String> = Vec::new();
    let is_admitted = |issuer: &&IssuerConfig| written.issuers.is_empty() || written.issuers.contains(&issuer.name);
    for issuer in known.iter().filter(is_admitted) {
        warnings.extend(of_identity(issuer, &compared));
    }
    if written.issuers.is_empty() && known.len() > 1 && !written.claims.is_empty() {
        warnings.push(format!(
            "its claims count from each of the {} issuers, whose tokens may mean different things by them; name in `issuers` whose \
             they are",
            known.len()
        ));
    }
    warnings
}

/// Whether the rule asks for a value: that a claim is there says nothing of whose the token is.
fn is_compared(rule: &ClaimRule) -> bool {
    rule.exact_values().is_none_or(|values| !values.is_empty())
}

/// What this issuer's tokens say of whose they are, against what is compared.
fn of_identity(issuer: &IssuerConfig, compared: &[ClaimRule]) -> Option<String> {
    // Whoever configures an issuer without a preset most often has one of cress's own.
    let preset = issuer.preset.unwrap_or(Preset::Cress);
    let kind_of = |rule: &ClaimRule| {
        preset.identity_claims().iter().find(|identity| identity.claim == rule.claim()).map(|identity| identity.kind)
    };
    let ids = ids(preset);
    if ids.is_empty() || compared.iter().any(|rule| kind_of(rule) == Some(ClaimKind::Id)) {
        return None;
    }
    if is_open_to_all(issuer) {
        let (name, title) = (&issuer.name, preset.title());
        return Some(format!(
            "it compares no id of the issuer {name:?}, and anyone can have {title} make a token for your audience; compare {ids}"
        ));
    }
    let is_by_name = !compared.is_empty() && compared.iter().all(|rule| kind_of(rule) == Some(ClaimKind::Name));
    is_by_name.then(|| {
        format!("it compares names that tenants choose, alone: who takes the name when it is free gets in; compare {ids} too")
    })
}

/// Whether strangers have tokens of this issuer for audiences that they choose.
fn is_open_to_all(issuer: &IssuerConfig) -> bool {
    let Some(preset) = issuer.preset else { return false };
    let is_public = preset.issuer(None).is_ok_and(|own| issuer.issuer_name().is_ok_and(|name| name == own));
    // SaladCloud's tokens are for their organization, and no other audience can be asked for.
    is_public && (preset != Preset::SaladCloud || issuer.any_audience)
}

fn ids(preset: Preset) -> String {
    let is_id = |identity: &&IdentityClaim| identity.kind == ClaimKind::Id;
    let ids: Vec<&str> = preset.identity_claims().iter().filter(is_id).map(|identity| identity.claim).take(2).collect();
    ids.join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Loaded;

    fn issuer(name: &str, preset: Option<Preset>, url: Option<&str>) -> IssuerConfig {
        let audiences = vec!["https://deploy.example".parse().unwrap()];
        let mut issuer =
            IssuerConfig::new(name, "https://issuer.example".parse().unwrap(), "https://x.example", audiences);
        issuer.preset = preset;
        if preset.is_some() {
            (issuer.issuer, issuer.jwks_url) = (url.map(|url| url.parse().unwrap()), None);
        }
        issuer
    }

    fn warnings(issuers: Vec<IssuerConfig>, claims: &[&str], of_issuers: &[&str]) -> Vec<String> {
        let mut rule = RuleConfig::new("x");
        rule.claims = claims.iter().map(|&claim| claim.to_owned()).collect();
        rule.issuers = of_issuers.iter().map(|&name| name.to_owned()).collect();
        let config = Config::new(issuers, vec![rule]);
        config.check().unwrap();
        of(&config, &RuleSet::compile(&Loaded::read(config.clone()).unwrap()).unwrap())
    }

    #[test]
    fn rules_that_let_in_more_than_meets_the_eye_are_told_of() {
        let (github, gitlab) = (Some(Preset::GitHubActions), Some(Preset::GitLab));
        let (own, none) = (Some("https://gitlab.own.example"), None);
        for (preset, url, claims, expected) in [
            (github, none, &[][..], Some("compare repository_id or repository_owner_id")),
            (github, none, &["repository=a/b"], Some("anyone can have GitHub Actions make a token")),
            (github, none, &["repository_id"], Some("it compares no id")),
            (github, none, &["repository_id=1", "ref=refs/heads/main"], None),
            (gitlab, none, &["ref_protected=true"], Some("compare project_id or namespace_id")),
            (gitlab, own, &[], None),
            (gitlab, own, &["project_path=a/b"], Some("it compares names that tenants choose")),
            (gitlab, own, &["namespace_id=1"], None),
            (
                Some(Preset::Kubernetes),
                Some("https://k.example"),
                &["sub=system:serviceaccount:a:b"],
                Some("serviceaccount/uid"),
            ),
            (Some(Preset::Kubernetes), Some("https://k.example"), &["/kubernetes.io/pod/uid=x"], None),
            (Some(Preset::Spire), Some("https://s.example"), &["sub=spiffe://a/b"], None),
            (None, none, &[], None),
            (
                None,
                none,
                &["salad_workload_name=worker"],
                Some("compare salad_organization_id or salad_workload_id too"),
            ),
            (None, none, &["salad_workload_name=worker", "salad_workload_id=1"], None),
            (None, none, &["team=vision"], None),
        ] {
            let found = warnings(vec![issuer("one", preset, url)], claims, &[]);
            match expected {
                None => assert!(found.is_empty(), "{preset:?} {claims:?}: {found:?}"),
                Some(expected) => {
                    assert!(found.len() == 1 && found[0].contains(expected), "{preset:?} {claims:?}: {found:?}");
                }
            }
        }
    }

    #[test]
    fn claims_of_several_issuers_and_audiences_of_many_are_told_of() {
        let two = || vec![issuer("one", None, None), issuer("two", Some(Preset::Cress), Some("https://two.example"))];
        let found = warnings(two(), &["salad_workload_id=1"], &[]);
        assert!(found.len() == 1 && found[0].contains("count from each of the 2 issuers"), "{found:?}");
        assert_eq!(warnings(two(), &["salad_workload_id=1"], &["two"]), Vec::<String>::new());
        assert_eq!(warnings(two(), &[], &[]), Vec::<String>::new());

        let mut any = issuer("one", None, None);
        (any.audiences, any.any_audience) = (Vec::new(), true);
        let found = warnings(vec![any], &[], &[]);
        assert!(found.len() == 1 && found[0].starts_with("issuer \"one\": tokens for any audience"), "{found:?}");
        let mut salad = issuer("salad", Some(Preset::SaladCloud), None);
        salad.audiences = vec!["2c3573b6-88de-4067-821f-1af088bd9c6a".parse().unwrap()];
        let found = warnings(vec![salad], &["salad_workload_id=1"], &[]);
        assert!(found.len() == 1 && found[0].contains("a whole organization"), "{found:?}");
    }
}
