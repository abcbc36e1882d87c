// SPDX-License-Identifier: Apache-2.0
//! The verifier: from a text to verified claims, out of memory wherever that is enough.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use cress_domain::{Clock, KeyId};
use cress_token::{Claims, Rejection, Rules, Unverified, Verified};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use crate::issuer_keys::IssuerKeys;
use crate::refresher::Refresher;
use crate::replay::{Passage, PassedTokens};
use crate::source::{Fetcher, FileFetcher, RemoteFetcher};
use crate::token_cache::{Entry, TokenCache};
use crate::{FetchError, KeySource, Settings, SettingsError, SourceStatus, TrustedIssuer, VerifyError, settings};

/// Verifies tokens of the issuers that it was given. Cheap to clone; the tasks that keep its keys fresh end with the last clone.
#[derive(Clone)]
pub struct Verifier(Arc<Inner>);

struct Inner {
    issuers: Vec<TrustedKeys>,
    by_name: HashMap<String, usize>,
    cache: Arc<TokenCache>,
    passed: Option<PassedTokens>,
    clock: Arc<dyn Clock>,
    tasks: Vec<AbortHandle>,
}

struct TrustedKeys {
    rules: Rules,
    keys: Arc<IssuerKeys>,
}

/// What memory has to say about a token.
enum Answer<'a> {
    Known(Result<Arc<Verified<Claims>>, VerifyError>),
    KeysMissing(&'a IssuerKeys),
    KeyMissing(&'a IssuerKeys, KeyId),
}

impl Verifier {
    /// Starts to fetch the issuers' keys and to keep them fresh; [`Self::ready`] waits for them.
    ///
    /// # Errors
    /// [`SettingsError`] if the settings contradict themselves, or outside of a Tokio runtime.
    pub fn start(
        issuers: Vec<TrustedIssuer>,
        settings: &Settings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SettingsError> {
        settings::check(&issuers)?;
        let runtime = Handle::try_current().map_err(|_| SettingsError::NoRuntime)?;
        // A token that passes once is never asked for again.
        let cached_tokens_max = if settings.replay_window.is_some() { 0 } else { settings.cached_tokens_max };
        let cache = Arc::new(TokenCache::new(cached_tokens_max));
        let mut inner = Inner {
            issuers: Vec::with_capacity(issuers.len()),
            by_name: HashMap::with_capacity(issuers.len()),
            cache,
            passed: settings.replay_window.map(PassedTokens::new),
            clock,
            tasks: Vec::with_capacity(issuers.len()),
        };
        for trusted in issuers {
            inner.add(trusted, &runtime)?;
        }
        Ok(Self(Arc::new(inner)))
    }

    /// Waits until the keys of every issuer have been read for the first time.
    ///
    /// # Errors
    /// [`VerifyError::KeysUnavailable`] for the first issuer whose keys could not be; they are tried again all the same.
    pub async fn ready(&self) -> Result<(), VerifyError> {
        for trusted in &self.0.issuers {
            if trusted.keys.loaded().is_none() {
                trusted.keys.wait_for_first().await;
            }
            if trusted.keys.loaded().is_none() {
                return Err(unavailable(&trusted.keys));
            }
        }
        Ok(())
    }

    /// Checks a token. From memory if that is enough; otherwise this waits for the issuer's first keys, or, if the token names an
    /// unknown key, for one fetch that all such callers share and that happens once in a second at most.
    ///
    /// # Errors
    /// [`VerifyError`] saying what is wrong and what to do.
    pub async fn verify(&self, token: &str) -> Result<Arc<Verified<Claims>>, VerifyError> {
        match self.0.answer(token) {
            Answer::Known(outcome) => return outcome,
            Answer::KeysMissing(keys) => keys.wait_for_first().await,
            Answer::KeyMissing(keys, kid) => keys.wait_for_key(&kid, || self.0.clock.monotonic()).await,
        }
        self.0.answer(token).final_word()
    }

    /// Checks a token from memory alone; nothing if the issuer's keys would have to be fetched first.
    #[must_use]
    pub fn try_verify(&self, token: &str) -> Option<Result<Arc<Verified<Claims>>, VerifyError>> {
        match self.0.answer(token) {
            Answer::Known(outcome) => Some(outcome),
            Answer::KeysMissing(_) | Answer::KeyMissing(..) => None,
        }
    }

    /// What was found out about a token before, if it still holds.
    #[must_use]
    pub fn verify_cached(&self, token: &str) -> Option<Arc<Verified<Claims>>> {
        self.0.cached(token)
    }

    /// Looks at all sources again and waits for what they say, for example after an emergency.
    pub async fn refresh(&self) {
        let fetched = self.0.issuers.iter().map(|trusted| {
            let keys = Arc::clone(&trusted.keys);
            tokio::spawn(async move { keys.wait_for_fetch().await })
        });
        for task in fetched.collect::<Vec<_>>() {
            let _ = task.await;
        }
    }

    /// How it stands with the keys of each issuer.
    #[must_use]
    pub fn status(&self) -> Vec<SourceStatus> {
        let now = self.0.clock.monotonic();
        self.0.issuers.iter().map(|trusted| SourceStatus::of(&trusted.keys, now)).collect()
    }

    /// Whether both are clones of one.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Whether tokens pass once.
    pub(crate) fn has_replay_window(&self) -> bool {
        self.0.passed.is_some()
    }

    /// How many verified tokens are remembered.
    #[must_use]
    pub fn cached_tokens(&self) -> usize {
        self.0.cache.len()
    }
}

impl Inner {
    fn add(&mut self, trusted: TrustedIssuer, runtime: &Handle) -> Result<(), SettingsError> {
        let TrustedIssuer { rules, keys: source, keys_age_max } = trusted;
        let (name, issuer) = (rules.issuer.clone(), self.issuers.len());
        let fetcher = match source {
            KeySource::Remote(keys) => Fetcher::Remote(Box::new(RemoteFetcher::new(keys)?)),
            KeySource::File(path) => Fetcher::File(FileFetcher::new(path)),
            KeySource::Fixed(set) => {
                let keys = Arc::new(IssuerKeys::fixed(name.clone(), &set));
                self.by_name.insert(name.into(), issuer);
                self.issuers.push(TrustedKeys { rules, keys });
                return Ok(());
            }
        };
        let keys = Arc::new(IssuerKeys::awaited(name.clone(), keys_age_max));
        let (cache, clock) = (Arc::clone(&self.cache), Arc::clone(&self.clock));
        let refresher = Refresher { keys: Arc::clone(&keys), issuer, cache, clock, fetcher };
        self.tasks.push(runtime.spawn(refresher.run()).abort_handle());
        self.by_name.insert(name.into(), issuer);
        self.issuers.push(TrustedKeys { rules, keys });
        Ok(())
    }

    fn cached(&self, token: &str) -> Option<Arc<Verified<Claims>>> {
        let entry = self.cache.get(token)?;
        if self.holds(&entry) {
            return Some(entry.claims);
        }
        self.cache.remove(token);
        None
    }

    fn holds(&self, entry: &Entry) -> bool {
        self.issuers.get(entry.issuer).is_some_and(|trusted| {
            trusted.keys.generation() == entry.generation
                && entry.holds_at(self.clock.now())
                && trusted.keys.too_old(self.clock.monotonic()).is_none()
        })
    }

    fn answer(&self, token: &str) -> Answer<'_> {
        match self.cached(token) {
            Some(claims) => Answer::Known(Ok(claims)),
            None => self.check(token).unwrap_or_else(|error| Answer::Known(Err(error))),
        }
    }

    fn check(&self, token: &str) -> Result<Answer<'_>, VerifyError> {
        let unverified = Unverified::parse(token)?;
        let (issuer, trusted) = self.choose(unverified.unverified_issuer())?;
        let keys = trusted.keys.as_ref();
        let Some(loaded) = keys.loaded() else { return Ok(Answer::KeysMissing(keys)) };
        let monotonic = self.clock.monotonic();
        if let Some((age, max)) = keys.too_old(monotonic) {
            keys.want();
            let reason = keys.last_error().unwrap_or(FetchError::Pending);
            return Err(VerifyError::KeysTooOld { issuer: keys.issuer().clone(), age, max, reason });
        }
        match unverified.verify(&loaded.keys, &trusted.rules, self.clock.now()) {
            Ok(claims) => {
                self.pass(issuer, trusted, &claims)?;
                let claims = Arc::new(claims);
                self.cache.insert(token, Entry::new(Arc::clone(&claims), &trusted.rules, issuer, loaded.generation));
                Ok(Answer::Known(Ok(claims)))
            }
            Err(Rejection::KeyUnknown { kid }) if !keys.is_known_as_unknown(&kid, monotonic) => {
                Ok(Answer::KeyMissing(keys, kid))
            }
            Err(rejection) => Err(rejection.into()),
        }
    }

    /// Last of all checks, so that only a good token is taken for used.
    fn pass(&self, issuer: usize, trusted: &TrustedKeys, claims: &Claims) -> Result<(), VerifyError> {
        let Some(passed) = &self.passed else { return Ok(()) };
        let jti = claims.token_id().ok_or_else(|| Rejection::ClaimMissing { claim: "jti".to_owned() })?;
        let until = claims.expires_at() + trusted.rules.leeway.duration();
        match passed.pass(issuer, jti, until, self.clock.now()) {
            Passage::First => Ok(()),
            Passage::Again => Err(VerifyError::Replayed),
            Passage::NoRoom => Err(VerifyError::ReplayWindowFull),
        }
    }

    /// Whose rules and keys to check the token with. A token that names a stranger is refused before its key is asked for, or
    /// every stranger's token would cost a fetch. One that names nobody gets its exact reason from the rules of the only issuer.
    fn choose(&self, unverified_issuer: Option<&str>) -> Result<(usize, &TrustedKeys), VerifyError> {
        let index = match (unverified_issuer, self.issuers.as_slice()) {
            (None, [_]) => 0,
            (None, _) => return Err(VerifyError::issuer_unknown(None)),
            (Some(name), [only]) if name != only.rules.issuer.as_str() => {
                return Err(VerifyError::issuer_mismatch(&only.rules.issuer, name));
            }
            (Some(name), _) => self.index_of(name).ok_or_else(|| VerifyError::issuer_unknown(Some(name)))?,
        };
        self.issuers.get(index).map(|trusted| (index, trusted)).ok_or_else(|| VerifyError::issuer_unknown(None))
    }

    fn index_of(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }
}

impl Answer<'_> {
    /// The answer after having waited: what is still missing is not there.
    fn final_word(self) -> Result<Arc<Verified<Claims>>, VerifyError> {
        match self {
            Self::Known(outcome) => outcome,
            Self::KeysMissing(keys) => Err(unavailable(keys)),
            Self::KeyMissing(_, kid) => Err(Rejection::KeyUnknown { kid }.into()),
        }
    }
}

fn unavailable(keys: &IssuerKeys) -> VerifyError {
    let reason = keys.last_error().unwrap_or(FetchError::Pending);
    VerifyError::KeysUnavailable { issuer: keys.issuer().clone(), reason }
}

impl Drop for Inner {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let issuers = self.0.issuers.iter().map(|trusted| trusted.keys.issuer().as_str()).collect::<Vec<_>>();
        formatter.debug_struct("Verifier").field("issuers", &issuers).finish_non_exhaustive()
    }
}
