// SPDX-License-Identifier: Apache-2.0
//! Who asks: a token is verified, meant for this broker, and says whose a lease will be. Nothing is written for that: a token seen before
//! costs two looks into memory. Ids of one issuer mean nothing with another, so the issuer is a part of every owner.

mod identity;
mod memory;
mod pace;
mod refusal;

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use cress_domain::{Audience, Clock, Issuer};
use cress_policy::Decision;
use cress_provider::Subject;
use cress_verify::http::VerifiedToken;
use cress_verify::{Settings, SourceStatus, Verifier};

pub(crate) use pace::{Bucket, Buckets, Pace, Rate};
pub(crate) use refusal::Refused;

use crate::audit::{Audit, Hashed, KeyedHash, Who};
use crate::config::{Config, ConfigError};
use crate::lease::Owner;
use crate::start::StartError;
use identity::Identity;
use memory::Remembered;

/// Most decisions that are remembered of one token.
const DECISIONS_MAX: usize = 16;

/// Everyone who may ask.
pub(crate) struct Callers {
    verifier: Verifier,
    identities: HashMap<Issuer, Identity>,
    audience: Audience,
    remembered: Remembered,
    buckets: Arc<Buckets>,
    pace: Pace,
    audit: Audit,
    clock: Arc<dyn Clock>,
}

/// What they work with, and what outlives a change of the configuration.
pub(crate) struct CallersParts {
    pub(crate) buckets: Arc<Buckets>,
    pub(crate) audit: Audit,
    pub(crate) clock: Arc<dyn Clock>,
}

/// Someone whose token is good.
#[derive(Debug)]
pub(crate) struct Caller {
    /// Who it is.
    pub(crate) subject: Subject,
    /// Whose its leases are.
    pub(crate) owner: Owner,
    /// Whose the leases are that its container group shares, if it is of one.
    pub(crate) group: Option<Owner>,
    /// The claims.
    pub(crate) claims: VerifiedToken,
    /// The token, as records have it.
    token: KeyedHash,
    of_instance: Arc<Bucket>,
    of_group: Option<Arc<Bucket>>,
    decisions: ArcSwap<Vec<(usize, Arc<Decision>)>>,
}

impl Callers {
    /// Starts to fetch the issuers' keys, or goes on with those that are there.
    pub(crate) fn start(config: &Config, verifier: Option<Verifier>, parts: &CallersParts) -> Result<Self, StartError> {
        let verifier = match verifier {
            Some(verifier) => verifier,
            None => verifier_of(config, &parts.clock)?,
        };
        let mut identities = HashMap::new();
        for (name, issuer) in &config.issuers {
            identities.insert(issuer.issuer_name(name)?, Identity::of(name, issuer)?);
        }
        Ok(Self {
            verifier,
            identities,
            audience: config.audience.clone(),
            remembered: Remembered::new(config.cached_tokens_max),
            buckets: Arc::clone(&parts.buckets),
            pace: Pace::of(&config.rates),
            audit: parts.audit.clone(),
            clock: Arc::clone(&parts.clock),
        })
    }

    /// Who shows this token, if he may ask now. Waits for the network only if the token's key is not known yet.
    pub(crate) async fn identify(&self, token: &str) -> Result<Arc<Caller>, Refused> {
        let verified = match self.verifier.try_verify(token) {
            Some(verified) => verified,
            None => self.verifier.verify(token).await,
        };
        let claims = verified.map_err(|error| Refused::from(&error))?;
        let caller = match self.remembered.get(&claims) {
            Some(caller) => caller,
            None => self.meet(claims, token)?,
        };
        self.admit(&caller)?;
        Ok(caller)
    }

    /// A token as records have it that was not good.
    pub(crate) fn stranger(&self, token: &str) -> Who {
        Who::Unverified { token: Some(self.audit.hash(Hashed::Token, token.as_bytes())) }
    }

    pub(crate) const fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// How it stands with the keys of each issuer.
    pub(crate) fn status(&self) -> Vec<SourceStatus> {
        self.verifier.status()
    }

    fn meet(&self, claims: VerifiedToken, token: &str) -> Result<Arc<Caller>, Refused> {
        let identity = self.identities.get(claims.issuer()).ok_or_else(Refused::stranger)?;
        identity.check_audience(&claims, &self.audience)?;
        let subject = identity.subject(&claims)?;
        let (owner, group) = (identity::owner(&subject)?, identity::group(&subject));
        let caller = Arc::new(Caller {
            of_instance: self.buckets.of(&owner),
            of_group: group.as_ref().map(|group| self.buckets.of(group)),
            subject,
            owner,
            group,
            token: self.audit.hash(Hashed::Token, token.as_bytes()),
            claims,
            decisions: ArcSwap::default(),
        });
        self.remembered.keep(&caller);
        Ok(caller)
    }

    fn admit(&self, caller: &Caller) -> Result<(), Refused> {
        let now = self.clock.monotonic();
        self.pace.instance.take(&caller.of_instance, now).map_err(Refused::too_fast)?;
        match &caller.of_group {
            Some(bucket) => self.pace.group.take(bucket, now).map_err(Refused::too_fast),
            None => Ok(()),
        }
    }
}

impl Caller {
    /// As records have it.
    pub(crate) fn who(&self) -> Who {
        Who::workload(&self.subject, self.claims.token_id(), self.token)
    }

    /// What was decided before about the credential of this index, asked for without anything.
    pub(crate) fn decided(&self, credential: usize) -> Option<Arc<Decision>> {
        let decisions = self.decisions.load();
        decisions.iter().find(|(index, _)| *index == credential).map(|(_, decision)| Arc::clone(decision))
    }

    /// Remembers a decision for as long as the token and the configuration live.
    pub(crate) fn remember(&self, credential: usize, decision: &Arc<Decision>) {
        self.decisions.rcu(|decisions| {
            let mut decisions = decisions.as_ref().clone();
            if decisions.len() < DECISIONS_MAX {
                decisions.push((credential, Arc::clone(decision)));
            }
            decisions
        });
    }
}

fn verifier_of(config: &Config, clock: &Arc<dyn Clock>) -> Result<Verifier, StartError> {
    let trusted = config.issuers.iter().map(|(name, issuer)| issuer.trusted(name, &config.audience));
    let trusted = trusted.collect::<Result<Vec<_>, ConfigError>>()?;
    let mut settings = Settings::default();
    settings.cached_tokens_max = usize::try_from(config.cached_tokens_max).unwrap_or(usize::MAX);
    Ok(Verifier::start(trusted, &settings, Arc::clone(clock))?)
}

impl std::fmt::Debug for Callers {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Callers").field("audience", &self.audience).finish_non_exhaustive()
    }
}
