// SPDX-License-Identifier: Apache-2.0
//! What a ring shows: who signs, and what is published. Made once for each change, read without a lock.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use cress_domain::{Hex, Timestamp};
use cress_jose::{JwkSet, SigningKey};

use crate::schedule::{KeyFacts, signer};

/// How much of its hash names a document.
const ETAG_BYTES: usize = 16;

/// A ring at one moment. It stays right for a while by itself: it knows the next key, and when that is to sign.
#[derive(Clone)]
pub struct RingView {
    /// The published keys, oldest first.
    pub published: JwkSet,
    /// The published keys as they are served: the same keys always make the same bytes.
    pub body: Bytes,
    /// A strong entity tag of `body`, with its quotes.
    pub etag: String,
    signers: Vec<Signer>,
    fresh_until: Timestamp,
}

/// A key that signs now or later.
#[derive(Clone)]
pub(super) struct Signer {
    pub(super) facts: KeyFacts,
    pub(super) key: Arc<SigningKey>,
}

impl RingView {
    /// `signers` in the order in which they sign.
    pub(super) fn new(published: JwkSet, signers: Vec<Signer>, fresh_until: Timestamp) -> Self {
        let body = Bytes::from(published.to_json());
        Self { etag: entity_tag(&body), published, body, signers, fresh_until }
    }

    /// The key to sign with at this moment. None if the ring could not ask its store for too long, or could not write that the last
    /// key may go on: a signature could then become worthless before its time.
    #[must_use]
    pub fn signing_key(&self, now: Timestamp) -> Option<&SigningKey> {
        self.signer(now).map(|signer| signer.key.as_ref())
    }

    /// Whether this may be published. If not, the store could not be asked for too long: others may have published keys that are
    /// missing here, and a verifier that takes this set could refuse good tokens for days. Answer 503 then.
    #[must_use]
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        now < self.fresh_until
    }

    pub(super) fn signer(&self, now: Timestamp) -> Option<&Signer> {
        let chosen = signer(self.signers.iter().map(|signer| &signer.facts), now).filter(|_| self.is_fresh(now))?;
        self.signers.iter().find(|signer| signer.facts.created_at == chosen.created_at)
    }

    /// The same, not to be used any more.
    pub(super) fn stale(&self) -> Self {
        Self { fresh_until: Timestamp::from_unix_microseconds(i64::MIN), ..self.clone() }
    }

    /// Whether a reader would see no difference but how fresh it is.
    pub(super) fn shows_the_same_as(&self, other: &Self) -> bool {
        let facts = |view: &Self| view.signers.iter().map(|signer| signer.facts).collect::<Vec<_>>();
        self.body == other.body && facts(self) == facts(other)
    }

    pub(super) const fn was_given_up(&self) -> bool {
        self.fresh_until.unix_microseconds() == i64::MIN
    }
}

/// A strong entity tag of a document, with its quotes (RFC 9110 section 8.8.3): the same bytes always have the same tag.
#[must_use]
pub fn entity_tag(body: &[u8]) -> String {
    let hash = digest(&SHA256, body);
    let start = hash.as_ref().get(..ETAG_BYTES).unwrap_or_default();
    format!("\"{}\"", Hex(start))
}

impl fmt::Debug for RingView {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signers: Vec<_> = self.signers.iter().map(|signer| signer.key.kid()).collect();
        let published: Vec<_> = self.published.keys().iter().map(cress_jose::Jwk::kid).collect();
        let mut debug = formatter.debug_struct("RingView");
        debug.field("signers", &signers).field("published", &published).field("fresh_until", &self.fresh_until).finish()
    }
}
