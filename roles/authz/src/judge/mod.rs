// SPDX-License-Identifier: Apache-2.0
//! The decision about one request: the rule that fits, the token, and the claims. Whatever goes wrong on the way is a refusal
//! with a reason; only a rule that was found and satisfied lets a request pass.

mod decision;
mod refusal;
mod remembered;
mod token;

use std::sync::Arc;

use cress_domain::{Clock, Secret};
use cress_verify::http::VerifiedToken;
use cress_verify::{Settings, SourceStatus, Verifier};
use http::HeaderMap;

pub(crate) use decision::{Decision, Verdict};
pub(crate) use token::{FoundToken, TokenPlace};

use crate::config::{AccessLog, ConfigError, Loaded};
use crate::request::{Asked, AskedError, policy_request};
use crate::rules::{Admits, ClaimsRule, Rule, RuleSet};
use crate::start::StartError;
use remembered::Remembered;

/// One configuration at work.
pub(crate) struct Judge {
    verifier: Verifier,
    rules: RuleSet,
    clock: Arc<dyn Clock>,
    remembered: Remembered,
    place: TokenPlace,
    realm: String,
    dry_run: bool,
    access_log: AccessLog,
}

/// What came of looking at a request with what is in memory.
pub(crate) enum Step {
    Done(Decision),
    /// The token's keys have to be fetched first.
    Wait(Arc<Rule>, Secret<String>),
}

impl Judge {
    /// Starts to fetch the issuers' keys.
    pub(crate) fn start(loaded: &Loaded, clock: Arc<dyn Clock>) -> Result<Self, StartError> {
        let config = &loaded.config;
        let trusted = config.issuers.iter().map(|issuer| issuer.trusted()).collect::<Result<Vec<_>, _>>()?;
        let mut settings = Settings::default();
        settings.cached_tokens_max = usize::try_from(config.cached_tokens_max).unwrap_or(usize::MAX);
        let verifier = Verifier::start(trusted, &settings, Arc::clone(&clock))?;
        Ok(Self::with_verifier(loaded, verifier, clock)?)
    }

    /// The same with keys that are there already, for a configuration with the same issuers.
    pub(crate) fn with_verifier(
        loaded: &Loaded,
        verifier: Verifier,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ConfigError> {
        let config = &loaded.config;
        let tokens_max = usize::try_from(config.cached_tokens_max).unwrap_or(usize::MAX);
        Ok(Self {
            verifier,
            rules: RuleSet::compile(loaded)?,
            clock,
            remembered: Remembered::new(tokens_max),
            place: TokenPlace::of(&config.token),
            realm: config.realm.clone(),
            dry_run: config.dry_run,
            access_log: config.access_log,
        })
    }

    pub(crate) const fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    pub(crate) const fn rules(&self) -> &RuleSet {
        &self.rules
    }

    pub(crate) const fn place(&self) -> &TokenPlace {
        &self.place
    }

    pub(crate) fn realm(&self) -> &str {
        &self.realm
    }

    pub(crate) const fn access_log(&self) -> AccessLog {
        self.access_log
    }

    /// How it stands with the keys of each issuer.
    pub(crate) fn status(&self) -> Vec<SourceStatus> {
        self.verifier.status()
    }

    /// Decides with what is in memory, if that is enough.
    pub(crate) fn step(&self, asked: Result<&Asked<'_>, AskedError>, token: &FoundToken<'_>) -> Step {
        let (asked, rule) = match asked.and_then(|asked| Ok((asked, self.rules.find(asked)?))) {
            Ok((asked, Some(rule))) => (asked, rule),
            Ok((_, None)) => return Step::Done(self.without_rule(refusal::no_rule())),
            Err(error) => return Step::Done(self.without_rule(refusal::not_understood(error))),
        };
        let claims_rule = match &rule.admits {
            Admits::Everyone => return Step::Done(Decision::permit(rule, None, self.rules.anonymous().clone())),
            Admits::Nobody => return Step::Done(self.refuse(rule, None, refusal::denied())),
            Admits::Claims(claims_rule) => claims_rule,
        };
        let token = match token {
            Ok(token) => token,
            Err(error) => return Step::Done(self.refuse(rule, None, (*error).into())),
        };
        match self.verifier.try_verify(token) {
            Some(Ok(claims)) => Step::Done(self.with_claims(rule, claims_rule, claims, asked)),
            Some(Err(error)) => Step::Done(self.refuse(rule, None, (&error).into())),
            None => Step::Wait(Arc::clone(rule), Secret::new((*token).to_owned())),
        }
    }

    /// Decides about a token whose keys have to be fetched first.
    pub(crate) async fn wait(&self, rule: &Arc<Rule>, token: &str, asked: &Asked<'_>) -> Decision {
        let Admits::Claims(claims_rule) = &rule.admits else {
            return self.refuse(rule, None, refusal::denied());
        };
        match self.verifier.verify(token).await {
            Ok(claims) => self.with_claims(rule, claims_rule, claims, asked),
            Err(error) => self.refuse(rule, None, (&error).into()),
        }
    }

    fn with_claims(
        &self,
        rule: &Arc<Rule>,
        claims_rule: &ClaimsRule,
        claims: VerifiedToken,
        asked: &Asked<'_>,
    ) -> Decision {
        let outcome = self.remembered.outcome(&claims, rule.index, self.rules.len(), || {
            let headers = claims_rule.headers(claims.as_map())?;
            Ok((claims_rule.admits(claims.as_map()), headers))
        });
        match outcome {
            Ok((true, headers)) => self.with_policies(rule, claims_rule, claims, asked, headers),
            Ok((false, headers)) => {
                let refusal = refusal::not_permitted();
                let verdict = Verdict::refused(refusal, rule.dry_run, headers);
                Decision { rule: Some(Arc::clone(rule)), claims: Some(claims), verdict }
            }
            Err(error) => self.refuse(rule, Some(claims), refusal::claim_too_long(error)),
        }
    }

    /// Policies look at the request and the time, so their word is not remembered.
    fn with_policies(
        &self,
        rule: &Arc<Rule>,
        claims_rule: &ClaimsRule,
        claims: VerifiedToken,
        asked: &Asked<'_>,
        headers: HeaderMap,
    ) -> Decision {
        let Some(policies) = claims_rule.policies() else { return Decision::permit(rule, Some(claims), headers) };
        let decision = match asked.whole() {
            Ok(whole) => policies.decide(&claims, &policy_request(&whole, self.clock.now())),
            Err(error) => return self.refuse(rule, Some(claims), refusal::not_understood(error)),
        };
        if decision.is_permitted() {
            return Decision::permit(rule, Some(claims), headers);
        }
        tracing::debug!(rule = rule.name, why = %decision.why(), decided_by = ?decision.decided_by(), "policies refuse");
        let verdict = Verdict::refused(refusal::by_policy(&decision), rule.dry_run, headers);
        Decision { rule: Some(Arc::clone(rule)), claims: Some(claims), verdict }
    }

    fn refuse(&self, rule: &Arc<Rule>, claims: Option<VerifiedToken>, refusal: refusal::Refusal) -> Decision {
        let verdict = Verdict::refused(refusal, rule.dry_run, self.anonymous());
        Decision { rule: Some(Arc::clone(rule)), claims, verdict }
    }

    fn without_rule(&self, refusal: refusal::Refusal) -> Decision {
        Decision { rule: None, claims: None, verdict: Verdict::refused(refusal, self.dry_run, self.anonymous()) }
    }

    fn anonymous(&self) -> HeaderMap {
        self.rules.anonymous().clone()
    }
}

impl std::fmt::Debug for Judge {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Judge").field("rules", &self.rules).finish_non_exhaustive()
    }
}
