// SPDX-License-Identifier: Apache-2.0
//! Which key signs when, and which are published: a pure function of the keys' facts, the settings and the time.
//!
//! # The plan
//!
//! With the settings of [`Settings::workload`](crate::Settings::workload), a week of lead time and a week of signing:
//!
//! ```text
//!          first start       1st switch        2nd switch        3rd switch
//!              | 1 week          | 1 week          | 1 week          |
//!   key A      |=================|--|              |                 |
//!   key B      |.................|=================|--|              |
//!   key C                        |.................|=================|--|
//!   key D                                          |.................|====
//!
//!   published   A, B             |A,B,C  B, C      |B,C,D  C, D      |
//!
//!   .....  next: published, signs nothing     =====  active: published, signs     --  retired: published, verifies only
//! ```
//!
//! | moment | is |
//! |---|---|
//! | birth, `created_at` | when the newest key has begun to sign |
//! | first signature, `signs_from` | the later of `lead` after the birth and `active` after the predecessor's first signature |
//! | last signature, `signs_until` | the successor's `signs_from`: there is always exactly one signer |
//! | leaving, `published_until` | `token_life_max + outage_budget + skew + jwks_cache_life + stale_max` after the last signature |
//!
//! At the very first start two keys are born: one signs at once, since no verifier can have an older copy of the set; the other
//! is its successor. From then on each switch is a moment written down in advance, so every replica switches at that
//! moment by itself, without asking the store. The first replica that sees that the newest key has begun to sign writes its
//! successor's birth down, by compare-and-swap, so exactly one is born.
//!
//! A replica that cannot read the store goes on with the plan as it last read it, for `stale_max`; then it neither signs nor
//! publishes. If the plan is changed meanwhile so that a key signs for a shorter time than was promised (a switch by hand),
//! that key stays published as if it had signed until then.
//!
//! # What is promised
//!
//! A verifier that checks a token against a copy of the published set that is at most
//! [`verifier_age_max`](crate::Settings::verifier_age_max) old finds the key of every good token in it. Why:
//!
//! - *The copy is not too old.* A key signs no earlier than `lead` after its birth. A copy that lacks it was handed out before
//!   its birth, or afterwards by a replica (or an HTTP cache before it) that did not know yet. A replica that could not ask the
//!   store for `stale_max` publishes nothing, a cache keeps an answer for `jwks_cache_life`, clocks differ by `skew`. So such a
//!   copy is older than `lead - stale_max - jwks_cache_life - skew` when the key first signs. (A birth is written at once after it
//!   was decided; the moments between, while the database lets the writer wait, are within the skew.)
//! - *The copy is not too new.* A key leaves the set only when the last token that it may have signed has expired everywhere:
//!   `token_life_max + outage_budget + skew` after it could last sign, and `jwks_cache_life` more for good measure. It stays for
//!   `stale_max` besides: if its successor is revoked around the switch, it signs on, and a replica that lost the store before
//!   does not know that for as long. What was promised once is kept when settings change.
//!
//! # What downtime means
//!
//! Lead time is time on the wall, whether or not anything was up to publish the key. That is enough: while nothing was up,
//! nobody got a copy either, so every copy that is young enough to count was handed out after the birth, by someone who knew the
//! key. Who could not refresh for longer than `verifier_age_max`, because nothing was up, has to do so before the first
//! check, as has everyone who meets an unknown key id; there is no older key for whose sake such a copy could be
//! kept going, since nobody knows how old it is. A mirror's delay counts as age of the copy.
//!
//! After downtime the newest key signs if it was born at least `lead` ago, as the plan had it. If its own time is over too, it signs
//! on until a successor, born now, has had its lead time: no key is skipped, none is hurried, and the set never grows.
//!
//! # Emergencies
//!
//! [`Roster::revoked`] takes a key out of the set at once. If it was the one that signs, its successor signs at once, the second
//! and last case of a key without its lead time: a verifier whose copy is older than the successor must refresh, which an
//! unknown key id tells it to. A new successor is born in the same step.
//!
//! # Clocks
//!
//! Nothing is done because the clock went back: no key is dropped, changed or hurried by it. The times of a plan remain what
//! they were, and whoever's clock shows an earlier time signs as was right then; before the first moment of the plan, with the
//! first key that will sign. A key that was born by a clock far ahead delays the next switch until then: revoking that key
//! replaces it by one born now. Dropped rows are chosen by number and not by age, so a clock that ran ahead for a while loses
//! nothing either.

mod changes;
mod facts;
mod roster;

#[cfg(test)]
mod tests;

pub use changes::{RevocationError, TooEarly};
pub use facts::{KeyFacts, KeyState};
pub use roster::Roster;
pub(crate) use roster::signer;
