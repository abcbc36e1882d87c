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

use crate::config::{AccessLog, Config, ConfigError};
use crate::request::{Asked, AskedError};
use crate::rules::{Admits, ClaimsRule, Rule, RuleSet};
use crate::start::StartError;
use remembered::Remembered;

/// One configuration at work.
#[derive(Debug)]
pub(crate) struct Judge {
    verifier: Verifier,
    rules: RuleSet,
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
    pub(crate) fn start(config: &Config, clock: Arc<dyn Clock>) -> Result<Self, StartError> {
        let trusted = config.issuers.iter().map(|issuer| issuer.trusted()).collect::<Result<Vec<_>, _>>()?;
        let mut settings = Settings::default();
        settings.cached_tokens_max = usize::try_from(config.cached_tokens_max).unwrap_or(usize::MAX);
        Ok(Self::with_verifier(config, Verifier::start(trusted, &settings, clock)?)?)
    }

    /// The same with keys that are there already, for a configuration with the same issuers.
    pub(crate) fn with_verifier(config: &Config, verifier: Verifier) -> Result<Self, ConfigError> {
        let tokens_max = usize::try_from(config.cached_tokens_max).unwrap_or(usize::MAX);
        Ok(Self {
            verifier,
            rules: RuleSet::compile(config)?,
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
        let rule = match asked.and_then(|asked| self.rules.find(asked)) {
            Ok(Some(rule)) => rule,
            Ok(None) => return Step::Done(self.without_rule(refusal::no_rule())),
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
            Some(Ok(claims)) => Step::Done(self.with_claims(rule, claims_rule, claims)),
            Some(Err(error)) => Step::Done(self.refuse(rule, None, (&error).into())),
            None => Step::Wait(Arc::clone(rule), Secret::new((*token).to_owned())),
        }
    }

    /// Decides about a token whose keys have to be fetched first.
    pub(crate) async fn wait(&self, rule: &Arc<Rule>, token: &str) -> Decision {
        let Admits::Claims(claims_rule) = &rule.admits else {
            return self.refuse(rule, None, refusal::denied());
        };
        match self.verifier.verify(token).await {
            Ok(claims) => self.with_claims(rule, claims_rule, claims),
            Err(error) => self.refuse(rule, None, (&error).into()),
        }
    }

    fn with_claims(&self, rule: &Arc<Rule>, claims_rule: &ClaimsRule, claims: VerifiedToken) -> Decision {
        let outcome = self.remembered.outcome(&claims, rule.index, self.rules.len(), || {
            let headers = claims_rule.headers(&claims)?;
            Ok((claims_rule.admits(&claims), headers))
        });
        match outcome {
            Ok((true, headers)) => Decision::permit(rule, Some(claims), headers),
            Ok((false, headers)) => {
                let refusal = refusal::not_permitted();
                let verdict = Verdict::refused(refusal, rule.dry_run, headers);
                Decision { rule: Some(Arc::clone(rule)), claims: Some(claims), verdict }
            }
            Err(error) => self.refuse(rule, Some(claims), refusal::claim_too_long(error)),
        }
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
